"""PyTorch Lightning: the scheduler as it is, stepped every update.

pip install pytorch-lightning && python examples/with_lightning.py --steps 40
"""

from __future__ import annotations

import argparse
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from tracelr import Cosine, Linear, Schedule, Scheduler


def rate(steps: int) -> Schedule:
    warm = max(steps // 10, 1)
    return Linear(start=0.0, end=5e-2, steps=warm).then(Cosine(start=5e-2, end=0.0, steps=steps - warm))


class Model(pl.LightningModule):
    def __init__(self, steps: int) -> None:
        super().__init__()
        self.network, self.schedule = nn.Linear(4, 1), rate(steps)
        self.rates, self.losses = list[float](), list[float]()

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters())
        scheduler = Scheduler(optimizer, lr=self.schedule)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}  # not "epoch"

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        x, y = batch
        loss = nn.functional.mse_loss(self.network(x), y)
        self.rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
        self.losses.append(float(loss.detach()))
        return loss


def main(steps: int = 40) -> Model:
    torch.manual_seed(0)
    x = torch.randn(64, 4)
    loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8)
    model = Model(steps)
    quiet: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    pl.Trainer(max_steps=steps, accelerator="cpu", logger=False, **quiet).fit(model, loader)
    print(
        f"{len(model.rates)} updates, loss {model.losses[0]:.3f} -> {model.losses[-1]:.3f}, last rate {model.rates[-1]:.2e}"
    )
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    main(parser.parse_args().steps)
