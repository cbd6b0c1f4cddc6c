"""What a model may do: TrainStep has the weights of the plain loop, or refuses by name before anything moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn, optim
from torch._dynamo.utils import counters
from torch.distributed.fsdp import fully_shard
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.modules.module import register_module_forward_hook, register_module_full_backward_hook
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from tracelr import Linear, Schedule, Scheduler, TrainStep
from tracelr.errors import OptimizerError, TraceError, TracelrError

RATE = Linear(0.1, 0.05, 10)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Any:
        return self.b(torch.tanh(self.a(x)))


def sgd(parameters: Any) -> optim.Optimizer:
    return optim.SGD(parameters, lr=0.1, weight_decay=0.1)


def momentum(parameters: Any) -> optim.Optimizer:
    # The momentum and the decay move a weight whose gradient is 0, and leave one alone whose gradient is None.
    return optim.SGD(parameters, lr=0.1, weight_decay=0.1, momentum=0.9)


def batch(step: int) -> tuple[Any, ...]:
    return torch.randn(8, 4), torch.randn(8, 2)


@dataclass
class Run:
    """A training run: `change` is called before each of the `steps`, and each step runs inside `around`."""

    model: nn.Module = field(default_factory=Net)
    loss_fn: Any = mse_loss
    parameters: Any = None
    optimizer: Callable[[Any], optim.Optimizer] = sgd
    batch: Callable[[int], tuple[Any, ...]] = batch
    change: Callable[[Run, int], object] = lambda run, step: None
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    clip: float | Schedule | None = None
    steps: int = 4
    tolerance: float = 5e-7
    """Some roundings of float32 weights near 1: torch rounds `alpha` of a decay once less than a graph does."""


def trained(make: Callable[[], Run], backend: str | None) -> dict[str, Tensor]:
    """Return all parameters and buffers after the run, and the losses; without a backend from the plain loop."""
    torch.manual_seed(0)
    run = make()
    held = run.parameters or [
        *run.model.parameters(),
        *(run.loss_fn.parameters() if isinstance(run.loss_fn, nn.Module) else []),
    ]
    optimizer = run.optimizer(held)
    run.parameters = optimizer.param_groups[0]
    scheduler = Scheduler(optimizer, lr=RATE)
    train_step = None
    if backend is not None:
        train_step = TrainStep(run.model, run.loss_fn, optimizer, scheduler, clip=run.clip, backend=backend)
    losses = []
    for step in range(run.steps):
        run.change(run, step)
        torch.manual_seed(step)
        x, *targets = run.batch(step)
        if train_step is not None:
            with run.around():
                loss = train_step(x, *targets)
            assert loss.grad_fn is None
            assert loss.ndim == 0
        else:
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16) if run.around is bfloat16 else nullcontext():
                loss = run.loss_fn(run.model(x), *targets)
            loss.backward()
            if run.clip is not None:
                limit = run.clip if isinstance(run.clip, float) else run.clip(step).item()
                nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], limit)
            optimizer.step()
            scheduler.step()
        losses.append(loss.item())
    assert scheduler.last_epoch == run.steps
    modules = [one for one in (run.model, run.loss_fn) if isinstance(one, nn.Module)]
    named = [pair for one in modules for pair in [*one.named_parameters(), *one.named_buffers()]]
    return {"losses": torch.tensor(losses), **{name: tensor.detach().clone() for name, tensor in named}}


# -- kinds that are equal ---------------------------------------------------------------------------------------------------

EQUAL: dict[str, Callable[[], Run]] = {}


def equal(make: Callable[[], Run]) -> Callable[[], Run]:
    EQUAL[make.__name__] = make
    return make


def equal_from_2_13(make: Callable[[], Run]) -> Callable[[], Run]:
    """Torch 2.6 and 2.8 trace no hook of an activation."""
    return equal(make) if torch.__version__ >= (2, 13) else make


class Buffers(Net):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        for name in ("assigned", "in_place"):
            self.register_buffer(name, torch.zeros(4))
        self.register_buffer("counted", torch.zeros((), dtype=torch.long))
        self.register_buffer("temporary", torch.zeros(4), persistent=False)
        self.register_buffer("late", None)

    def forward(self, x: Tensor) -> Any:
        self.assigned = 0.9 * self.assigned + 0.1 * x.mean(0)
        self.counted = self.counted + 1
        self.in_place.mul_(0.5).add_(x.mean(0))
        self.temporary += x.sum(0)
        self.late = x.sum(0) if self.late is None else self.late + x.sum(0)
        features = self.a(self.norm(x) - self.assigned)
        self.features = features.detach()
        return self.b(torch.tanh(features) + self.in_place)


@equal
def buffers_and_attributes() -> Run:
    return Run(Buffers())


@equal
def evaluation_later() -> Run:
    return Run(Buffers(), change=lambda run, step: run.model.train(step < 2))


class Cube(torch.autograd.Function):
    """The cube, with half its derivative, so that an inlined formula would be found out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Tensor:
        return given[0] * 1.5 * ctx.saved_tensors[0] ** 2


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.out = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)
        self.out.weight = self.embedding.weight
        self.normed, self.unused = parametrizations.weight_norm(nn.Linear(4, 4)), nn.Linear(3, 3)
        self.spectral = parametrizations.spectral_norm(nn.Linear(4, 4))
        self.hooked = nn.Linear(4, 4)
        self.hooked.register_forward_hook(lambda module, inputs, output: 2 * output)

    def forward(self, x: Tensor) -> Any:
        x = checkpoint(lambda h: torch.tanh(self.normed(h)), self.embedding(x), use_reentrant=False)
        x = self.hooked(Cube.apply(self.spectral(x)))
        x.register_hook(lambda gradient: 0.5 * gradient)
        return {"logits": self.out(x), "more": (x.square().mean(),)}


