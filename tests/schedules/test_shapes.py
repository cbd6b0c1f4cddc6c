"""Laws of single curves that no row of the table states, the statistics of the noise, and every error."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from torch import Tensor

import tracelr
from tracelr import Constant, CosineWaves, KDecay, Noise, PowerLaw, Schedule, Sequential, Tanh
from tracelr.arithmetic import F64
from tracelr.errors import ScheduleError, ScheduleTypeError

STEPS = torch.tensor(sorted({*range(300), *(2**k + d for k in range(53) for d in (-1, 0, 1)), 2**53}))


@pytest.mark.parametrize("steps", [1, 4000, 2**24 + 3, 2**53])
def test_a_power_law_of_one_half_is_the_inverse_square_root(steps: int) -> None:
    assert torch.equal(PowerLaw(0.3, 0.5, steps)(STEPS), tracelr.InverseSqrt(0.3, steps)(STEPS))


def test_special_cases_are_the_simpler_shape() -> None:
    steps = torch.arange(1500)
    assert torch.equal(KDecay(0.1, 0.01, 1000, 1.0)(steps), tracelr.Cosine(0.1, 0.01, 1000)(steps))
    assert torch.equal(KDecay(0.1, 0.01, 1000, 1.0, 3.7)(steps), tracelr.Polynomial(0.1, 0.01, 1000, 3.7)(steps))
    assert torch.equal(tracelr.CosinePower(0.1, 0.01, 1000, 1.0)(steps), tracelr.Cosine(0.1, 0.01, 1000)(steps))
    assert torch.equal(CosineWaves(0.1, 0.01, 1000, 0.5)(steps), tracelr.CosineAnnealing(0.1, 0.01, 1000)(steps))
    halves = tracelr.WarmRestarts(0.1, 0.01, 250, limit=4)
    assert torch.equal(CosineWaves(0.1, 0.01, 1000, 4, restart=True)(steps), halves(steps))
    assert torch.equal(Tanh(1.0, 0.0, 1000, -3.0, 3.0)(500), torch.tensor(0.5))


@pytest.mark.parametrize("steps", [1, 7, 1000, 2**24 + 3, 2**53])
def test_end_points_are_bit_exact(steps: int) -> None:
    at, ends = torch.tensor([0, steps]), [0.1, 3e-5]
    want = torch.tensor(ends)
    for schedule in (
        tracelr.Rex(*ends, steps),
        KDecay(*ends, steps, 0.3),
        KDecay(*ends, steps, 5.0, 0.7),
        tracelr.CosinePower(*ends, steps, 3.3),
        CosineWaves(*ends, steps, 0.5),
        CosineWaves(*ends, steps, 7, restart=True),
    ):
        assert torch.equal(schedule(at), want), schedule


def test_tanh_misses_its_ends_by_what_it_says() -> None:
    curve = Tanh(1.0, 0.0, 10, low=-7.0, high=3.0)
    first, last = curve.wide(torch.tensor([0, 10]), F64).tolist()
    assert 1.0 - first == pytest.approx(1 / (1 + math.exp(14.0)), rel=1e-9)
    assert last == pytest.approx(1 / (1 + math.exp(6.0)), rel=1e-12)


@pytest.mark.parametrize(("low", "high"), [(-128.0, 128.0), (-128.0, -127.0), (127.0, 128.0), (0.0, 1.0), (-1.0, 0.0)])
def test_tanh_is_finite_and_falls_whatever_its_bounds(low: float, high: float) -> None:
    for steps in (1, 1000, 2**53):
        at = torch.unique((torch.arange(1001) * steps).div(1000, rounding_mode="floor"))
        with torch.autograd.set_detect_anomaly(True):
            start = torch.nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
            values = Tanh(start, 0.0, steps, low, high)(at)
            values.sum().backward()
        assert values.isfinite().all()
        assert (values.diff() <= 0).all()
        assert start.grad is not None
        assert start.grad.isfinite()


def test_a_wave_starts_at_exact_steps_for_ever() -> None:
    third = CosineWaves(1.0, 0.0, 1001, 1 / 3)  # a wave is 3003 steps
    starts = torch.tensor([3003 * k for k in (1, 2, 10**6, 10**12)])
    assert torch.equal(third(starts), torch.ones(4))
    assert third.length == 1001
    near = CosineWaves(1.0, 0.0, 2**50, 2**10 - 1)
    assert near(2**50) == 1.0
    assert near(2**53) == 1.0


# -- noise: sizes as multiples of their standard deviation, over 2**18 steps and a few seeds. A good hash exceeds 5 of them once
# -- in two million tries; the draws are fixed, so this never flickers.

COUNT = 2**18
SEEDS = (0, 1, 42, 2**53)
FAR = 5.0


def draws(seed: int, kind: str = "uniform", first: int = 0, limit: float = 3.0) -> Tensor:
    """Return u, or z, of `COUNT` steps from `first` on."""
    spread = 1.0 if kind == "uniform" else 0.25
    noise = Noise(seed, spread, kind, limit)  # type: ignore[arg-type]
    return (noise.wide(torch.arange(first, first + COUNT), F64) - 1.0) / spread


@pytest.mark.parametrize("first", [0, 2**31 - 100_000, 2**53 - COUNT])
@pytest.mark.parametrize("seed", SEEDS)
def test_uniform_noise_is_uniform(seed: int, first: int) -> None:
    u = draws(seed, first=first)
    assert abs(u.mean()) * math.sqrt(3 * COUNT) < FAR  # the variance is 1/3
    assert abs(3 * u.square().mean() - 1) * math.sqrt(COUNT * 5 / 4) < FAR  # that of 3 u**2 is 4/5
    expected = COUNT / 256
    chi_square = ((torch.histc(u, 256, -1, 1) - expected) ** 2 / expected).sum()
    assert abs(chi_square - 255) / math.sqrt(2 * 255) < FAR


@pytest.mark.parametrize("kind", ["uniform", "normal"])
@pytest.mark.parametrize("seed", SEEDS)
def test_steps_and_seeds_are_independent(seed: int, kind: str) -> None:
    u = draws(seed, kind)
    power = u.square().mean()
    for lag in (1, 2, 3, 64, 1000):
        assert abs((u[lag:] * u[:-lag]).mean() / power) * math.sqrt(COUNT) < FAR, lag
    for other in (seed + 1, seed + 2) if seed < 2**53 else (seed - 1, 0):
        assert abs((u * draws(other, kind)).mean() / power) * math.sqrt(COUNT) < FAR, other
    # neighbours are independent, not only uncorrelated: they fill a square of 32 x 32 fields evenly
    field = ((u.clamp(-0.999, 0.999) + 1) * 16).long()
    if kind == "uniform":
        counts = torch.bincount(field[:-1] * 32 + field[1:], minlength=1024).double()
        chi_square = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
        assert abs(chi_square - 1023) / math.sqrt(2 * 1023) < FAR


@pytest.mark.parametrize("seed", SEEDS)
def test_normal_noise_is_normal(seed: int) -> None:
    z = draws(seed, "normal", limit=4.0)
    assert abs(z.mean()) * math.sqrt(COUNT) < FAR
    assert abs(z.square().mean() - 1) * math.sqrt(COUNT / 2) < FAR
    for bound in (0.5, 1.0, 2.0, 3.0):
        part = math.erfc(bound / math.sqrt(2))
        assert abs((z.abs() > bound).double().mean() - part) / math.sqrt(part * (1 - part) / COUNT) < FAR, bound


@pytest.mark.parametrize("limit", [0.1, 0.67, 2.0, 4.0])
def test_normal_noise_keeps_its_limit_and_its_shape(limit: float) -> None:
    z = draws(42, "normal", limit=limit)
    assert z.abs().max() <= limit
    assert (z.abs() > 0.999999 * limit).sum() < 5  # no values pile up at the limit
    inside = math.erf(limit / math.sqrt(2))
    for part in (0.1, 0.5, 0.9):  # the distribution is a truncated normal
        expected = math.erf(part * limit / math.sqrt(2)) / inside
        got = (z.abs() < part * limit).double().mean()
        assert abs(got - expected) / math.sqrt(expected * (1 - expected) / COUNT) < FAR, part


def test_noise_needs_no_past() -> None:
    noise = Noise(3, 0.1, "normal")
    some = torch.tensor([5, 2**53, 0, 77, 5])
    assert torch.equal(noise(some), torch.stack([noise(int(step)) for step in some]))
    assert noise(5) != noise(2**31 - 1 + 5)  # the same step modulo the first prime
    assert noise(5) != noise(2**31 - 19 + 5)


def test_noise_inside_a_range_of_steps_and_of_a_falling_variance() -> None:
    steps = torch.arange(1000)
    base, noise = tracelr.Cosine(0.1, 0.0, 1000), Noise(42, 0.67)
    inside = base * Sequential([Constant(1.0), noise, Constant(1.0)], [200, 400], reset=False)
    assert torch.equal(inside(steps[:200]), base(steps[:200]))
    assert torch.equal(inside(steps[400:]), base(steps[400:]))
    assert torch.equal(inside(steps[200:400]), (base * noise)(steps[200:400]))
    # TF's NoisyLinearCosineDecay: the variance is v / (1 + t)**d; noise of spread 1/4 is scaled up by 4
    v, d = 1.0, 0.55
    fading = PowerLaw(4 * v**0.5, d / 2, steps=1, shift=1) * (Noise(7, 0.25, "normal", limit=4.0) - 1.0)
    parts = torch.arange(COUNT).double().add(1).pow(d / 2) * fading.wide(torch.arange(COUNT), F64)
    assert abs(parts.square().mean() - v) * math.sqrt(COUNT / 2) < FAR


ERRORS: dict[str, tuple[Callable[[], Schedule], type[Exception], str]] = {
    "bound": (
        lambda: Tanh(1.0, 0.0, 5, low=-200.0),
        ScheduleError,
        "Tanh.low: given -200.0; allowed: a number from -128 to 128, low below high; to fix it: pass a number in this range.",
    ),
    "bounds": (
        lambda: Tanh(1.0, 0.0, 5, low=3.0, high=3.0),
        ScheduleError,
        "Tanh.low: given 3.0; allowed: a number from -128 to 128, low below high; to fix it: pass low below high.",
    ),
    "power": (
        lambda: KDecay(1.0, 0.0, 5, 2.0, power=0.0),
        ScheduleError,
        "KDecay.power: given 0.0; allowed: a number from 0.001 to 1e12, or None for a cosine; to fix it: pass a number in this range.",
    ),
    "cycles": (
        lambda: CosineWaves(1.0, 0.0, 5, 0),
        ScheduleError,
        "CosineWaves.cycles: given 0; allowed: a number above 0 that is a fraction a / b with b up to 2**16; "
        "to fix it: pass a number above 0.",
    ),
    "no fraction": (
        lambda: CosineWaves(1.0, 0.0, 5, math.sqrt(2)),
        ScheduleError,
        "CosineWaves.cycles: given 1.4142135623730951; allowed: a number above 0 that is a fraction a / b with b up to 2**16; "
        "to fix it: pass 66922 / 47321.",
    ),
    "too long": (
        lambda: CosineWaves(1.0, 0.0, 2**53, float(Fraction(1, 1021))),
        ScheduleError,
        f"CosineWaves.cycles: given {1 / 1021!r}; allowed: cycles a / b and steps n with a * b * n below 2**62; "
        "to fix it: pass a fraction of smaller terms, or fewer steps.",
    ),
    "shift": (
        lambda: PowerLaw(1.0, 0.5, 5, 0.5),  # type: ignore[arg-type]
        ScheduleTypeError,
        "PowerLaw.shift: given 0.5; allowed: an int from -2**53 to 2**53; to fix it: pass a whole number of steps.",
    ),
    "exponent": (
        lambda: PowerLaw(1.0, -0.5, 5),
        ScheduleError,
        "PowerLaw.exponent: given -0.5; allowed: a number from 0.001 to 1e12; to fix it: pass a number in this range.",
    ),
    "seed": (
        lambda: Noise(-1, 0.1),
        ScheduleError,
        "Noise.seed: given -1; allowed: an int from 0 to 2**53; to fix it: pass an int in this range.",
    ),
    "seed's type": (
        lambda: Noise(1.0, 0.1),  # type: ignore[arg-type]
        ScheduleTypeError,
        "Noise.seed: given 1.0; allowed: an int from 0 to 2**53; to fix it: pass an int.",
    ),
    "spread": (
        lambda: Noise(1, 0.4, "normal"),
        ScheduleError,
        "Noise.spread: given 0.4; allowed: a number from 0 to 1, or to 1 / limit for normal noise: a factor is never below 0; "
        "to fix it: pass a number in this range.",
    ),
    "kind": (
        lambda: Noise(1, 0.1, "cauchy"),  # type: ignore[arg-type]
        ScheduleError,
        "Noise.kind: given 'cauchy'; allowed: 'uniform', 'normal'; to fix it: use one of these names.",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    build, kind, message = ERRORS[case]
    with pytest.raises(kind) as caught:
        build()
    assert str(caught.value) == message
