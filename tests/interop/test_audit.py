"""An audit of logs that real training loops made, right and with each mistake that it names."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from tracelr import Cosine, Linear
from tracelr.errors import ConfigError
from tracelr.interop.audit import Logged, audit, read_log
from tracelr.schedules.base import Schedule

TOTAL, WARM, PEAK = 200, 20, 1e-3
SCHEDULE = Linear(0.0, PEAK, WARM).then(Cosine(PEAK, 0.0, TOTAL - WARM))


def trained(folder: Path, steps: int = 100, **changes: Any) -> Path:
    """Return the trainer_state.json of a run of transformers' Trainer."""

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(2, 1)

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            out = self.linear(x)
            return {"loss": ((out - labels) ** 2).mean(), "logits": out}

    arguments = {
        "learning_rate": PEAK, "lr_scheduler_type": "cosine", "warmup_steps": WARM, "max_steps": TOTAL,
        "logging_steps": 7, "save_strategy": "no", "report_to": [], "use_cpu": True, "disable_tqdm": True,
        "per_device_train_batch_size": 2,
    } | changes  # fmt: skip
    data = [{"x": torch.ones(2), "labels": torch.ones(1)}] * 8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = transformers.Trainer(Model(), transformers.TrainingArguments(str(folder), **arguments), train_dataset=data)
        trainer.train()
    trainer.state.save_to_json(str(folder / "trainer_state.json"))
    return folder / "trainer_state.json"


def looped(advance: Callable[[Any, int], None], before: int = 0, count: int = 120) -> Logged:
    """Return the rate of each update of a loop with transformers' cosine; `advance` steps the scheduler after an update."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    scheduler = transformers.get_cosine_schedule_with_warmup(optimizer, WARM, TOTAL)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(before):
            scheduler.step()
        for step in range(count):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            advance(scheduler, step)
    return Logged("lr", tuple(range(count)), tuple(rates))


def once(scheduler: Any, step: int) -> None:
    scheduler.step()


def test_the_log_of_a_trainer_is_equal_to_its_arguments(tmp_path: Path) -> None:
    (log,) = read_log(trained(tmp_path))
    assert len(log.steps) == TOTAL // 7
    found = audit(SCHEDULE, log)
    assert found.equal, str(found)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"max_steps": 150}, "a run of 150 steps in place of 200"),
        ({"warmup_steps": 10}, "a warm-up of 10 steps in place of 20"),
        (
            {"warmup_steps": 40, "max_steps": 150},
            "a warm-up of 40 steps in place of 20 and a run of 150 steps in place of 200",
        ),
        ({"learning_rate": 2 * PEAK}, "every rate is 2 times"),
    ],
)
def test_the_log_of_a_trainer_with_other_arguments(changes: dict[str, Any], cause: str, tmp_path: Path) -> None:
    (log,) = read_log(trained(tmp_path, **changes))
    found = audit(SCHEDULE, log)
    assert not found.equal
    assert found.cause.startswith(cause)


def test_a_loop_is_equal() -> None:
    assert audit(SCHEDULE, looped(once)).equal


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (lambda: looped(once, before=1), "step s has the rate of s + 1"),
        (lambda: looped(lambda scheduler, step: scheduler.step() if step else None), "step s has the rate of s - 1"),
        (lambda: looped(lambda scheduler, _: [scheduler.step() for _ in range(4)], count=40), "step s has the rate of 4 s"),
        (
            lambda: looped(lambda scheduler, step: scheduler.step() if step % 8 == 7 else None),
            "step s has the rate of s / 8",
        ),
    ],
)
def test_a_loop_that_steps_its_scheduler_wrongly(log: Callable[[], Logged], cause: str) -> None:
    found = audit(SCHEDULE, log())
    assert found.cause.startswith(cause)
    assert found.first is not None


def test_a_resumed_run_that_began_again() -> None:
    first, second = looped(once, count=70), looped(once, count=50)
    log = Logged("lr", tuple(range(120)), first.rates + second.rates)
    assert audit(SCHEDULE, log).cause.startswith("the schedule began again at step 70")


def test_another_group() -> None:
    other: Schedule = Linear(0.0, 1e-4, 50)
    log = Logged("lr", (0, 25, 50), tuple(float(other(step)) for step in (0, 25, 50)))
    assert (
        audit(SCHEDULE, log, {"lr of groups with 'head'": other}).cause
        == "it is the rate of another group: lr of groups with 'head'"
    )


@pytest.mark.parametrize(
    "text",
    [
        "step,loss,train/lr\n0,1.0,0\n10,,5e-4\n20,0.5,1e-3\n",
        '{"step": 0, "train/lr": 0}\n{"step": 10, "train/lr": 5e-4}\n{"step": 20, "train/lr": 1e-3}\n{"step": 30, "loss": 1}\n',
        '"Step","run 1 - train/lr"\n"0","0"\n"10","5e-4"\n"20","1e-3"\n',
    ],
)
def test_csv_and_json_lines(text: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(text)
    (log,) = read_log(tmp_path / "log")
    assert (log.steps, log.rates) == ((0, 10, 20), (0.0, 5e-4, 1e-3))
    assert audit(SCHEDULE, log).equal


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "given the columns none"),
        ("a,b\n1,2\n", "given the columns 'a', 'b'"),
        ("step,lr\nx,1\n", "step: given 'x'"),
        ("step,lr\n1,x\n", "lr: given 'x'"),
        ("step,lr\n1.5,1\n", "step: given '1.5'"),
        ("step,lr\n", "given the columns none"),
        ("step,lr\n1,\n", "a log without a rate"),
        ('{"step": 1, "lr": 1}\n{"step"', "line 2, column 1: given a line that is not JSON"),
        ("[" * 100_000, "given the columns"),
        (json.dumps({"log_history": 3, "global_step": 1}), "given the columns none"),
    ],
)
def test_a_log_that_cannot_be_read(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_log(tmp_path / "log")
    assert says in str(caught.value)


def lightning(folder: Path, **interval: Any) -> list[Logged]:
    """Return the rates that Lightning's LearningRateMonitor logged in two epochs of 30 updates."""
    lightning = pytest.importorskip("pytorch_lightning")

    class Module(lightning.LightningModule):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(2, 1)

        def training_step(self, batch: torch.Tensor, _: int) -> torch.Tensor:
            return self.linear(batch).square().mean()  # type: ignore[no-any-return]

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.SGD(self.parameters(), lr=PEAK)
            scheduler = transformers.get_cosine_schedule_with_warmup(optimizer, WARM, TOTAL)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, **interval}}

    logger = lightning.loggers.CSVLogger(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            max_epochs=2, logger=logger, log_every_n_steps=1, accelerator="cpu", enable_progress_bar=False,
            enable_model_summary=False, enable_checkpointing=False, default_root_dir=folder,
            callbacks=[lightning.callbacks.LearningRateMonitor("step")],
        )  # fmt: skip
        trainer.fit(Module(), torch.utils.data.DataLoader(torch.ones(30, 2), batch_size=1))
    return read_log(Path(logger.log_dir) / "metrics.csv")


