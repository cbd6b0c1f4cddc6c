"""`optimizer.step = fuse(optimizer, scheduler)` under Lightning, Fabric and accelerate trains as their own loops do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.utils.data import DataLoader

from tracelr import Cosine, Linear, Scheduler, fuse
from tracelr.errors import OptimizerError

RATE = Linear(0.0, 1e-2, 4).then(Cosine(1e-2, 0.0, 20))
STEPS = 8
TOLERANCE = 1e-5  # Adam corrects its bias in float32 in a graph


def data() -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(4, 6, generator=draw) for _ in range(STEPS)]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))


def loss_of(model: nn.Module, batch: Tensor) -> Tensor:
    return (model(batch) - 1.0).square().mean()


def plain(every: int = 1) -> nn.Module:
    model = network()
    optimizer = AdamW(model.parameters())
    scheduler = Scheduler(optimizer, lr=RATE)
    for k, batch in enumerate(data(), 1):
        (loss_of(model, batch) / every).backward()
        if k % every == 0:
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    return model


def assert_same(model: nn.Module, other: nn.Module) -> None:
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert (ours - theirs).abs().max() < TOLERANCE


def test_lightning() -> None:
    lightning = pytest.importorskip("pytorch_lightning")

    class Module(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.network = network()

        def training_step(self, batch: Tensor) -> Tensor:
            return loss_of(self.network, batch)

        def configure_optimizers(self) -> Any:
            optimizer = AdamW(self.parameters())
            self.scheduler = Scheduler(optimizer, lr=RATE)
            optimizer.step = fuse(optimizer, self.scheduler, backend="aot_eager")
            return optimizer

    module = Module()
    silent = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", **silent)
    trainer.fit(module, DataLoader(data(), batch_size=None))
    assert module.scheduler.last_epoch == STEPS
    assert_same(module.network, plain())


@pytest.mark.parametrize("placed", ["before", "after"])
def test_fabric(placed: str) -> None:
    fabric = pytest.importorskip("lightning_fabric").Fabric(accelerator="cpu", devices=1)
    model = network()
    inner = AdamW(model.parameters())
    scheduler = Scheduler(inner, lr=RATE)
    if placed == "before":
        inner.step = fuse(inner, scheduler, backend="aot_eager")  # type: ignore[method-assign]
    model, optimizer = fabric.setup(model, inner)
    if placed == "after":
        optimizer.step = fuse(optimizer, scheduler, backend="aot_eager")
    for batch in data():
        optimizer.zero_grad()
        fabric.backward(loss_of(model, batch))
        optimizer.step()
    assert scheduler.last_epoch == STEPS
    assert_same(model, plain())


@contextmanager
def accelerator(**options: Any) -> Iterator[Any]:
    accelerate = pytest.importorskip("accelerate")
    try:
        yield accelerate.Accelerator(cpu=True, **options)
    finally:
        accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
        accelerate.state.GradientState._reset_state()


@pytest.mark.parametrize("placed", ["before", "after"])
def test_accelerate_with_accumulated_gradients(placed: str) -> None:
    with accelerator(gradient_accumulation_steps=2) as accelerate:
        model = network()
        inner = AdamW(model.parameters())
        scheduler = Scheduler(inner, lr=RATE)
        if placed == "before":
            inner.step = fuse(inner, scheduler, backend="aot_eager")  # type: ignore[method-assign]
        model, optimizer = accelerate.prepare(model, inner)
        if placed == "after":
            optimizer.step = fuse(optimizer, scheduler, backend="aot_eager")
        for batch in data():
            with accelerate.accumulate(model):
                accelerate.backward(loss_of(model, batch))
                optimizer.step()
                optimizer.zero_grad()
        assert scheduler.last_epoch == STEPS // 2
        assert_same(model, plain(2))


def test_accelerate_with_a_gradient_scaler() -> None:
    accelerate = pytest.importorskip("accelerate")
    with accelerator():
        model = network()
        inner = AdamW(model.parameters())
        scheduler = Scheduler(inner, lr=RATE)
        late = accelerate.optimizer.AcceleratedOptimizer(inner, scaler=torch.amp.GradScaler("cpu"))
        with pytest.raises(OptimizerError, match="which holds the step of the optimizer inside"):
            fuse(late, scheduler)
        inner.step = fuse(inner, scheduler, backend="aot_eager")  # type: ignore[method-assign]
        optimizer = accelerate.optimizer.AcceleratedOptimizer(inner, scaler=torch.amp.GradScaler("cpu", init_scale=4.0))
        for k, batch in enumerate(data()):
            optimizer.zero_grad()
            loss = loss_of(model, batch)
            optimizer.scaler.scale(loss * float("inf") if k == 2 else loss).backward()
            optimizer.step()
            assert optimizer.step_was_skipped == (k == 2)
        assert scheduler.last_epoch == STEPS - 1