class Temperature(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, output: Any, y: Tensor) -> Any:
        self.calls = self.calls + 1
        return cross_entropy(output["logits"] * self.scale, y) + output["more"][0]


@equal_from_2_13
def tied_unused_parametrized_hooked() -> Run:
    def tokens(step: int) -> tuple[Any, ...]:
        return torch.randint(0, 10, (8,)), torch.randint(0, 10, (8,))

    return Run(Parts(), Temperature(), optimizer=momentum, batch=tokens)


@equal
def compiled_already() -> Run:
    model = Net()
    model.a = torch.compile(model.a, backend="aot_eager")
    model.b.compile(backend="aot_eager")
    return Run(torch.compile(model, backend="aot_eager"))


@equal
def compiled_in_place() -> Run:
    model = Net()
    model.compile(backend="aot_eager")
    return Run(model)


@equal
def frozen_and_unfrozen() -> Run:
    return Run(change=lambda run, step: run.model.a.requires_grad_(step not in (2, 3)), steps=6, optimizer=momentum)


class Experts(Net):
    def __init__(self) -> None:
        super().__init__()
        self.c, self.other = nn.Linear(4, 2), False

    def forward(self, x: Tensor) -> Any:
        return (self.c if self.other else self.b)(torch.tanh(self.a(x)))


@equal
def experts() -> Run:
    return Run(Experts(), change=lambda run, step: setattr(run.model, "other", step % 2 == 1), optimizer=momentum, steps=6)


@equal
def head_replaced() -> Run:
    def replace(run: Run, step: int) -> None:
        if step == 2:
            run.model.b = nn.Linear(4, 2)
            run.parameters["params"] = list(run.model.parameters())
            run.model.b.weight.grad = torch.ones_like(run.model.b.weight)

    return Run(change=replace, optimizer=momentum)


@equal
def loaded_swapped_and_converted() -> Run:
    def change(run: Run, step: int) -> None:
        if step == 1:
            run.model.load_state_dict({name: 2 * tensor for name, tensor in run.model.state_dict().items()})
        if step == 2:
            run.model.a.weight.data = -run.model.a.weight.data
        if step == 3:
            run.model.double()

    def converted(step: int) -> tuple[Any, ...]:
        return tuple(tensor.to(torch.float64 if step >= 3 else torch.float32) for tensor in batch(step))

    return Run(change=change, batch=converted, steps=5)


