"""PyTorch Lightning: only `configure_optimizers` is overridden, with the interval "step"."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.common import DECAY, adamw, network, rates, used
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

Build = Callable[..., Any]


@pytest.fixture(scope="module")
def pl() -> Any:  # imported here: it takes seconds, and every worker collects every file
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("pytorch_lightning")


@pytest.fixture
def build(pl: Any) -> Build:
    class Model(pl.LightningModule):  # type: ignore[misc]
        def __init__(self, lr: float | Tensor) -> None:
            super().__init__()
            self.network, self.lr = network(), lr

        def training_step(self, batch: list[Tensor], _: int) -> Tensor:
            return self.network(batch[0]).square().mean()  # type: ignore[no-any-return]

        def configure_optimizers(self) -> dict[str, Any]:
            optimizer, scheduler = adamw(self.network, self.lr)
            self.made, self.decays = used(optimizer), used(optimizer, "weight_decay")
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    return lambda lr=0.5: Model(lr)


@pytest.fixture
def trainer(pl: Any, tmp_path: Path) -> Build:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "logger": False}
    fixed = {**quiet, "default_root_dir": tmp_path, "enable_checkpointing": False}
    return lambda **options: pl.Trainer(**{**fixed, **options})


@pytest.fixture(autouse=True)
def _quiet(pl: Any, _strict: None) -> Iterator[None]:
    with warnings.catch_warnings():
        for message in (
            ".*does not have many workers.*",
            ".*LeafSpec.*",
            ".*Checkpoint directory.*",
            ".*To copy construct.*",
        ):
            warnings.filterwarnings("ignore", message=message)
        yield


def data() -> DataLoader[Any]:
    return DataLoader(TensorDataset(torch.ones(24, 4)), batch_size=2)  # 12 batches an epoch


@pytest.mark.parametrize("lr", [0.5, torch.tensor(0.5)], ids=["float", "tensor"])
def test_every_rate_is_the_closed_form(build: Build, trainer: Build, lr: float | Tensor) -> None:
    model = build(lr)
    trainer(max_epochs=2).fit(model, data())
    assert model.made == rates(24)
    assert model.decays == rates(24, schedule=DECAY)
    held = model.optimizers().param_groups[0]["lr"]
    assert isinstance(held, Tensor) == isinstance(lr, Tensor)


def test_a_step_is_an_update_where_gradients_accumulate(build: Build, trainer: Build) -> None:
    model = build()
    trainer(max_epochs=2, accumulate_grad_batches=5).fit(model, data())
    assert model.made == rates(6)  # 12 batches are 3 updates, the last of 2 batches


def test_checkpoint_and_resume(pl: Any, build: Build, trainer: Build, tmp_path: Path) -> None:
    first, second = build(), build()
    keep = pl.callbacks.ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=5, save_top_k=-1)
    trainer(max_steps=17, enable_checkpointing=True, callbacks=[keep]).fit(first, data())
    file = tmp_path / "step=15.ckpt"
    assert torch.load(file, weights_only=True)["lr_schedulers"][0]["last_epoch"] == 15
    with warnings.catch_warnings():
        for message in (".*callbacks used to create the checkpoint.*", ".*resuming from a checkpoint that ended before.*"):
            warnings.filterwarnings("ignore", message=message)
        trainer(max_steps=21).fit(second, data(), ckpt_path=file)
    assert first.made == rates(17)
    assert second.made == rates(6, start=15)
    assert second.decays == rates(6, start=15, schedule=DECAY)


def test_the_monitor_logs_the_rates_used(pl: Any, build: Build, trainer: Build, tmp_path: Path) -> None:
    model, logger = build(), pl.loggers.CSVLogger(tmp_path)
    monitor = pl.callbacks.LearningRateMonitor(logging_interval="step")
    trainer(max_epochs=1, logger=logger, callbacks=[monitor], log_every_n_steps=1).fit(model, data())
    rows = list(csv.DictReader((Path(logger.log_dir) / "metrics.csv").read_text().splitlines()))
    for name in ("lr-AdamW/pg1", "lr-AdamW/pg2"):
        logged = [float(row[name]) for row in rows if row[name]]
        assert logged == pytest.approx(rates(12), rel=1e-6)
        assert monitor.lrs[name] == pytest.approx(rates(12), rel=1e-6)
