"""Hugging Face Trainer(optimizers=(optimizer, scheduler)): a small model, no network."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.common import DECAY, adamw, network, rates, used
from support.optimizers import float32
from torch import Tensor, nn


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:  # imported here: it takes seconds, and every worker collects every file
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("accelerate")
        assert pytest.importorskip("transformers").Trainer


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": (self.network(x) - labels).square().mean()}


@pytest.fixture(autouse=True)
def _quiet(_strict: None) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*pin_memory.*")
        yield


class Run:
    def __init__(self, folder: Path, lr: float | Tensor = 0.5, **options: Any) -> None:
        from transformers import Trainer, TrainingArguments

        self.model = Model()
        self.optimizer, self.scheduler = adamw(self.model, lr)
        self.made, self.decays = used(self.optimizer), used(self.optimizer, "weight_decay")
        fixed = {"report_to": [], "use_cpu": True, "disable_tqdm": True, "save_strategy": "no", "logging_steps": 1}
        arguments = TrainingArguments(folder, per_device_train_batch_size=2, **{**fixed, **options})
        data = [{"x": torch.ones(4), "labels": torch.zeros(1)} for _ in range(24)]
        self.trainer = Trainer(self.model, arguments, train_dataset=data, optimizers=(self.optimizer, self.scheduler))

    def logged(self) -> list[float]:
        return [float32(entry["learning_rate"]) for entry in self.trainer.state.log_history if "learning_rate" in entry]


@pytest.mark.parametrize("lr", [0.5, torch.tensor(0.5)], ids=["float", "tensor"])
def test_every_rate_used_and_logged_is_the_closed_form(tmp_path: Path, lr: float | Tensor) -> None:
    run = Run(tmp_path, lr, num_train_epochs=2)
    run.trainer.train()
    assert run.made == run.logged() == rates(24)
    assert run.decays == rates(24, schedule=DECAY)


def test_a_step_is_an_update_where_gradients_accumulate(tmp_path: Path) -> None:
    run = Run(tmp_path, num_train_epochs=2, gradient_accumulation_steps=5)
    run.trainer.train()
    assert run.made == run.logged() == rates(6)  # 12 batches are 3 updates, the last of 2 batches


def test_checkpoint_and_resume(tmp_path: Path) -> None:
    Run(tmp_path, max_steps=17, save_strategy="steps", save_steps=5).trainer.train()
    run = Run(tmp_path, max_steps=21)
    run.trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-15"))
    assert run.made == rates(6, start=15)
    assert run.decays == rates(6, start=15, schedule=DECAY)
    assert run.logged()[-6:] == run.made
    assert run.scheduler.last_epoch == 21