@equal
def layer_without_parameters_replaced() -> Run:
    def replace(run: Run, step: int) -> None:
        run.model[1] = nn.Tanh() if step < 2 else nn.ReLU()  # type: ignore[index]

    return Run(nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)), change=replace)


@equal
def head_alone() -> Run:
    model = Net()
    return Run(model, parameters=list(model.b.parameters()), clip=0.1)


@equal
def first_layer_alone() -> Run:
    model = Net()
    return Run(model, parameters=list(model.a.parameters()), clip=0.1)


@equal
def parameter_of_a_loss_function() -> Run:
    model, scale = Net(), nn.Parameter(torch.ones(()))
    model.register_buffer("seen", scale.data)
    return Run(model, lambda output, y: mse_loss(scale * output, y), parameters=[*model.parameters(), scale])


@equal
def gradients_that_exist() -> Run:
    def give(run: Run, step: int) -> None:
        for parameter in run.model.parameters() if step != 1 else ():
            parameter.grad = torch.full_like(parameter, 7.0)
        run.model(torch.ones(3, 4)).sum().backward()

    return Run(change=give)


@equal
def clipped_by_a_schedule() -> Run:
    return Run(clip=Linear(0.5, 0.05, 4))


@equal
def small_last_batch_under_dropout() -> Run:
    def last_is_small(step: int) -> tuple[Any, ...]:
        return tuple(tensor[: 5 if step == 3 else None] for tensor in batch(step))

    return Run(nn.Sequential(nn.Linear(4, 8), nn.Dropout(), nn.Linear(8, 2)), batch=last_is_small, steps=5)


def bfloat16() -> AbstractContextManager[Any]:
    return torch.autocast("cpu", torch.bfloat16)


@equal
def autocast_around() -> Run:
    # both cast at the same places; a weight near 1 gets steps of 0.1 times a gradient that has 8 bits
    return Run(around=bfloat16, tolerance=2e-3)


@equal
def no_grad_around() -> Run:
    return Run(around=torch.no_grad)


@equal
def half_precision() -> Run:
    # The rounding of bfloat16 near 1, once at each of 4 steps
    return Run(
        Net().bfloat16(), batch=lambda step: tuple(tensor.bfloat16() for tensor in batch(step)), tolerance=4 * 2.0**-8
    )


class Complex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 2, dtype=torch.complex64))

    def forward(self, x: Tensor) -> Any:
        return (x.to(torch.complex64) @ self.weight).abs()


@equal
def complex_parameters() -> Run:
    return Run(Complex(), clip=0.5)


@equal
def hooks_added_and_removed() -> Run:
    handles: list[Any] = []

    def double(module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        return 2 * output if isinstance(module, nn.Linear) else None

    def change(run: Run, step: int) -> None:
        if step == 1:
            handles.append(run.model.a.register_forward_hook(double))
        if step == 2:
            handles.append(register_module_forward_hook(double))
        if step in (3, 4):
            handles.pop(0).remove()

    return Run(change=change, steps=6)


SLOW = {
    "evaluation_later",
    "compiled_in_place",
    "first_layer_alone",
    "no_grad_around",
    "half_precision",
    "complex_parameters",
}
"""Those that the quick tests leave out, because others go most of their way."""


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.slow if kind in SLOW else ()) for kind in EQUAL])
def test_a_step_has_the_weights_of_the_plain_loop(kind: str) -> None:
    compare(EQUAL[kind], "aot_eager")


ON_INDUCTOR = ["buffers_and_attributes", "frozen_and_unfrozen"]


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in ON_INDUCTOR[:1] else pytest.mark.slow) for kind in ON_INDUCTOR]
)
def test_so_it_has_under_inductor(kind: str) -> None:
    compare(EQUAL[kind], "inductor")


