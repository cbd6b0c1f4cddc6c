import hashlib
import math
import struct
from collections.abc import Sequence
from functools import reduce
from numbers import Integral
from typing import Annotated, Any, Literal, final

from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.errors import ScheduleError, ScheduleTypeError
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, endless
from tracelr.schedules.fields import Choice, Exponent
from tracelr.schedules.fitting import Fit

_PRIME, _OTHER = 2**31 - 1, 2**31 - 19  # no two steps have the same two remainders, because the product is above 2**53
_HALF = _PRIME // 2
_ROUNDS = 2

# Wichura 1988, algorithm AS 241: the normal quantile as a quotient of polynomials, highest power first; near the median in
# 0.425**2 - q**2, and times q, further out in sqrt(-log(tail)) - 1.6. Good to 16 digits for tails above 1e-11.
_CENTRE = 0.425
_NEAR = (
    (2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987,
     13731.69376550946, 1971.5909503065513, 133.14166789178438, 3.3871328727963665),
    (5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597,
     5394.196021424751, 687.1870074920579, 42.31333070160091, 1.0),
)  # fmt: skip
_FAR = (
    (0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684,
     3.6478483247632045, 5.769497221460691, 4.630337846156546, 1.4234371107496835),
    (1.0507500716444169e-09, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008,
     0.6897673349851, 1.6763848301838038, 2.053191626637759, 1.0),
)  # fmt: skip


@final
class _Seed(fields.Rule):
    allowed = "an int from 0 to 2**53"

    def parse(self, where: str, given: Any) -> int:
        if isinstance(given, bool) or not isinstance(given, Integral):
            raise ScheduleTypeError(where, given, self.allowed, "pass an int")
        if not 0 <= int(given) <= 2**53:
            raise ScheduleError(where, given, self.allowed, "pass an int in this range")
        return int(given)


@final
class _Spread(fields.Rule):
    allowed = "a number from 0 to 1, or to 1 / limit for normal noise: a factor is never below 0"

    def parse(self, where: str, given: Any) -> float:
        return fields.number(where, given, self.allowed)

    def check_against(self, where: str, value: float, fields: dict[str, Any]) -> None:
        if not 0 <= value <= (1 if fields["kind"] == "uniform" else 1 / fields["limit"]):
            raise ScheduleError(where, value, self.allowed, "pass a number in this range")


class Noise(Schedule):
    r"""A random factor near 1 for every step, the same on every machine and in every run; use it as `schedule * Noise(...)`.

    .. math:: f(t) = 1 + \sigma\, z_t

    with σ = `spread`. By `kind`, z is uniform from -1 to 1, or normal with standard deviation 1, truncated at ±`limit`. It
    is drawn from that range, so that no values pile up at the limit (uniform noise ignores `limit`). σ, or for the normal
    kind σ times `limit`, is at most 1, so that no factor is negative.

    It needs no generator and no state. z is a hash of t and `seed`, an int from 0 to 2**53: two rounds of x -> (x + c)^5
    modulo 2^31 - 1, a permutation, with constants c from the SHA-256 of `seed`; then t modulo a second prime is added, and
    two more rounds follow. The hash is exact in int64, so eager code, a compiled graph and C draw the same. Two schedules
    with the same `seed` draw the same noise. Sources: Albrecht et al. 2016 (MiMC), Wichura 1988 (the normal quantile).

    timm's noise has the same distribution (`noise_pct` is σ, or, for the normal kind, `limit` with σ = 1), but draws other
    numbers: it seeds a `torch.Generator` at every step. Inside a range of steps, timm's `noise_range_t`, it is
    `Sequential([Constant(1.0), Noise(...), Constant(1.0)], [first, last])`. Noise of a falling variance, as in TF's
    `NoisyLinearCosineDecay`, is `(Noise(...) - 1.0) * PowerLaw(...)`.

    >>> import torch
    >>> Noise(seed=42, spread=0.1)(torch.arange(4))
    tensor([1.0029, 1.0577, 1.0700, 0.9190])
    >>> Noise(seed=42, spread=0.1, kind="normal")(torch.arange(4))
    tensor([1.0036, 1.0798, 1.1033, 0.8696])
    """

    seed: Annotated[int, _Seed()]
    spread: Annotated[float, _Spread()]
    kind: Annotated[Literal["uniform", "normal"], Choice("uniform", "normal")] = "uniform"
    limit: Exponent = 3.0

    def prepare(self) -> None:
        words = struct.unpack("<8I", hashlib.sha256(str(self.seed).encode()).digest())
        self._keys = [word % _PRIME for word in words[: 2 * _ROUNDS]]
        self._inside, self._outside = math.erf(self.limit / math.sqrt(2)), math.erfc(self.limit / math.sqrt(2))
        self._near = _PRIME if self._inside < _CENTRE else int(_CENTRE / self._inside * _PRIME)

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        mixed = self._mixed(step, self._keys[:_ROUNDS])
        place = self._mixed(mixed + step.remainder(_OTHER), self._keys[_ROUNDS:]) - _HALF  # from -_HALF to _HALF
        z = ops.ratio(place, _HALF) if self.kind == "uniform" else self._normal(place, ops)
        return ops.add(ops.mul(z, self.spread), 1.0)

    def fitted(self, fit: Fit, origin: int) -> "Noise":
        return self  # every step has its own number, however many they are

    def _mixed(self, x: Tensor, keys: Sequence[int]) -> Tensor:
        for key in keys:  # at most 2**54 goes in, and no product reaches 2**62
            x = (x + key).remainder(_PRIME)
            square = (x * x).remainder(_PRIME)
            x = ((square * square).remainder(_PRIME) * x).remainder(_PRIME)
        return x

    def _normal(self, place: Tensor, ops: Arithmetic) -> Real:
        away = place.abs()
        q = ops.mul(ops.ratio(away, _PRIME), self._inside)  # the probability between the median and z
        r = ops.sub(0.180625, ops.mul(q, q))
        near = ops.mul(ops.div(_polynomial(r, _NEAR[0], ops), _polynomial(r, _NEAR[1], ops)), q)
        # 1/2 - q without a difference: the sum of the probability up to the limit, from integers, and of that beyond it.
        tail = ops.add(ops.ratio(2 * (_HALF - away) + 1, 2 * _PRIME), ops.mul(ops.ratio(away, _PRIME), self._outside))
        r = ops.sub(ops.sqrt(ops.mul(ops.log(tail), -1.0)), 1.6)
        far = ops.div(_polynomial(r, _FAR[0], ops), _polynomial(r, _FAR[1], ops))
        size = ops.clamp(ops.where(away <= self._near, near, far), None, self.limit)
        return ops.where(place < 0, ops.mul(size, -1.0), size)

    def own_segments(self) -> Segments:
        return endless(self, f"by chance, {self.kind} with a spread of {self.spread:g}", turns=True)


def _polynomial(x: Real, coefficients: Sequence[float], ops: Arithmetic) -> Real:
    first, second, *rest = coefficients
    return reduce(lambda total, c: ops.add(ops.mul(total, x), c), rest, ops.add(ops.mul(x, first), second))
