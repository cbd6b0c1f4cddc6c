"""Which values Dynamo guards in a fused step; and every change that a schedule allows takes effect."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.table import ROWS
from torch import Tensor, fx, nn
from torch._dynamo.eval_frame import _debug_get_cache_entry_list
from torch._dynamo.utils import counters
from torch.optim import SGD

from tracelr import (
    Constant,
    Cosine,
    Cyclic,
    Exponential,
    Lambda,
    Linear,
    PiecewiseConstant,
    Scale,
    Schedule,
    Scheduler,
    _torch,
    fuse,
    precision,
)
from tracelr.arithmetic import Arithmetic, Real
from tracelr.errors import OptimizerError
from tracelr.schedules.fields import Scalar

RATE = Linear(1.0, 0.0, 7).then(Cosine(1.0, 0.0, 9))
COMPILED = pytest.mark.parametrize("backend", ["aot_eager", "inductor"])


def fused(rate: Schedule, **options: Any) -> tuple[Scheduler, Any]:
    """Return a scheduler and its fused step. Under the backend "eager" an opaque step would run as live Python."""
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.zeros(2)
    optimizer = SGD([weight], lr=0.1)
    scheduler = Scheduler(optimizer, lr=rate, on_change="checkpoint")
    return scheduler, fuse(optimizer, scheduler, **{"backend": "aot_eager", **options})


def rate_of(scheduler: Scheduler) -> float:
    return float(scheduler.optimizer.param_groups[0]["lr"])


def guards(update: Any) -> str:
    (entry,) = _debug_get_cache_entry_list(update._region._eager.__code__)
    return str(entry.guard_manager)


def test_the_fields_of_a_schedule_are_not_guarded() -> None:
    _, update = fused(RATE)
    update()
    text = guards(update)
    assert ".steps" not in text
    assert ".milestones" not in text
    assert "_bindings.step.token" in text
    assert "_counter.tensor" in text
    assert "_forced" in text


def test_a_backend_that_is_a_function_sees_the_formula() -> None:
    seen = []

    def backend(graph: fx.GraphModule, _: Any) -> Any:
        seen.extend(str(node.target) for node in graph.graph.nodes)
        return graph

    scheduler, update = fused(RATE, backend=backend)
    update()
    assert any("where" in target for target in seen)
    assert rate_of(scheduler) == RATE(1).item()


@COMPILED
def test_one_graph_and_the_same_bits(backend: str) -> None:
    peak = torch.tensor(0.25)
    deep: Schedule = Cosine(1.0, 0.0, 20)
    for _ in range(59):
        deep = Scale(deep, 0.99)
    wave = Cyclic(0.0, 1.0, 2).drive(high=Exponential(1.0, 0.5, 4))
    rates = [RATE, deep, Linear(0.0, peak, 40), PiecewiseConstant([0.1, 0.2, 0.3], [5, 25]), wave]
    optimizer = SGD([{"params": [nn.Parameter(torch.ones(2))]} for _ in rates], lr=0.1)
    for group in optimizer.param_groups:
        group["params"][0].grad = torch.zeros(2)
    update = fuse(optimizer, Scheduler(optimizer, lr=rates), backend=backend)
    counters.clear()
    for step in range(1, 61):
        peak.fill_(0.1 * step)
        update()
        assert [float(group["lr"]) for group in optimizer.param_groups] == [rate(step).item() for rate in rates]
    assert counters["stats"]["unique_graphs"] == 1
    assert sum(counters["graph_break"].values()) == 0


def test_every_schedule_is_traced_from_its_tensors_alone() -> None:
    rates = [row.schedule for row in ROWS.values()]
    optimizer = SGD([{"params": [nn.Parameter(torch.ones(2))]} for _ in rates], lr=0.1)
    for group in optimizer.param_groups:
        group["params"][0].grad = torch.zeros(2)
    update = fuse(optimizer, Scheduler(optimizer, lr=rates), backend="aot_eager")
    for step in range(1, 6):
        update()
        assert [float(group["lr"]) for group in optimizer.param_groups] == [rate(step).item() for rate in rates]


@COMPILED
def test_a_schedule_that_moves_is_read_where_it_is(backend: str) -> None:
    rate = PiecewiseConstant([0.1, 0.2, 0.3], [2, 4])
    scheduler, update = fused(rate, backend=backend)
    update()
    rate.to("cpu")  # makes its tables anew
    for step in range(2, 6):
        update()
        assert rate_of(scheduler) == rate(step).item()


@pytest.mark.parametrize("backend", ["aot_eager", lambda graph, _: graph], ids=["opaque", "traced"])
def test_a_checkpoint_with_another_schedule_takes_effect(backend: Any) -> None:
    scheduler, update = fused(Constant(0.5), backend=backend)
    update()
    other, _ = fused(RATE)
    scheduler.load_state_dict(other.state_dict() | {"last_epoch": 3})
    assert rate_of(scheduler) == RATE(3).item()
    for step in range(4, 9):
        update()
        assert rate_of(scheduler) == RATE(step).item()


@COMPILED
def test_a_forced_precision_takes_effect_and_ends(backend: str) -> None:
    third = Linear(1.0, 0.0, 3)
    scheduler, update = fused(Linear(1.0, 0.0, 3), backend=backend)
    with precision("float32"):
        update()
        assert rate_of(scheduler) == third(1).item()
    scheduler.last_epoch = 0
    update()
    assert rate_of(scheduler) == third(1).item()


def test_a_tensor_field_is_read_in_every_step() -> None:
    peak = torch.tensor(1.0)
    scheduler, update = fused(Linear(0.0, peak, 4))
    counters.clear()
    for step in range(1, 4):
        peak.fill_(10.0 * step)
        update()
        assert rate_of(scheduler) == 10.0 * step * step / 4
    assert counters["stats"]["unique_graphs"] == 1


class Mutable(Schedule):
    """A schedule with a list in an attribute that is not a field."""

    factor: Scalar

    def prepare(self) -> None:
        self._held = [1.0]

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return ops.mul(ops.mul(ops.integer(step), self.factor), self._held[0])


def test_a_schedule_class_of_the_user_stays_guarded() -> None:
    rate = Mutable(0.5)
    scheduler, update = fused(rate)
    update()
    rate._held[0] = 3.0
    update()
    assert rate_of(scheduler) == 3.0


def test_a_function_stays_guarded() -> None:
    slopes = [1.0]
    scheduler, update = fused(Lambda(lambda step: step.double() * slopes[0]))
    update()
    slopes[0] = 5.0
    update()
    assert rate_of(scheduler) == 10.0


@pytest.mark.parametrize(
    "options",
    [
        {"backend": "inductor", "mode": "max-autotune-no-cudagraphs"},
        {"backend": "inductor", "mode": "default"},
        {"backend": "inductor", "options": {"max_autotune": False}},
        {"backend": "inductor", "dynamic": False},
    ],
    ids=["mode", "default mode", "options", "dynamic"],
)
def test_options_of_torch_compile_pass_through(options: dict[str, Any]) -> None:
    scheduler, update = fused(RATE, **options)
    for step in range(1, 4):
        update()
        assert rate_of(scheduler) == RATE(step).item()
    assert ".milestones" not in guards(update)


@pytest.mark.skipif(not _torch.filters_guards(), reason="torch before 2.9 filters no guards")
def test_a_guard_filter_of_the_user_is_applied() -> None:
    def keep(entries: Any) -> list[bool]:
        return [not entry.name.endswith("['momentum']") for entry in entries]

    _, update = fused(RATE, options={"guard_filter_fn": keep})
    update()
    text = guards(update)
    assert "['momentum']" not in text
    assert "['dampening']" in text


@pytest.mark.skipif(_torch.filters_guards(), reason="torch 2.9 and newer filter guards")
def test_a_guard_filter_is_refused_where_there_is_none() -> None:
    with pytest.raises(OptimizerError, match="no guard_filter_fn with torch"):
        fused(RATE, options={"guard_filter_fn": list})


def test_an_option_of_no_torch_is_refused_by_name() -> None:
    with pytest.raises(OptimizerError) as caught:
        fused(RATE, graph_breaks=3)
    assert str(caught.value) == (
        f"fuse(graph_breaks): given 3; allowed: an option that torch.compile of torch {torch.__version__} takes; "
        "to fix it: leave it out, or install a newer torch."
    )


def test_torch_refuses_a_mode_beside_options() -> None:
    with pytest.raises(RuntimeError, match="Either mode or options"):
        fused(RATE, backend="inductor", mode="max-autotune", options={"max_autotune": False})
