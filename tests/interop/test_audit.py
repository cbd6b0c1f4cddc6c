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
