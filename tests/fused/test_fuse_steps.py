"""Whatever stands around `optimizer.step` keeps its effect under `fuse`, or is refused by name before anything moves."""

from __future__ import annotations

import copy
import gc
import threading
import time
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
import torch
from support.optimizers import Lion
from torch import Tensor, nn, optim
from torch._dynamo.utils import counters
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop, Rprop
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.optimizer import register_optimizer_step_post_hook

from tracelr import Assignment, Constant, Cosine, Linear, Scheduler, TrainStep, _torch, fuse
from tracelr.errors import OptimizerError, TracelrWarning

RATE = Linear(0.0, 1e-2, 4).then(Cosine(1e-2, 0.0, 8))  # from 0 to 0
Make = Callable[[list[nn.Parameter]], Any]
# Adam corrects its bias in float32 in a graph, in Python floats outside.
TOLERANCE = 1e-5
HAS_LIMIT = pytest.mark.skipif(
    "recompile_limit" not in _torch.compile_options(),
    reason="Dynamo's limit of 8 variants holds: torch.compile takes no other",
)
MUON = [optim.Muon] if hasattr(optim, "Muon") else []  # from torch 2.9 on


def weights(count: int = 2) -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(3, 4)) for _ in range(count)]


def give(parameters: list[nn.Parameter], step: int, some: set[int] | None = None) -> None:
    """Give gradients to those in `some`. A column of 0 is a weight that nothing ever moves."""
    draw = torch.Generator().manual_seed(step)
    for k, parameter in enumerate(parameters):
        gradient = torch.randn(parameter.shape, generator=draw).to(parameter.dtype)
        gradient[:, 0] = 0.0
        parameter.grad = gradient if some is None or k in some else None


def fused(make: Make, **options: Any) -> tuple[list[nn.Parameter], Any, Scheduler, Any]:
    parameters = weights()
    optimizer = make(parameters)
    scheduler = Scheduler(optimizer, lr=RATE)
    return parameters, optimizer, scheduler, fuse(optimizer, scheduler, **{"backend": "aot_eager", **options})


class Pair:
    """The same training twice: fused, and as the plain loop."""

    def __init__(self, make: Make, plain: Make | None = None, count: int = 2, **options: Any) -> None:
        self.ours, self.theirs = weights(count), weights(count)
        self.optimizer, self.other = make(self.ours), (plain or make)(self.theirs)
        self.scheduler, self.beside = Scheduler(self.optimizer, lr=RATE), Scheduler(self.other, lr=RATE)
        self.update = fuse(self.optimizer, self.scheduler, **{"backend": "aot_eager", **options})

    def train(self, steps: range, some: Callable[[int], set[int] | None] = lambda _: None) -> None:
        for step in steps:
            for parameters in (self.ours, self.theirs):
                give(parameters, step, some(step))
            self.update()
            self.other.step()
            self.beside.step()

    def assert_same(self, tolerance: float = TOLERANCE) -> None:
        assert self.scheduler.last_epoch == self.beside.last_epoch
        for ours, theirs in zip(self.ours, self.theirs, strict=True):
            assert torch.isfinite(ours).all()
            assert (ours - theirs).abs().max() <= tolerance


# -- a step that was replaced -----------------------------------------------------------------------------------------------


def clipping(step: Any, parameters: list[nn.Parameter], calls: list[int]) -> Any:
    def clipped(closure: Any = None) -> Any:
        calls.append(1)
        nn.utils.clip_grad_norm_(parameters, 0.1)
        return step(closure)

    return clipped


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "wraps"])
def test_a_step_that_was_replaced_before_is_refused(wrapped: bool) -> None:
    parameters = weights()
    optimizer = SGD(parameters, lr=0.1)
    patch = clipping(optimizer.step, parameters, [])
    optimizer.step = wraps(optimizer.step)(patch) if wrapped else patch
    with pytest.raises(OptimizerError) as caught:
        fuse(optimizer, Scheduler(optimizer, lr=RATE))
    assert "SGD with step replaced by " in str(caught.value)
    assert "; allowed: the step of its class, because a compiled step would leave the replacement out; " in str(caught.value)


