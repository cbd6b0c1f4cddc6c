"""The exhaustive sweep of `benchmarks/every_step.py`, over a few steps: it passes a right schedule and finds a wrong one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import tracelr

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import every_step

pytestmark = pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs an 80-bit long double")


@pytest.mark.parametrize("curve", ["linear", "cosine", "exponential", "inverse_sqrt"])
@pytest.mark.parametrize("begin", [0, 2**31, 2**32 - 3000])
def test_the_sweep_finds_nothing(curve: str, begin: int) -> None:
    assert every_step.check(curve, 2**32 - 1, begin, begin + 3000) == (0, 0, 0, 0.0)


def test_the_sweep_finds_a_schedule_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    _, exact, formula, compiled = every_step.prepared("linear", 999)
    rising = tracelr.Linear(every_step.END * (1 + 1e-9), every_step.START, 999)
    monkeypatch.setattr(every_step, "prepared", lambda name, last: (rising, exact, formula, compiled))
    lowered, wrong, turns, worst = every_step.check("linear", 999, 0, 1000)
    assert (lowered, turns) == (1000, 999)
    assert wrong == 1000
    assert worst > 1e6