def compare(make: Callable[[], Run], backend: str) -> None:
    torch._dynamo.reset()
    counters.clear()
    want, got = trained(make, None), trained(make, backend)
    assert sum(counters["graph_break"].values()) == 0
    assert want.keys() == got.keys()
    for name, tensor in want.items():
        assert tensor.dtype == got[name].dtype
        assert (tensor - got[name]).abs().max() <= make().tolerance, name


def test_a_frozen_layer_that_is_unfrozen_again_compiles_nothing_new() -> None:
    model = Net()
    optimizer = momentum(model.parameters())
    step = TrainStep(model, mse_loss, optimizer, Scheduler(optimizer, lr=RATE), backend="aot_eager")
    for frozen in (False, False, True, True):
        model.a.requires_grad_(not frozen)
        step(*batch(0))
    with torch._dynamo.config.patch(error_on_recompile=True):
        for frozen in (False, True, False):
            model.a.requires_grad_(not frozen)
            step(*batch(0))


# -- kinds that are refused -------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Callable[[], Run], type[TracelrError], str]] = {}


def refused(words: str, error: type[TracelrError] = TraceError) -> Callable[[Callable[[], Run]], Callable[[], Run]]:
    def keep(make: Callable[[], Run]) -> Callable[[], Run]:
        REFUSED[make.__name__] = make, error, words
        return make

    return keep


def at_step_2(change: Callable[[Run], object]) -> Callable[[Run, int], object]:
    return lambda run, step: change(run) if step == 2 else None


@refused("a parameter with gradient hooks: a.weight")
def parameter_hook() -> Run:
    return Run(change=at_step_2(lambda run: run.model.a.weight.register_hook(lambda gradient: 0 * gradient)))


@refused("a parameter with gradient hooks: b.weight")
def hook_after_accumulation() -> Run:
    def hook(parameter: Tensor) -> None:
        parameter.grad = None

    return Run(change=at_step_2(lambda run: run.model.b.weight.register_post_accumulate_grad_hook(hook)))


@refused("a Linear with backward hooks: a")
def module_backward_hook() -> Run:
    return Run(change=at_step_2(lambda run: run.model.a.register_full_backward_hook(lambda *_: None)))


@refused("a Linear with backward hooks: a")
def module_backward_pre_hook() -> Run:
    return Run(change=at_step_2(lambda run: run.model.a.register_full_backward_pre_hook(lambda *_: None)))


@refused("backward hooks of every module")
def global_backward_hook() -> Run:
    handles: list[Any] = []

    def change(run: Run, step: int) -> None:
        if step == 2:
            handles.append(register_module_full_backward_hook(lambda *_: None))

    return Run(change=change)


@refused("given 4 parameters, of which 2 are the model's", OptimizerError)
def head_replaced_in_the_model_alone() -> Run:
    return Run(change=at_step_2(lambda run: setattr(run.model, "b", nn.Linear(4, 2))))


@refused("given 4 parameters, of which 0 are the model's", OptimizerError)
def loaded_by_assignment() -> Run:
    def load(run: Run) -> None:
        run.model.load_state_dict({name: tensor.clone() for name, tensor in run.model.state_dict().items()}, assign=True)

    return Run(change=at_step_2(load))


@refused("given 4 parameters, of which 2 are the model's", OptimizerError)
def parameters_of_another_model() -> Run:
    model = Net()
    return Run(model, parameters=[*model.a.parameters(), *nn.Linear(4, 2).parameters()])


@refused("a model with a sparse gradient of a parameter of shape [10, 4]")
def sparse_gradients() -> Run:
    def tokens(step: int) -> tuple[Any, ...]:
        return torch.randint(0, 10, (8,)), torch.randn(8, 2)

    return Run(nn.Sequential(nn.Embedding(10, 4, sparse=True), nn.Linear(4, 2)), batch=tokens, optimizer=momentum)


@refused("RNN, GRU")
def recurrent() -> Run:
    return Run(nn.Sequential(nn.LSTM(4, 2)), lambda output, y: mse_loss(output[0], y), optimizer=momentum)