def test_a_run_of_lightning(tmp_path: Path) -> None:
    (log,) = lightning(tmp_path, interval="step")
    assert len(log.steps) == 60
    assert audit(SCHEDULE, log).equal


def test_a_run_of_lightning_that_steps_once_an_epoch(tmp_path: Path) -> None:
    """What Lightning does without `interval`, and the most usual mistake with it."""
    (log,) = lightning(tmp_path)
    assert audit(SCHEDULE, log).cause == "step s has the rate of s / 30: the scheduler is stepped once in 30 updates"


def accelerated(prepare: bool) -> Logged:
    """Return the rate of each update of a loop of accelerate that accumulates 4 batches."""
    accelerate = pytest.importorskip("accelerate")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=4)
        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=PEAK)
        scheduler = transformers.get_cosine_schedule_with_warmup(optimizer, WARM, TOTAL)
        model, optimizer = accelerator.prepare(model, optimizer)
        scheduler = accelerator.prepare(scheduler) if prepare else scheduler
        rates = []
        for _ in range(160):
            with accelerator.accumulate(model):
                accelerator.backward(model(torch.ones(1, 2)).square().mean())
                if accelerator.sync_gradients:
                    rates.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
    return Logged("lr", tuple(range(len(rates))), tuple(rates))


def test_a_run_of_accelerate() -> None:
    assert audit(SCHEDULE, accelerated(prepare=True)).equal


def test_a_run_of_accelerate_whose_scheduler_was_not_prepared() -> None:
    """It is stepped for each of the 4 batches of an update, three times of them before the first one."""
    found = audit(SCHEDULE, accelerated(prepare=False))
    why = "the scheduler is stepped 4 times per update, after each batch that it accumulates"
    assert found.cause == f"step s has the rate of 4 s + 3: {why}"


def test_a_log_of_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(tmp_path)) as writer:
            for step in range(50):
                writer.add_scalar("train/loss", 1.0, step)
                writer.add_scalar("lr-AdamW", float(SCHEDULE(step)), step)
                writer.add_scalar("other/lr", float(SCHEDULE(step + 1)), step, new_style=True)
    first, second = read_log(tmp_path)
    assert (first.name, second.name) == ("lr-AdamW", "other/lr")
    assert audit(SCHEDULE, first).equal
    assert audit(SCHEDULE, second).cause.startswith("step s has the rate of s + 1")
    (file,) = tmp_path.iterdir()
    assert read_log(file, "lr-AdamW") == [first]
    with pytest.raises(ConfigError, match=r"given the tags 'train/loss', 'lr-AdamW', 'other/lr'"):
        read_log(file, "rate")


def test_a_damaged_log_of_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    file = tmp_path / "events.out.tfevents.1"
    for content in (b"", b"no events", b"\x00" * 64, b"\xff" * 4096):
        file.write_bytes(content)
        with pytest.raises(ConfigError):
            read_log(file)


def test_an_export_of_wandb(tmp_path: Path) -> None:
    """Its columns are named after the run, and stand beside their least and largest values."""
    name = "fancy-run-7 - train/learning_rate"
    head = f'"Step","{name}","{name}__MIN","{name}__MAX"\n'
    rows = "".join(f'"{step}","{rate}","{rate}","{rate}"\n' for step in range(0, 90, 10) for rate in [float(SCHEDULE(step))])
    file = tmp_path / "export.csv"
    file.write_text(head + rows)
    assert [audit(SCHEDULE, log).equal for log in read_log(file)] == [True] * 3
