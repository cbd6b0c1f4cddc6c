"""A complete training step is one graph, equals plain PyTorch, and can be exported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.optimizers import Lion
from torch import Tensor, nn, optim
from torch._dynamo.utils import counters

from tracelr import Cosine, Linear, Scheduler, TrainStep
from tracelr.errors import OptimizerError, ScheduleError, ScheduleTypeError, TraceError

RATE = Linear(0.0, 1e-2, 5).then(Cosine(1e-2, 0.0, 40))
DECAY = Linear(0.0, 0.1, 20)
CLIP = 0.3
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "sgd": (optim.SGD, {}),
    "momentum": (optim.SGD, {"momentum": 0.9}),
    "adam": (optim.Adam, {}),
    "adamw": (optim.AdamW, {}),
    "lion": (Lion, {}),
}


QUICK: dict[str, Any] = {"momentum": (), "adamw": (), "lion": ()}
"""The optimizers that the quick tests run: the variants of SGD and Adam with more features."""


def network() -> nn.Sequential:
    torch.manual_seed(0)
    # no bias before the normalisation, because its gradient is rounding noise, from which Adam makes full steps
    return nn.Sequential(nn.Linear(8, 16, bias=False), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 4))


def batch(step: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(step)
    return torch.randn(8, 8, generator=draw), torch.randn(8, 4, generator=draw)


def build(name: str, **options: Any) -> tuple[nn.Module, optim.Optimizer, Scheduler, TrainStep]:
    kind, more = KINDS[name]
    model = network()
    optimizer = kind(model.parameters(), **more)
    scheduler = Scheduler(optimizer, lr=RATE, weight_decay=DECAY)
    options = {"backend": "aot_eager", "clip": CLIP, **options}
    return model, optimizer, scheduler, TrainStep(model, nn.functional.mse_loss, optimizer, scheduler, **options)


def plain(name: str, chunks: int) -> tuple[nn.Module, Callable[[Tensor, Tensor], Tensor]]:
    """Return a model, and the usual training step."""
    kind, more = KINDS[name]
    model = network()
    optimizer = kind(model.parameters(), **more)
    scheduler = Scheduler(optimizer, lr=RATE, weight_decay=DECAY)

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        total = torch.zeros(())
        for a, b in zip(x.chunk(chunks), y.chunk(chunks), strict=True):
            loss = nn.functional.mse_loss(model(a), b) / chunks
            loss.backward()
            total += loss.detach()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        scheduler.step()
        return total

    return model, step


@pytest.mark.parametrize(
    ("name", "chunks"),
    [
        *(pytest.param(name, 1, id=f"{name}-one_batch") for name in KINDS),
        *(pytest.param(name, 2, id=f"{name}-accumulated", marks=QUICK.get(name, pytest.mark.slow)) for name in KINDS),
    ],
)
def test_one_graph_and_the_weights_of_plain_pytorch(name: str, chunks: int) -> None:
    model, optimizer, scheduler, step = build(name, accumulate=chunks)
    other, reference = plain(name, chunks)
    counters.clear()
    with torch._dynamo.config.patch(error_on_recompile=True):
        for k in range(50):
            if k == 20:  # what a loop may do between two steps
                optimizer.zero_grad()
                optimizer.load_state_dict(optimizer.state_dict())
                scheduler.load_state_dict(scheduler.state_dict())
            assert float(optimizer.param_groups[0]["lr"]) == RATE(k).item()
            loss = step(*batch(k))
            assert not loss.requires_grad
            # compiled Adam corrects its bias in float32, eager Adam in Python floats: 1e-5 in 50 steps
            assert loss.item() == pytest.approx(reference(*batch(k)).item(), rel=1e-4)
    assert counters["stats"]["unique_graphs"] == 1
    assert sum(counters["graph_break"].values()) == 0
    for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        *(pytest.param(name, "aot_eager", marks=() if name == "adamw" else pytest.mark.slow) for name in KINDS),
        *(pytest.param(name, "inductor", marks=() if name == "momentum" else pytest.mark.slow) for name in KINDS),
    ],
)
def test_a_gradient_scaler_skips_a_step(name: str, backend: str) -> None:
    """Weights, count and scale are those of the loop with `scaler.step(optimizer)`: clipped after unscaling, or skipped."""
    model, optimizer, scheduler, _ = build(name)
    scalers = [torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=3) for _ in range(2)]
    step = TrainStep(
        model, nn.functional.mse_loss, optimizer, scheduler, clip=CLIP, accumulate=2, scaler=scalers[0], backend=backend
    )
    kind, more = KINDS[name]
    other = network()
    theirs = kind(other.parameters(), **more)
    beside = Scheduler(theirs, lr=RATE, weight_decay=DECAY)
    counters.clear()
    for k in range(16):
        x, y = batch(k)
        bad = k in (0, 1, 6, 11, 12)  # the state of the optimizer does not exist yet at the first two
        y = y * float("inf") if bad else y
        theirs.zero_grad()
        for a, b in zip(x.chunk(2), y.chunk(2), strict=True):
            scalers[1].scale(nn.functional.mse_loss(other(a), b) / 2).backward()
        scalers[1].unscale_(theirs)
        nn.utils.clip_grad_norm_(other.parameters(), CLIP)
        scalers[1].step(theirs)
        scalers[1].update()
        if not bad:
            beside.step()
        loss = step(x, y)
        assert loss.isfinite() == (not bad)
        assert scalers[0].state_dict() == scalers[1].state_dict()
        assert scheduler.last_epoch == beside.last_epoch
        for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
            # compiled Adam corrects its bias in float32; Inductor fuses products into sums
            assert torch.allclose(a, b, rtol=0, atol=2e-5)
    assert scheduler.last_epoch == 11
    assert counters["stats"]["unique_graphs"] == 1
    assert sum(counters["graph_break"].values()) == 0


def test_a_scaler_is_read_in_the_graph() -> None:
    seen: list[str] = []

    def backend(graph: torch.fx.GraphModule, _: Any) -> Any:
        seen.extend(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    model, optimizer, scheduler, _ = build("sgd")
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    step = TrainStep(model, nn.functional.mse_loss, optimizer, scheduler, scaler=scaler, backend=backend)
    for k in range(3):
        step(*batch(k))
    assert any("where" in target for target in seen)
    assert not {"item", "aten.item.default", "aten._local_scalar_dense.default"}.intersection(seen)


def test_a_scaler_that_is_off_changes_nothing() -> None:
    one, _, _, step = build("sgd")
    two, _, _, same = build("sgd", scaler=torch.amp.GradScaler("cpu", enabled=False))
    for k in range(3):
        step(*batch(k))
        same(*batch(k))
    assert all(map(torch.equal, one.state_dict().values(), two.state_dict().values()))


def test_the_step_lowers_the_loss_under_inductor() -> None:
    model, _, scheduler, step = build("adamw", backend="inductor")
    x, y = batch(0)
    losses = [step(x, y).item() for _ in range(30)]
    assert losses[-1] < 0.9 * losses[0]
    assert scheduler.last_epoch == 30
    assert all(parameter.grad is not None for parameter in model.parameters())


LOAD = """
import sys, torch
torch.set_num_threads(1)
assert "tracelr" not in sys.modules
program = torch.export.load(sys.argv[1]).module()
batches, out = torch.load(sys.argv[2]), []
for batch in batches:
    out.append(program(*batch))