def test_a_step_that_is_replaced_later_is_refused_at_the_next_call() -> None:
    parameters, optimizer, scheduler, update = fused(SGD)
    give(parameters, 0)
    update()
    before = [parameter.detach().clone() for parameter in parameters]
    optimizer.step = clipping(optimizer.step, parameters, [])
    for _ in range(2):
        with pytest.raises(OptimizerError, match=r"SGD with step replaced by clipping\.<locals>\.clipped"):
            update()
    assert scheduler.last_epoch == 1
    assert all(torch.equal(a, b) for a, b in zip(parameters, before, strict=True))
    del optimizer.step
    update()
    assert scheduler.last_epoch == 2


def test_the_step_of_a_class_that_is_replaced_later_is_refused() -> None:
    class Own(SGD):
        pass

    parameters, _, scheduler, update = fused(Own)
    give(parameters, 0)
    update()
    Own.step = lambda self, closure=None: None  # type: ignore[method-assign]
    with pytest.raises(OptimizerError, match="Own with step replaced by"):
        update()
    assert scheduler.last_epoch == 1


def test_a_fused_step_in_the_place_of_the_step_may_be_replaced_in_turn() -> None:
    calls: list[int] = []
    pair = Pair(AdamW)
    pair.optimizer.step = pair.update
    pair.optimizer.step = clipping(pair.optimizer.step, pair.ours, calls)
    pair.other.step = clipping(pair.other.step, pair.theirs, [])
    pair.update = pair.optimizer.step
    pair.train(range(6))
    pair.assert_same()
    assert len(calls) == 6


def test_torchs_schedulers_may_patch_the_step_before_and_after() -> None:
    parameters = weights()
    optimizer = SGD(parameters, lr=0.1)
    LambdaLR(optimizer, lambda _: 1.0)
    scheduler = Scheduler(optimizer, weight_decay=Linear(0.0, 0.1, 10))
    optimizer.step = fuse(optimizer, scheduler, backend="aot_eager")  # type: ignore[method-assign]
    torchs = LambdaLR(optimizer, lambda _: 1.0)
    give(parameters, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            optimizer.step()
            torchs.step()
    assert scheduler.last_epoch == 3


def test_fusing_again_is_no_replacement() -> None:
    parameters, optimizer, scheduler, update = fused(SGD)
    optimizer.step = update
    optimizer.step = fuse(optimizer, scheduler, backend="aot_eager")
    give(parameters, 0)
    optimizer.step()
    assert scheduler.last_epoch == 1


# -- hooks, subclasses, wrappers --------------------------------------------------------------------------------------------


def test_hooks_run_whenever_they_were_registered() -> None:
    parameters = weights()
    optimizer = AdamW(parameters)
    scheduler = Scheduler(optimizer, lr=RATE)
    log: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: log.append(f"before {scheduler.last_epoch}"))
    update = fuse(optimizer, scheduler, backend="aot_eager")
    optimizer.register_step_post_hook(lambda *_: log.append(f"after {scheduler.last_epoch}"))
    everywhere = register_optimizer_step_post_hook(lambda *_: log.append("everywhere"))
    give(parameters, 0)
    try:
        update()
    finally:
        everywhere.remove()
    update()
    assert log == ["before 0", "after 1", "everywhere", "before 1", "after 2"]


def test_a_whole_training_step_refuses_hooks_and_patches_at_any_time() -> None:
    model = nn.Linear(2, 1)
    optimizer = SGD(model.parameters(), lr=0.1)
    step = TrainStep(model, nn.functional.mse_loss, optimizer, Scheduler(optimizer, lr=Constant(0.1)), backend="aot_eager")
    batch = torch.ones(4, 2), torch.ones(4, 1)
    step(*batch)
    hook = optimizer.register_step_post_hook(lambda *_: None)
    before = model.weight.detach().clone()
    with pytest.raises(OptimizerError, match="given 1 step hooks"):
        step(*batch)
    with pytest.raises(OptimizerError, match="given 1 step hooks"):
        TrainStep(model, nn.functional.mse_loss, optimizer, Scheduler(optimizer, weight_decay=Constant(0.1)))
    hook.remove()
    optimizer.step = lambda closure=None: None  # type: ignore[method-assign]
    with pytest.raises(OptimizerError, match="SGD with step replaced by"):
        step(*batch)
    assert torch.equal(model.weight, before)


