"""The curves that tracelr and its peers all have, as each of them computes it: the columns of `exactness.py`.

torch's are Python doubles on the host: stepped one by one up to 10**5 steps, its closed form beyond. optax counts in int32.
Cerebras' are its formulas run as torch operations in float32 on a tensor of steps.
"""

import math
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")  # before keras is imported
import jax
import jax.numpy as jnp
import torch
from keras.optimizers import schedules as keras
from optax import schedules as optax
from torch import Tensor
from torch.optim import lr_scheduler as torchs

import tracelr
from tracelr import Schedule

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support import row
from support.row import Exact
from support.rows import cycles

START, END, RATE = 6e-4, 6e-5, 0.9
STEPPED = 100_000
"""Up to here torch's scheduler is stepped, all the way."""

warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*before.*")
Torch = Callable[[torch.optim.Optimizer], torchs.LRScheduler]


@dataclass(frozen=True)
class Curve:
    """One curve in every vocabulary; None where a library has no such curve."""

    ours: Schedule
    exact: Exact
    torch: Torch | None = None
    optax: Callable[[], Callable[[Any], Any]] | None = None
    keras: Callable[[], Callable[[Any], Any]] | None = None
    cerebras: Callable[[Tensor], Tensor] | None = None

    def by_torch(self, steps: Tensor, last: int) -> Tensor | None:
        """Return what torch's scheduler puts into the group at each of the steps, rounded to float32."""
        if self.torch is None:
            return None
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=START)
        scheduler = self.torch(optimizer)
        if last <= STEPPED:
            rates = []
            for _ in range(int(steps.max()) + 1):
                rates.append(optimizer.param_groups[0]["lr"])
                scheduler.step()
            return torch.tensor(rates, dtype=torch.float64)[steps].to(torch.float32)
        closed: Any = getattr(scheduler, "_get_closed_form_lr", None)
        if closed is None:
            return None
        found = []
        for step in steps.tolist():
            scheduler.last_epoch = step
            found += closed()
        return torch.tensor(found, dtype=torch.float64).to(torch.float32)

    def by_optax(self, steps: Tensor, last: int) -> Tensor | None:
        if self.optax is None or last >= 2**31:
            return None
        schedule = self.optax()
        found = jax.vmap(lambda step: jnp.asarray(schedule(step), jnp.float32))(jnp.asarray(steps.numpy(), jnp.int32))
        return torch.tensor(found.tolist())

    def by_keras(self, steps: Tensor, last: int) -> Tensor | None:
        if self.keras is None:
            return None
        schedule = self.keras()
        return torch.stack([torch.as_tensor(schedule(step)) for step in steps]).to(torch.float32)

    def by_cerebras(self, steps: Tensor, last: int) -> Tensor | None:
        return None if self.cerebras is None else self.cerebras(steps.to(torch.float32))


def _polynomial(end: float, n: int, power: float) -> Curve:
    return Curve(
        tracelr.Polynomial(START, end, n, power),
        row.polynomial(START, end, n, power),
        (lambda o: torchs.PolynomialLR(o, n, power)) if end == 0 else None,
        lambda: optax.polynomial_schedule(START, end, power, n),
        lambda: keras.PolynomialDecay(START, n, end, power),
        lambda t: (START - end) * (1 - t.clamp(max=n) / n) ** power + end,
    )


def _cosine(end: float, n: int) -> Curve:
    return Curve(
        tracelr.Cosine(START, end, n),
        row.cosine(START, end, n),
        lambda o: torchs.CosineAnnealingLR(o, n, end),
        lambda: optax.cosine_decay_schedule(START, n, end / START),
        lambda: keras.CosineDecay(START, n, end / START),
        lambda t: end + 0.5 * (START - end) * (1 + torch.cos(math.pi * t.clamp(max=n) / n)),
    )


def _exponential(every: int, staircase: bool) -> Curve:
    return Curve(
        tracelr.Exponential(START, RATE, every, staircase),
        row.exponential(START, RATE, every, staircase),
        (lambda o: torchs.StepLR(o, every, RATE)) if staircase else None,
        lambda: optax.exponential_decay(START, every, RATE, staircase=staircase),
        lambda: keras.ExponentialDecay(START, every, RATE, staircase),
        lambda t: START * torch.tensor(RATE) ** (torch.floor(t / every) if staircase else t / every),
    )


def _restarts(period: int) -> Curve:
    cycle = {"init_value": START, "peak_value": START, "decay_steps": period, "warmup_steps": 0}
    return Curve(
        tracelr.WarmRestarts(START, 0.0, period),
        cycles.restarts(START, 0.0, period),
        lambda o: torchs.CosineAnnealingWarmRestarts(o, period),
        lambda: optax.sgdr_schedule([cycle] * 11),
        lambda: keras.CosineDecayRestarts(START, period, 1.0),
        lambda t: 0.5 * START * (1 + torch.cos(math.pi * torch.remainder(t, period) / period)),
    )


def _cyclic(up: int) -> Curve:
    def theirs(t: Tensor) -> Tensor:
        cycle = torch.floor(1 + t / (2 * up))
        return END + (START - END) * torch.clamp(1 - torch.abs(t / up - 2 * cycle + 1), min=0)

    return Curve(
        tracelr.Cyclic(END, START, up),
        cycles.cyclic(END, START, up, up),
        lambda o: torchs.CyclicLR(o, END, START, up, cycle_momentum=False),
        cerebras=theirs,
    )


def _milestones(n: int) -> Curve:
    at = [n * k // 13 for k in range(1, 13)]
    values = [START * RATE**k for k in range(13)]

    def theirs(t: Tensor) -> Tensor:
        return START * torch.tensor(RATE) ** sum((t >= m).to(torch.float32) for m in at)

    return Curve(
        tracelr.MultiStep(START, RATE, at),
        cycles.multi_step(START, RATE, at),
        lambda o: torchs.MultiStepLR(o, at, RATE),
        lambda: optax.piecewise_constant_schedule(START, dict.fromkeys(at, RATE)),
        lambda: keras.PiecewiseConstantDecay([m - 1 for m in at], values),  # it keeps the old value at the boundary
        theirs,
    )


def _inverse_sqrt(warm: int) -> Curve:
    return Curve(
        tracelr.InverseSqrt(START, warm),
        row.inverse_sqrt(START, warm),
        cerebras=lambda t: START * math.sqrt(warm) / torch.sqrt(t.clamp(min=warm)),
    )


def curves(n: int) -> dict[str, Curve]:
    """Return the curves over about n steps."""
    return {
        "linear to 0": _polynomial(0.0, n, 1.0),
        "linear to a tenth": _polynomial(END, n, 1.0),
        "square to 0": _polynomial(0.0, n, 2.0),
        "root to a tenth": _polynomial(END, n, 0.5),
        "cosine to 0": _cosine(0.0, n),
        "cosine to a tenth": _cosine(END, n),
        "exponential": _exponential(n // 100, False),
        "exponential stairs": _exponential(n // 100, True),
        "inverse square root": _inverse_sqrt(n // 100),
        "warm restarts to 0": _restarts(n // 10),
        "cyclic": _cyclic(n // 20),
        "12 milestones": _milestones(n),
    }
