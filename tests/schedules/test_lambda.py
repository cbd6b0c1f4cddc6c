"""Schedules that are functions: traced, told apart by their graphs, saved; and the message of each mistake."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from tracelr import Lambda, Linear, Scheduler, from_dict
from tracelr.errors import ConfigError, TracelrError, TracelrWarning

FUNCTION = "a function that maps an int64 tensor of steps to a floating point tensor of the same shape"
RISE = Linear(0.0, 1.0, 10)
PURE = "tensor operations alone: no `if` on the step, no .item(), int(step), NumPy or random number"


def falling(rate: float, scale: torch.Tensor | None = None) -> Lambda:
    return Lambda(lambda step: (1.0 if scale is None else scale) * rate ** step.double())


def test_a_function_has_the_identity_of_its_graph() -> None:
    half = torch.tensor(0.5)
    assert falling(0.9).fingerprint() == falling(0.9).fingerprint()
    prints = {f.fingerprint() for f in (falling(0.9), falling(0.8), falling(0.9, half), falling(0.9, half / 2))}
    assert len(prints) == 4
    schedule = falling(0.9)
    assert repr(schedule) == f"Lambda(function=<falling.<locals>.<lambda> {schedule.to_dict()['function']}>)"


def test_a_function_is_not_read_from_a_file() -> None:
    given = (falling(0.9) * 2.0).to_dict()
    with pytest.raises(ConfigError) as caught:
        from_dict(given)
    assert str(caught.value) == (
        f"mapping: inner.function: Lambda.function: given '{given['inner']['function']}'; allowed: {FUNCTION}; "
        "to fix it: pass the function itself: a file cannot hold one."
    )


def test_a_scheduler_with_a_function_is_saved_and_loaded() -> None:
    def bound(rate: float) -> Scheduler:
        return Scheduler(torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1), lr=falling(rate))

    one, same_one, other = bound(0.5), bound(0.5), bound(0.25)
    for _ in range(3):
        one.optimizer.step()
        one.step()
    same_one.load_state_dict(one.state_dict())
    assert same_one.get_last_lr() == [0.125]
    with pytest.warns(TracelrWarning, match="lr of group 0: Lambda.function"):
        other.load_state_dict(one.state_dict())


def test_importing_tracelr_does_not_import_the_tracer() -> None:
    code = "import sys, torch; before = set(sys.modules); import tracelr; print([m for m in set(sys.modules) - before if 'proxy_tensor' in m])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


CASES: list[tuple[Callable[[], object], str]] = [
    (
        lambda: Lambda(0.1),  # type: ignore[arg-type]
        f"Lambda.function: given 0.1; allowed: {FUNCTION}; to fix it: pass a function.",
    ),
    (
        lambda: Lambda(RISE),
        f"Lambda.function: given Linear(start=0.0, end=1.0, steps=10); allowed: {FUNCTION}; "
        "to fix it: use the schedule as it is.",
    ),
    (
        lambda: Lambda(lambda step: torch.zeros(()) if step > 5 else torch.ones(())),
        "Lambda.function: given a function that cannot be traced (GuardOnDataDependentSymNode: Could not guar...; "
        f"allowed: {PURE}; to fix it: write torch.where(step < n, a, b) in place of `if`.",
    ),
    (
        lambda: Lambda(lambda step: step.double() * step.item()),
        f"Lambda.function: given a function that calls aten._local_scalar_dense.default; allowed: {PURE}; "
        "to fix it: make the value a function of the step alone.",
    ),
    (
        lambda: Lambda(lambda step: torch.rand_like(step.double())),
        f"Lambda.function: given a function that calls aten.rand_like.default; allowed: {PURE}; "
        "to fix it: make the value a function of the step alone.",
    ),
    (
        lambda: Lambda(lambda step: step.double().sum()),
        "Lambda.function: given a function that returns a float64 tensor of shape [] for steps of shape [7]; "
        f"allowed: {FUNCTION}; to fix it: compute with step.double(), element by element.",
    ),
    (
        lambda: Lambda(lambda step: step),
        "Lambda.function: given a function that returns a int64 tensor of shape [] for steps of shape []; "
        f"allowed: {FUNCTION}; to fix it: compute with step.double(), element by element.",
    ),
    (
        lambda: Lambda(lambda step: 0.5),  # type: ignore[arg-type, return-value]
        f"Lambda.function: given a function that returns 0.5; allowed: {FUNCTION}; to fix it: return a tensor.",
    ),
    (
        lambda: falling(0.9, torch.nn.Parameter(torch.tensor(0.5))),
        "Lambda.function: given a function that closes over a tensor that requires grad; allowed: numbers and constant tensors "
        "around a function; to fix it: write a Schedule with the tensor in a field of type Scalar.",
    ),
]


@pytest.mark.parametrize(("mistake", "message"), CASES, ids=[message.split(";")[0] for _, message in CASES])
def test_the_message(mistake: Callable[[], object], message: str) -> None:
    with pytest.raises(TracelrError) as caught:
        mistake()
    assert str(caught.value) == message