class Centralised(AdamW):
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad.sub_(parameter.grad.mean())
        return super().step(closure)


class Shrinking(Centralised):
    """Two classes above its own define a step."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(0.9)
        return loss


@pytest.mark.parametrize(("kind", "backend"), [(Centralised, "inductor"), (Shrinking, "aot_eager")])
def test_a_step_that_calls_that_of_its_base_class(kind: Any, backend: str) -> None:
    counters.clear()
    pair = Pair(kind, backend=backend)
    pair.train(range(8))
    pair.assert_same()
    assert counters["stats"]["unique_graphs"] == 1


def test_a_decorator_of_the_user_is_not_taken_off() -> None:
    def doubling(step: Any) -> Any:
        @wraps(step)
        def doubled(self: Any, closure: Any = None) -> Any:
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.grad.mul_(2.0)
            return step(self, closure)

        return doubled

    class Own(Lion):
        step = doubling(Lion.step)

    pair = Pair(Own)
    pair.train(range(6))
    pair.assert_same()
    assert not torch.equal(pair.ours[0], weights()[0])


class Wrapper(Optimizer):
    """What wrappers have in common: they hold another optimizer, and its groups."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.defaults, self.state = optimizer, optimizer.defaults, optimizer.state
        self._optimizer_load_state_dict_post_hooks = OrderedDict()
        self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks = OrderedDict(), OrderedDict()

    @property
    def param_groups(self) -> Any:  # type: ignore[override]
        return self.optimizer.param_groups


class Lookahead(Wrapper):
    """Lookahead (Zhang et al. 2019) with k = 3 and alpha = 0.5."""

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__(optimizer)
        self.updates = 0
        self.slow = [p.detach().clone() for group in self.param_groups for p in group["params"]]

    def step(self, closure: Any = None) -> Any:
        loss = self.optimizer.step(closure)
        self.updates += 1
        if self.updates % 3 == 0:
            with torch.no_grad():
                for slow, p in zip(self.slow, self.param_groups[0]["params"], strict=True):
                    p.copy_(slow.lerp_(p, 0.5))
        return loss


class Sharp(Wrapper):
    """SAM (Foret et al. 2021), which evaluates the model twice."""

    def step(self, closure: Any = None) -> Any:
        assert closure is not None
        closure()
        offsets = [(p, 0.05 * p.grad) for group in self.param_groups for p in group["params"]]
        with torch.no_grad():
            for p, offset in offsets:
                p.add_(offset)
        loss = closure()
        with torch.no_grad():
            for p, offset in offsets:
                p.sub_(offset)
        self.optimizer.step()
        return loss


class SharpSGD(SGD):
    """SAM in the step of one optimizer."""

    step = Sharp.step  # type: ignore[assignment]

    @property
    def optimizer(self) -> Any:
        return super()


def closure_of(optimizer: Any, parameters: list[nn.Parameter]) -> Callable[[], Tensor]:
    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = torch.stack([(p.square() + p.sin()).sum() for p in parameters]).sum()
        loss.backward()
        return loss.detach()

    return closure