torch.save((out, dict(program.named_buffers())), sys.argv[3])
"""


@pytest.mark.parametrize("name", [pytest.param(name, marks=QUICK.get(name, pytest.mark.slow)) for name in KINDS])
def test_an_exported_step_runs_elsewhere_bit_for_bit(name: str, tmp_path: Path) -> None:
    kind, more = KINDS[name]
    # torch's SGD adds the decay times the weights with one rounding; a scheduled decay is a separate product: two roundings
    schedules = {"lr": RATE} if kind is optim.SGD else {"lr": RATE, "weight_decay": DECAY}

    def made() -> tuple[nn.Module, optim.Optimizer, Scheduler]:
        model = network()
        optimizer = kind(model.parameters(), lr=torch.tensor(0.1), **more)
        return model, optimizer, Scheduler(optimizer, **schedules)

    model, optimizer, scheduler = made()
    step = TrainStep(model, nn.functional.mse_loss, optimizer, scheduler, clip=CLIP, backend="eager")
    other, plain, follows = made()

    def reference(x: Tensor, y: Tensor) -> float:
        plain.zero_grad()
        loss = nn.functional.mse_loss(other(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(other.parameters(), CLIP)
        plain.step()
        follows.step()
        return loss.item()

    for k in range(3):
        step(*batch(k))
        reference(*batch(k))
    model.load_state_dict(other.state_dict())
    optimizer.load_state_dict(plain.state_dict())
    before = [tensor.clone() for tensor in model.state_dict().values()]
    program = step.export(*batch(0))
    assert all(torch.equal(a, b) for a, b in zip(before, model.state_dict().values(), strict=True))
    assert scheduler.last_epoch == 3
    torch.export.save(program, tmp_path / "step.pt2")
    batches = [batch(k) for k in range(3, 23)]
    torch.save(batches, tmp_path / "batches.pt")
    files = [str(tmp_path / name) for name in ("step.pt2", "batches.pt", "out.pt")]
    subprocess.run([sys.executable, "-c", LOAD, *files], check=True, capture_output=True, cwd=tmp_path)
    losses, buffers = torch.load(tmp_path / "out.pt")
    here = program.module()
    assert [loss.item() for loss in losses] == [here(*one).item() for one in batches]
    assert all(torch.equal(tensor, buffers[key]) for key, tensor in here.named_buffers())
    wanted = [reference(*one) for one in batches]
    assert buffers["step"].item() == follows.last_epoch == 23
    assert torch.equal(buffers["group_0_lr"], plain.param_groups[0]["lr"])
    # Eager Adam computes `1 - beta ** step` in Python floats, a graph on the float32 step tensor
    close = 2e-6 if isinstance(plain, (optim.Adam, optim.AdamW)) else 0.0 if torch.__version__ >= (2, 13) else 2e-7
    assert [loss.item() for loss in losses] == pytest.approx(wanted, rel=close * 10, abs=0)
    for key, tensor in other.state_dict().items():
        assert (buffers["model_" + key.replace(".", "_")] - tensor).abs().max() <= close


def test_gradients_are_those_of_the_layers_they_belong_to() -> None:
    # A tape of real tensors lifts a saved activation as a constant at export: the first layer then learns from the batch
    # it was traced with. Here two batches give two gradients, in the graph and in the program.
    _, _, _, step = build("sgd", clip=None)
    step(*batch(0))
    program = step.export(*batch(0)).module()
    seen = []
    for k in (1, 2):
        step(*batch(k))
        program(*batch(k))
        seen.append(step._gradients[0].clone())
        assert torch.equal(dict(program.named_buffers())["gradient_0_weight"], seen[-1])
    assert not torch.allclose(seen[0], seen[1])


def test_a_cleared_gradient_does_not_stop_the_parameters() -> None:
    # In a region that clears .grad through the param groups, parameters never move, silently.
    model, optimizer, _, step = build("adamw")
    for k in range(4):
        optimizer.zero_grad(set_to_none=True)
        before = model[0].weight.detach().clone()
        step(*batch(k))
        assert torch.equal(model[0].weight, before) == (RATE(k).item() == 0)


def test_frozen_parameters_and_several_inputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor, scale: Tensor) -> Tensor:
            return self.b(self.a(x)) * scale

    for inputs in ((torch.ones(2, 4), torch.tensor(2.0)), {"x": torch.ones(2, 4), "scale": torch.tensor(2.0)}):
        model = Two()
        model.a.requires_grad_(False)
        frozen = model.a.weight.clone()
        optimizer = optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        step = TrainStep(model, nn.functional.mse_loss, optimizer, Scheduler(optimizer, lr=RATE), backend="eager")
        before = model.b.weight.detach().clone()
        for _ in range(3):
            step(inputs, torch.zeros(2, 4))
        assert torch.equal(model.a.weight, frozen)
        assert not torch.equal(model.b.weight, before)


def other_parameters() -> object:
    optimizer = optim.SGD(network().parameters(), lr=0.1)
    return TrainStep(network(), nn.functional.mse_loss, optimizer, Scheduler(optimizer, lr=RATE))


MISTAKES: list[tuple[Callable[[], object], type[Exception], str]] = [
    (
        other_parameters,
        OptimizerError,
        "TrainStep(optimizer): given 5 parameters, of which 0 are the model's; allowed: the model's parameters alone; "
        "to fix it: build the optimizer from model.parameters().",
    ),
    (
        lambda: TrainStep("net", nn.functional.mse_loss, *build("sgd")[1:3]),  # type: ignore[arg-type]
        ScheduleTypeError,
        "TrainStep(model): given 'net'; allowed: an nn.Module; to fix it: pass the model itself.",
    ),
    (
        lambda: build("sgd", clip=0.0),
        OptimizerError,
        "TrainStep(clip): given 0.0; allowed: a number above 0, a schedule of such numbers, or None; to fix it: leave it out not to clip.",
    ),
    (
        lambda: build("sgd", accumulate=0),
        ScheduleError,
        "TrainStep(accumulate): given 0; allowed: an int of 1 or more; to fix it: pass a number of steps in this range.",
    ),
    (
        lambda: build("sgd", accumulate=3)[3](*batch(0)),
        OptimizerError,
        "TrainStep(batch): given a batch of shape [8, 8]; allowed: a first dimension that is a multiple of accumulate=3; "
        "to fix it: change the batch, or accumulate.",
    ),
    (
        lambda: build("momentum")[3].export(*batch(0)),
        TraceError,
        "TrainStep.export: given an optimizer without state; allowed: one that has made its state; to fix it: take one step, then export.",
    ),
    (
        lambda: build("adamw")[3].export(batch(0)),
        TraceError,
        "TrainStep.export(batch): given ",
    ),
]


@pytest.mark.parametrize(("mistake", "error", "message"), MISTAKES, ids=[m[2].split(";")[0][:50] for m in MISTAKES])
def test_the_message(mistake: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        mistake()
    assert str(caught.value).startswith(message)
