"""The self check finds a backend that is off by one unit in the last place and names it; exact backends pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from tracelr import Cosine, Lambda, Linear, Schedule, Scheduler, TrainStep, fuse, precision
from tracelr.errors import DeviceError
from tracelr.optim import self_check

RATE = Linear(1e-4, 1e-2, 5000).then(Cosine(1e-2, 0.0, 2_000_000))


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    self_check._passed.clear()
    yield
    self_check._passed.clear()


def pair(rate: Schedule = RATE, **options: Any) -> tuple[SGD, Scheduler]:
    optimizer = SGD([nn.Parameter(torch.ones(2))], lr=torch.tensor(0.1))
    return optimizer, Scheduler(optimizer, lr=rate, **options)


def off_by_one(graph: torch.fx.GraphModule, _: Any) -> Callable[..., Any]:
    """A backend whose sine is one unit in the last place of float32 too large."""
    for node in graph.graph.nodes:
        if node.target is torch.sin:
            node.target = lambda x: torch.sin(x) * (1 + 2.0**-22)
    graph.recompile()
    return graph.forward


def test_a_backend_that_misrounds_is_named_with_the_step_and_both_values() -> None:
    with pytest.raises(DeviceError) as caught:
        fuse(*pair(), check=True, backend=off_by_one)
    assert str(caught.value).startswith("fuse(check): given 0x3")
    assert " from off_by_one on cpu, for Cosine(start=0.01, end=1e-05, steps=983) at step " in str(caught.value)
    assert "; allowed: 0x3" in str(caught.value)
    assert str(caught.value).endswith(
        'as the host computes it; to fix it: evaluate inside tracelr.precision("two_float") or another, '
        "change the backend's options, or pass check=False."
    )


def test_the_boundaries_of_the_schedules_are_checked() -> None:
    def late(graph: torch.fx.GraphModule, _: Any) -> Callable[..., Any]:
        def run(step: Tensor) -> Any:
            values = graph.forward(step)[0]
            return (torch.where(step == 5001, torch.nextafter(values, values + 1), values),)

        return run

    with pytest.raises(DeviceError, match="at step 5001, and 5 more"):
        fuse(*pair(), check=True, backend=late)


@pytest.mark.parametrize("backend", ["eager", "inductor"])
def test_a_backend_that_rounds_as_the_host_does_passes_once(backend: str) -> None:
    fuse(*pair(), check=True, backend=backend)
    passed = set(self_check._passed)
    assert {(key[0], key[1]) for key in passed} == {(f"{backend} on cpu", "float64")}
    assert RATE.fingerprint() in {key[2] for key in passed}
    torch._dynamo.reset()
    with torch._dynamo.config.patch(error_on_recompile=True, disable=False):
        fuse(*pair(), check=True, backend=backend)  # known to be right: nothing is compiled
    assert self_check._passed == passed


@pytest.mark.slow
def test_any_number_of_schedules_is_checked_in_one_process() -> None:
    for steps in range(10, 20):  # Dynamo keeps at most eight variants of one code object
        fuse(*pair(Cosine(1.0, 0.0, steps)), check=True, backend="aot_eager")
    assert Cosine(1.0, 0.0, 19).fingerprint() in {key[2] for key in self_check._passed}


def test_a_compiler_that_computes_in_float32_is_found() -> None:
    def cheap(graph: torch.fx.GraphModule, inputs: Any) -> Callable[..., Any]:
        def run(step: Tensor) -> Any:  # float32 inside, as a backend without float64 would
            with precision("float32"):
                return (torch.stack([schedule(step) for schedule in self_check.probe()] + [RATE(step)]),)

        return run

    with pytest.raises(DeviceError):
        fuse(*pair(), check=True, backend=cheap)


def test_an_unsafe_flag_of_inductor_is_found() -> None:
    # -ffast-math makes this process flush subnormal numbers to 0
    try:
        with pytest.raises(DeviceError, match=r"from inductor on cpu with .*unsafe_math.*, for Exponential.* at step"):
            fuse(*pair(), check=True, options={"cpp.enable_unsafe_math_opt_flag": True})
    finally:
        torch.set_flush_denormal(False)


def test_a_device_is_compared_in_eager_code_too(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer, scheduler = pair()
    scheduler.detach()
    Scheduler(optimizer, lr=RATE, check=True)
    assert {key[0] for key in self_check._passed} == {"eager kernels on cpu"}
    self_check._passed.clear()
    forward = Linear.forward

    def off(self: Schedule, step: Any, ops: Any = None) -> Any:
        value = forward(self, step, ops)
        return torch.nextafter(value, value + 1) if ops is None else value

    monkeypatch.setattr(Linear, "forward", off)
    with pytest.raises(DeviceError, match=r"^Scheduler\(check\): given 0x3.* from eager kernels on cpu, for Linear"):
        Scheduler(optimizer, lr=RATE, check=True)


def test_it_is_off_on_the_cpu_by_default() -> None:
    fuse(*pair(), backend=off_by_one)
    fuse(*pair(), check=False, backend=off_by_one)
    assert self_check._passed == set()


def test_the_cheap_mode_promises_no_bits() -> None:
    with precision("float32"):
        fuse(*pair(), check=True, backend=off_by_one)


def test_a_training_step_is_checked_as_well() -> None:
    model = nn.Linear(2, 1)
    optimizer = SGD(model.parameters(), lr=0.1)
    scheduler = Scheduler(optimizer, lr=RATE)
    with pytest.raises(DeviceError, match=r"^TrainStep\(check\)"):
        TrainStep(model, nn.functional.mse_loss, optimizer, scheduler, check=True, backend=off_by_one)


def test_a_function_of_the_user_passes() -> None:
    fuse(*pair(Lambda(lambda step: 1.0 / (step + 1).double())), check=True, backend="eager")


def test_a_tensor_field_is_taken_as_it_is_now() -> None:
    peak = torch.tensor(0.25, requires_grad=True) * 2
    optimizer = SGD([nn.Parameter(torch.ones(2))], lr=torch.tensor(0.1))
    Scheduler(optimizer, lr=Linear(0.0, peak, 10), check=True)
    assert self_check._passed