@pytest.mark.parametrize(
    ("make", "warns"),
    [
        (AdamW, False),
        (lambda p: Lookahead(AdamW(p)), False),
        (lambda p: Sharp(SGD(p, momentum=0.9)), False),
        (lambda p: SharpSGD(p, momentum=0.9), True),
    ],
    ids=["AdamW", "Lookahead", "SAM", "SAM as one optimizer"],
)
def test_a_closure_has_the_effect_that_it_has_in_the_plain_loop(make: Make, warns: bool) -> None:
    pair = Pair(make)
    ours, theirs = closure_of(pair.optimizer, pair.ours), closure_of(pair.other, pair.theirs)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TracelrWarning)
        for _ in range(7):
            loss = pair.update(ours)
            assert loss is not None
            assert torch.allclose(loss, pair.other.step(theirs), rtol=1e-5)
            pair.beside.step()
    pair.assert_same()
    said = [str(one.message) for one in caught if one.category is TracelrWarning]
    text = "tracelr: SharpSGD calls its closure inside its update, so updates with a closure run uncompiled"
    assert said == ([text] if warns else [])


def test_a_wrapper_that_is_called_itself_takes_one_fused_step() -> None:
    parameters, optimizer, scheduler, update = fused(lambda p: Lookahead(AdamW(p)))
    give(parameters, 0)
    optimizer.step()
    update()
    optimizer.step = update
    optimizer.step()
    assert (scheduler.last_epoch, optimizer.updates) == (3, 3)


def test_a_wrapper_that_holds_the_step_of_the_optimizer_inside_is_refused() -> None:
    wrapper = Wrapper(AdamW(weights()))
    wrapper.kept = wrapper.optimizer.step
    with pytest.raises(OptimizerError, match="Wrapper, which holds the step of the optimizer inside"):
        fuse(wrapper, Scheduler(wrapper, lr=RATE))
    assert "step" not in vars(wrapper.optimizer)


# -- what no graph can hold -------------------------------------------------------------------------------------------------


def test_differentiable_is_refused_also_when_a_checkpoint_brings_it() -> None:
    with pytest.raises(OptimizerError, match="differentiable=True"):
        fused(lambda p: AdamW(p, differentiable=True))
    parameters, optimizer, scheduler, update = fused(AdamW)
    state = optimizer.state_dict()
    state["param_groups"][0]["differentiable"] = True
    optimizer.load_state_dict(state)
    give(parameters, 0)
    with pytest.raises(OptimizerError, match="differentiable=True"):
        update()
    assert scheduler.last_epoch == 0


def test_graph_breaks_cannot_be_allowed() -> None:
    fused(AdamW, fullgraph=True)
    with pytest.raises(OptimizerError) as caught:
        fused(AdamW, fullgraph=False)
    assert str(caught.value) == (
        "fuse(fullgraph): given False; allowed: True, because the step is one graph; to fix it: leave it out."
    )


def test_a_step_that_dynamo_does_not_trace_runs_uncompiled_and_says_so() -> None:
    class Breaking(AdamW):
        def step(self, closure: Any = None) -> Any:
            return AdamW.step(self, closure)  # the decorated one

    parameters, _, scheduler, update = fused(Breaking)
    give(parameters, 0)
    update()  # uncompiled, to see whether it changes numbers
    with pytest.warns(TracelrWarning, match="goes on uncompiled, because Dynamo cannot trace this update"):
        update()
    update()
    assert scheduler.last_epoch == 3


class Counting(Optimizer):
    """An optimizer from outside torch, which counts in a Python number."""

    def __init__(self, params: Any, lr: Any = 1e-3) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["step"], state["mean"] = 0, torch.zeros_like(p)
                state["step"] += 1
                state["mean"].lerp_(p.grad, 0.1)
                p.sub_(group["lr"] / (1 - 0.9 ** state["step"]) * state["mean"])


def test_a_number_that_changes_in_every_update_is_named_once() -> None:
    counters.clear()
    pair = Pair(Counting)
    with pytest.warns(TracelrWarning) as caught:
        pair.train(range(12))
    pair.assert_same(2**-22)  # its rate is a float32, that of the loop a Python float
    assert [str(one.message) for one in caught] == [
        "tracelr: the fused step goes on uncompiled, because Counting changes state 'step', a Python number, in every update, "
        "and Dynamo would compile each of them: keep it in a tensor"
    ]
    assert counters["stats"]["unique_graphs"] == 0


