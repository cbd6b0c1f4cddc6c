"""Hugging Face Trainer: our optimizer and scheduler in place of its own, from the settings of one of its runs.

pip install 'transformers[torch]' && python examples/with_trainer.py --steps 40
"""

from __future__ import annotations

import argparse
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments

import tracelr


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Linear(4, 1)

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": nn.functional.mse_loss(self.network(x), labels)}


class Run(NamedTuple):
    """The schedule, and what Trainer logged at each update: the rate it used, and the loss."""

    rate: tracelr.Schedule
    rates: list[float]
    losses: list[float]


def main(steps: int = 40) -> Run:
    settings = {
        "lr_scheduler_type": "cosine",
        "learning_rate": 5e-2,
        "warmup_steps": max(steps // 10, 1),
        "max_steps": steps,
    }
    rate = tracelr.from_dict(settings)
    assert isinstance(rate, tracelr.Schedule)

    torch.manual_seed(0)
    model, x = Model(), torch.randn(64, 4)
    data = [{"x": row, "labels": row.sum().reshape(1)} for row in x]
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = tracelr.Scheduler(optimizer, lr=rate)
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            max_steps=steps,
            per_device_train_batch_size=8,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        )
        # mypy: the annotation allows torch's LambdaLR only; the trainer takes any scheduler
        trainer = Trainer(model, arguments, train_dataset=data, optimizers=(optimizer, scheduler))  # type: ignore[arg-type]
        trainer.train()
    logged = [entry for entry in trainer.state.log_history if "learning_rate" in entry]
    run = Run(rate, [float(entry["learning_rate"]) for entry in logged], [float(entry["loss"]) for entry in logged])
    print(f"{len(run.rates)} updates, loss {run.losses[0]:.3f} -> {run.losses[-1]:.3f}, last rate {run.rates[-1]:.2e}")
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    main(parser.parse_args().steps)