@refused(
    "does not support RNG ops in recompute regions"
    if torch.__version__ >= (2, 13)
    else "a model with torch.utils.checkpoint"
)
def checkpointed_dropout() -> Run:
    class Checkpointed(Net):
        def forward(self, x: Tensor) -> Any:
            return self.b(checkpoint(lambda h: nn.functional.dropout(self.a(h)), x, use_reentrant=False))

    return Run(Checkpointed())


@refused("a model that keeps a tensor with its graph: self.features = self.a(x)")
def attribute_that_keeps_its_graph() -> Run:
    class Keeping(Net):
        def forward(self, x: Tensor) -> Any:
            self.features = self.a(x)
            return self.b(torch.tanh(self.features))

    return Run(Keeping(), optimizer=momentum)


@refused("the lazy parameter 0.weight")
def lazy() -> Run:
    return Run(nn.Sequential(nn.LazyLinear(2)))


@refused("a.weight on the meta device")
def meta() -> Run:
    return Run(Net().to("meta"))


@refused("a loss that is a torch.float32 tensor of shape [8]")
def loss_of_each_sample() -> Run:
    return Run(loss_fn=lambda output, y: (output - y).square().mean(1))


@refused("a loss that is tuple")
def loss_in_a_tuple() -> Run:
    return Run(loss_fn=lambda output, y: (mse_loss(output, y), output))


@refused("a loss without a gradient")
def detached() -> Run:
    return Run(loss_fn=lambda output, y: mse_loss(output.detach(), y))


@refused("parameters none of which requires a gradient")
def all_frozen() -> Run:
    return Run(change=at_step_2(lambda run: run.model.requires_grad_(False)))


@refused("a call in torch.inference_mode()")
def inference_around() -> Run:
    return Run(around=torch.inference_mode)


@refused("a DistributedDataParallel")
def replicated() -> Run:
    return Run(DistributedDataParallel(Net()))


@refused("a model on 2 ranks")
def inside_of_replicated() -> Run:
    return Run(DistributedDataParallel(Net()).module)


@refused("a FSDPModule")
def sharded() -> Run:
    model = Net()
    fully_shard(model, mesh=dist.init_device_mesh("cpu", (2,)))
    return Run(model)


RANKED = ("replicated", "inside_of_replicated", "sharded")


@contextmanager
def two_ranks() -> Iterator[None]:
    """A process group whose other rank answers as this one does; no other process is started."""
    from torch.testing._internal.distributed.fake_pg import FakeStore

    dist.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    try:
        yield
    finally:
        dist.destroy_process_group()


@pytest.fixture
def _no_global_hooks() -> Iterator[None]:
    yield
    nn.modules.module._global_backward_hooks.clear()
    nn.modules.module._global_is_full_backward_hook = None


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.usefixtures("_no_global_hooks")
def test_a_step_is_refused_before_anything_moves(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, error, words = REFUSED[kind]
    runs: list[tuple[Run, list[Tensor]]] = []

    def remembered() -> Run:
        run = make()
        change = run.change

        def look(run: Run, step: int) -> None:
            change(run, step)
            runs[:] = [(run, [tensor.detach().clone() for tensor in held(run)])]

        run.change = look
        return run

    with two_ranks() if kind in RANKED else nullcontext(), pytest.raises(error) as caught:
        trained(remembered, "aot_eager")
    assert words in str(caught.value)
    assert error is OptimizerError or "to fix it: " in str(caught.value)
    for run, before in runs:
        assert all(torch.equal(a, b) for a, b in zip(before, held(run), strict=True))


def held(run: Run) -> list[Tensor]:
    return [tensor for tensor in [*run.model.parameters(), *run.model.buffers()] if not tensor.is_meta]


def test_a_clip_that_reaches_0_is_refused() -> None:
    model = Net()
    optimizer = sgd(model.parameters())
    with pytest.raises(OptimizerError, match="a schedule that is 0 at step 8"):
        TrainStep(model, mse_loss, optimizer, Scheduler(optimizer, lr=RATE), clip=Linear(0.5, 0.0, 8))