@HAS_LIMIT
def test_more_sets_of_gradients_than_dynamo_keeps_variants() -> None:
    pair = Pair(SGD, count=10)
    pair.train(range(12), lambda step: set(range(step + 1)))  # one layer after the other is unfrozen
    pair.assert_same()


@HAS_LIMIT
def test_the_limit_of_dynamo_never_ends_a_run() -> None:
    pair = Pair(AdamW, count=4, recompile_limit=2)
    with pytest.warns(TracelrWarning) as caught:
        pair.train(range(12), lambda step: {step % 4, (step + 1) % 4})
    pair.assert_same()
    assert len(caught) == 1
    assert "the gradients that are None have changed too often" in str(caught[0].message)


@pytest.mark.parametrize("kind", [SGD, Adam, RMSprop, Rprop, *MUON, Lion])
def test_without_a_compiler_it_is_the_plain_loop(kind: Any) -> None:
    torch.compiler.set_stance("force_eager")
    try:
        pair = Pair(kind)
        pair.train(range(12))
    finally:
        torch.compiler.set_stance("default")
    pair.assert_same(2**-22)  # its rate is a float32, that of the loop a Python float


def test_torch_compile_disable_is_the_plain_loop() -> None:
    with torch._dynamo.config.patch(disable=True):  # what TORCH_COMPILE_DISABLE=1 sets
        pair = Pair(AdamW)
        pair.train(range(12))
    pair.assert_same(2**-22)  # its rate is a float32, that of the loop a Python float


# -- numbers and flags ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rate",
    [
        0.0,
        torch.tensor(0.0),
        pytest.param(0.1, marks=pytest.mark.slow),
        pytest.param(torch.tensor(0.1), marks=pytest.mark.slow),
    ],
    ids=["0", "tensor 0", "0.1", "tensor"],
)
def test_a_group_without_a_scheduled_rate(rate: Any) -> None:
    first, second = weights(), weights()
    optimizers = [
        AdamW([{"params": p[:1], "tags": "a"}, {"params": p[1:], "tags": "b", "lr": float(rate)}]) for p in (first, second)
    ]
    if isinstance(rate, Tensor):
        optimizers[0].param_groups[1]["lr"] = rate.clone()
    schedulers = [Scheduler(one, [Assignment("lr", ("a",), RATE)]) for one in optimizers]
    update = fuse(optimizers[0], schedulers[0], backend="aot_eager")
    for step in range(5):
        give(first, step)
        give(second, step)
        update()
        optimizers[1].step()
        schedulers[1].step()
    assert all((a - b).abs().max() < TOLERANCE for a, b in zip(first, second, strict=True))
    assert float(optimizers[0].param_groups[1]["lr"]) == float(rate)


class Dividing(Lion):
    """An optimizer that divides by the square of its rate, as schedule-free ones do."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if "sum" not in state:
                    state["sum"] = torch.zeros(())
                square = group["lr"] ** 2
                state["sum"].add_(square)
                p.sub_(group["lr"] * p.grad * (square / state["sum"]))


def test_an_optimizer_that_divides_by_the_rate_survives_a_rate_of_0() -> None:
    parameters, *_, update = fused(Dividing)
    for step in range(14):
        give(parameters, step)
        update()
        assert all(torch.isfinite(parameter).all() for parameter in parameters)


class Catching(Lion):
    """An optimizer whose first steps have no rate, whatever the schedule says, as schedulefree's RAdamScheduleFree has."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            rate = group["lr"] * 0.0
            try:
                part = rate / (group.setdefault("sum", 0.0) + rate)
            except ZeroDivisionError:
                part = 0.0
            for p in group["params"]:
                p.sub_(part * p.grad)


class Derived(Catching):
    def step(self, closure: Any = None) -> None:
        super().step(closure)


class WithHelper(Lion):
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            self.part(group)

    def part(self, group: dict[str, Any]) -> float:
        try:
            return float(group["lr"] / 0.0)
        except ZeroDivisionError:
            return 0.0


