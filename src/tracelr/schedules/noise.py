import hashlib
import struct
from numbers import Integral
from typing import Annotated, Any, Literal, final

from torch import Tensor

from tracelr import fields
from tracelr.arithmetic import Arithmetic, Wide
from tracelr.errors import ScheduleError, ScheduleTypeError, explain
from tracelr.fields import Choice, Exponent
from tracelr.schedule import Schedule

_PRIME, _OTHER = 2**31 - 1, 2**31 - 19  # their product is above 2**53: the two remainders of a step are its own
_ROUNDS = 2


@final
class _Seed(fields.Rule):
    allowed = "an int from 0 to 2**53"

    def parse(self, where: str, given: Any) -> int:
        if isinstance(given, bool) or not isinstance(given, Integral):
            raise ScheduleTypeError(explain(where, given, self.allowed, "pass an int"))
        if not 0 <= int(given) <= 2**53:
            raise ScheduleError(explain(where, given, self.allowed, "pass an int in this range"))
        return int(given)


@final
class _Spread(fields.Rule):
    allowed = "a number from 0 to 1, or to 1 / limit for normal noise: a factor is never below 0"

    def parse(self, where: str, given: Any) -> float:
        return fields.number(where, given, self.allowed)

    def relate(self, where: str, value: float, fields: dict[str, Any]) -> None:
        if not 0 <= value <= (1 if fields["kind"] == "uniform" else 1 / fields["limit"]):
            raise ScheduleError(explain(where, value, self.allowed, "pass a number in this range"))


class Noise(Schedule):
    r"""A random factor near 1 for every step, the same one wherever and whenever it is asked for; `schedule * Noise(...)`.

    .. math:: f(t) = 1 + \sigma\, u_t, \quad u_t \in [-1, 1] \quad\text{or}\quad
        f(t) = 1 + \sigma \max(-l, \min(z_t, l))

    with σ = `spread`; u is uniform and z normal with standard deviation 1, as `kind` says; l = `limit`, where normal noise
    is cut off (uniform noise ignores it). σ, or σ l, is at most 1: no factor is negative.

    There is no generator and no state. u and z are a hash of `seed`, an int from 0 to 2**53, and t: two rounds of
    x -> (x + c)^5 modulo 2^31 - 1, a permutation, with constants c from the SHA-256 of the seed, then t modulo a second
    prime is added, and two rounds more; z is made of two such numbers as Box & Muller (1958) do. The hash is exact in int64:
    eager code, a compiled graph and C draw the same. One seed gives one noise; take another where it has to differ.

    Source: timm's `noise_range_t`, `noise_pct`, `noise_seed`, which asks a `torch.Generator` and so draws other numbers;
    inside a range of steps, as there, it is `Sequential([Constant(1.0), Noise(...), Constant(1.0)], [first, last])`. Noise
    of a falling variance, as in TF's `NoisyLinearCosineDecay`, is (Noise(...) - 1.0) * PowerLaw(...).

    >>> import torch
    >>> Noise(seed=42, spread=0.1)(torch.arange(4))
    tensor([1.0029, 1.0577, 1.0700, 0.9190])
    >>> Noise(seed=42, spread=0.1, kind="normal")(torch.arange(4))
    tensor([1.1076, 0.9630, 0.9446, 0.9944])
    """

    seed: Annotated[int, _Seed()]
    spread: Annotated[float, _Spread()]
    kind: Annotated[Literal["uniform", "normal"], Choice("uniform", "normal")] = "uniform"
    limit: Exponent = 3.0

    def prepare(self) -> None:
        words = struct.unpack("<8I", hashlib.sha256(str(self.seed).encode()).digest())
        self._keys = [word % _PRIME for word in words[: 3 * _ROUNDS]]

    def evaluate(self, step: Tensor, A: Arithmetic) -> Wide:
        first = self._mixed(self._mixed(step, 0) + step.remainder(_OTHER), 1)
        if self.kind == "uniform":
            half = _PRIME // 2  # 2 half + 1 = _PRIME, so that first - half goes from -half to half
            return A.add(A.mul(A.ratio(first - half, half), self.spread), 1.0)
        second = self._mixed(first + step, 2)
        radius = A.sqrt(A.mul(A.log(A.ratio(first + 1, _PRIME)), -2.0))
        normal = A.mul(radius, A.between(second, _PRIME, 1.0, -1.0, A.sin2h))  # the radius times cos(pi second / _PRIME)
        return A.add(A.mul(A.clamp(normal, -self.limit, self.limit), self.spread), 1.0)

    def _mixed(self, x: Tensor, stage: int) -> Tensor:
        # At most 2**54 goes in, and no product reaches 2**62.
        for key in self._keys[stage * _ROUNDS : (stage + 1) * _ROUNDS]:
            x = (x + key).remainder(_PRIME)
            square = (x * x).remainder(_PRIME)
            x = ((square * square).remainder(_PRIME) * x).remainder(_PRIME)
        return x