@pytest.mark.parametrize("kind", [Catching, Derived, WithHelper])
@pytest.mark.parametrize("make", [fuse, lambda o, s: TrainStep(nn.Linear(2, 1), nn.functional.mse_loss, o, s)])
def test_an_update_that_expects_a_division_by_0_of_python_is_refused(make: Any, kind: type[Lion]) -> None:
    optimizer = kind([nn.Parameter(torch.zeros(2))])
    scheduler = Scheduler(optimizer, lr=RATE)
    with pytest.raises(OptimizerError, match=f"given {kind.__name__}, which catches a ZeroDivisionError"):
        make(optimizer, scheduler)
    assert isinstance(optimizer.param_groups[0]["lr"], float)


def test_an_update_that_fails_leaves_the_rates_alone() -> None:
    parameters, optimizer, scheduler, update = fused(lambda p: SharpSGD(p, momentum=0.9))
    give(parameters, 0)
    with pytest.raises(AssertionError):
        update()  # without its closure
    assert float(optimizer.param_groups[0]["lr"]) == RATE(0).item()
    assert scheduler.last_epoch == 0


def test_a_rate_of_0_changes_no_weight_of_0_where_nothing_divides() -> None:
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.ones(2)
    optimizer = SGD([weight], lr=0.1)
    fuse(optimizer, Scheduler(optimizer, lr=RATE), backend="aot_eager")()
    assert weight.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("flag", "by"),
    [
        ("fused", "a checkpoint"),
        ("maximize", "a checkpoint"),
        ("foreach", "hand"),
        *(
            pytest.param(flag, by, marks=pytest.mark.slow)
            for flag, by in [
                ("foreach", "a checkpoint"),
                ("capturable", "a checkpoint"),
                ("fused", "hand"),
                ("maximize", "hand"),
            ]
        ),
    ],
)
def test_a_flag_that_comes_later(flag: str, by: str) -> None:
    pair = Pair(AdamW)
    pair.train(range(2))
    for optimizer in (pair.optimizer, pair.other):
        if optimizer is pair.optimizer or flag == "maximize":
            state = copy.deepcopy(optimizer.state_dict())
            for group in state["param_groups"] if by == "a checkpoint" else optimizer.param_groups:
                group[flag] = True
            if by == "a checkpoint":
                optimizer.load_state_dict(state)
    pair.train(range(2, 5))
    pair.assert_same()


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, *(pytest.param(d, marks=pytest.mark.slow) for d in (torch.float16, torch.float64))]
)
@pytest.mark.parametrize(
    "make", [lambda p: SGD(p, lr=0.1), lambda p: AdamW(p, eps=1e-4), Lion], ids=["SGD", "AdamW", "Lion"]
)
def test_weights_of_another_type(make: Make, dtype: torch.dtype) -> None:
    def converted(parameters: list[nn.Parameter]) -> Any:
        for parameter in parameters:
            parameter.data = parameter.data.to(dtype)
        return make(parameters)

    pair = Pair(converted)
    pair.train(range(8))
    # one unit in the last place of a weight of 2; the bias correction is in float32
    pair.assert_same(max(2 * torch.finfo(dtype).eps, 1e-6))


# -- mixed precision --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "backend"),
    [
        (AdamW, "aot_eager"),
        (AdamW, "inductor"),
        (Rprop, "aot_eager"),
        (SGD, "aot_eager"),
        (lambda p: SGD(p, momentum=0.9), "aot_eager"),
        (Lion, "aot_eager"),
        (Counting, "aot_eager"),
    ],
    ids=["AdamW", "AdamW-inductor", "Rprop", "SGD", "momentum", "Lion", "Counting"],
)
def test_a_skipped_update_moves_nothing(make: Make, backend: str) -> None:
    if make is Counting:
        warnings.simplefilter("ignore", TracelrWarning)
    counters.clear()
    pair = Pair(make, backend=backend)
    for step in range(14):
        bad = step in (0, 1, 5, 6, 10)
        for parameters in (pair.ours, pair.theirs):
            give(parameters, step)
        if bad:
            pair.ours[0].grad[0, 0] = float("inf")  # type: ignore[index]
            before = [p.detach().clone() for p in pair.ours], copy.deepcopy(pair.optimizer.state_dict())
        pair.update(found_inf=torch.tensor(float(bad)))
        if bad:
            assert all(torch.equal(a, b) for a, b in zip(pair.ours, before[0], strict=True))
            torch.testing.assert_close(pair.optimizer.state_dict(), before[1], rtol=0, atol=0)
        else:
            pair.other.step()
            pair.beside.step()
    pair.assert_same()
    assert counters["stats"]["unique_graphs"] == (0 if make is Counting else 1)


def test_a_skip_is_decided_in_the_graph() -> None:
    seen: list[str] = []

    def backend(graph: torch.fx.GraphModule, _: Any) -> Any:
        seen.extend(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    parameters, _, scheduler, update = fused(lambda p: SGD(p, lr=0.1), backend=backend)
    give(parameters, 0)
    for bad in (0.0, 1.0, 0.0):
        update(found_inf=torch.tensor([bad]))
    assert scheduler.last_epoch == 2
    assert any("where" in target for target in seen)
    assert not any("item" in target or "scalar" in target for target in seen)


@pytest.mark.parametrize("kernels", [False, True], ids=["plain", "fused=True"])
def test_a_gradient_scaler_skips_a_fused_step(kernels: bool) -> None:
    pair = Pair(lambda p: AdamW(p, fused=kernels), AdamW)
    pair.optimizer.step = pair.update
    scalers = [torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=3) for _ in range(2)]
    for step in range(8):
        for parameters, optimizer, scaler in zip(
            (pair.ours, pair.theirs), (pair.optimizer, pair.other), scalers, strict=True
        ):
            optimizer.zero_grad()
            loss = torch.stack([parameter.square().sum() for parameter in parameters]).sum()
            scaler.scale(loss * (float("inf") if step in (0, 3) else 1.0)).backward()
            scaler.step(optimizer)
            scaler.update()
        if step not in (0, 3):
            pair.beside.step()
    pair.assert_same()
    assert pair.scheduler.last_epoch == 6


# -- copies and threads -----------------------------------------------------------------------------------------------------


def test_a_copy_drives_the_copies() -> None:
    parameters, optimizer, scheduler, update = fused(AdamW)
    give(parameters, 0)
    update()
    copies, other, beside, again = copy.deepcopy((parameters, optimizer, scheduler, update))
    before = [parameter.detach().clone() for parameter in parameters]
    for step in range(1, 4):
        give(copies, step)
        again()
    assert (scheduler.last_epoch, beside.last_epoch) == (1, 4)
    assert float(other.param_groups[0]["lr"]) == RATE(4).item()
    assert all(torch.equal(a, b) for a, b in zip(parameters, before, strict=True))
    assert not torch.equal(copies[0], parameters[0])


def test_another_thread_may_compile() -> None:
    begun = threading.Event()

    def slow(graph: torch.fx.GraphModule, _: Any) -> Any:
        begun.set()
        time.sleep(0.5)
        return graph.forward

    pair = Pair(AdamW)
    pair.train(range(2))
    other = threading.Thread(target=lambda: torch.compile(lambda x: x.sin() + 1, backend=slow)(torch.ones(3)))
    other.start()
    begun.wait()
    for step in range(2, 5):
        give(pair.ours, step)
        pair.update()
    other.join()
    assert pair.scheduler.last_epoch == 5


def test_an_optimizer_does_not_keep_its_fused_steps() -> None:
    _, optimizer, _, update = fused(SGD)
    held = len(optimizer._optimizer_load_state_dict_post_hooks)
    kept = weakref.ref(update)
    del update
    gc.collect()
    assert kept() is None
    assert len(optimizer._optimizer_load_state_dict_post_hooks) < held
