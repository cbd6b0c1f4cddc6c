"""The demo training: a small network on real handwritten digits, with the schedule inside the compiled update."""

from __future__ import annotations

import copy
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn

import tracelr.lowering as lowering
from tracelr import checkpoint, report
from tracelr.cli.demo.params import Params
from tracelr.cli.demo.run_folder import alone
from tracelr.drawing.axes import Curve
from tracelr.drawing.matplotlib import figure_of
from tracelr.drawing.svg import svg
from tracelr.errors import CheckpointError, ConfigError, LoweringError, TracelrError, Unquoted
from tracelr.files import write_whole, writing
from tracelr.fused.fuse import fuse
from tracelr.optim.scheduler import Scheduler
from tracelr.schedules.describe.sampling import curve

_KEYS = ("step", "model", "optimizer", "scheduler", "params", "history")


@final
class Result(NamedTuple):
    """The state of a run: updates done, loss of the last batch, accuracy on the held-out digits, rate of the next update."""

    step: int
    loss: float
    accuracy: float
    learning_rate: float


@final
class Digits:
    """scikit-learn's 1,797 handwritten digits of 8 x 8 pixels: four fifths to train on, one fifth held out."""

    def __init__(self, seed: int, batch: int) -> None:
        try:
            from sklearn.datasets import load_digits
            from sklearn.model_selection import train_test_split
        except ImportError as error:
            raise _missing("scikit-learn") from error
        data = load_digits()
        split = train_test_split(data.data / 16.0, data.target, test_size=0.2, random_state=seed, stratify=data.target)
        self.x, self.test_x = (torch.tensor(half, dtype=torch.float32) for half in split[:2])
        self.y, self.test_y = (torch.tensor(half, dtype=torch.int64) for half in split[2:])
        self.seed, self.batch = seed, min(batch, len(self.x))

    def batches(self, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches from step `start` on. The samples of a step depend only on the random seed and the step."""
        per_epoch = len(self.x) // self.batch
        step = start
        while True:
            epoch, done = divmod(step, per_epoch)
            order = torch.randperm(len(self.x), generator=torch.Generator().manual_seed(self.seed * 1_000_003 + epoch))
            for k in range(done, per_epoch):
                picked = order[k * self.batch : (k + 1) * self.batch]
                yield self.x[picked], self.y[picked]
                step += 1


def train(params: Params, out: Path, resume: bool = False, restart: bool = False) -> Result:
    """Train in the folder `out`, or continue there, and return the state of the run. `restart` drops an earlier run.

    The folder holds the curve (PNG, SVG), the graph dump, the C header, the verification report, `history.csv` (step, rate
    used, loss), the checkpoint, and a page about all of it. A run that is killed at any moment and resumed gives the same
    rates and weights as a run that is never killed.

    Raises `CheckpointError` if `out` has a checkpoint and neither `resume` nor `restart` is set, if that checkpoint was
    written with other parameters, if another process writes there, or if nothing can be written there; `LoweringError` if a
    target gives other bits than the schedule.
    """
    with alone(out):
        saved = out / "checkpoint.pt"
        if restart:
            with writing(out):
                for path in (saved, out / "verify.txt"):
                    path.unlink(missing_ok=True)
        if saved.exists() and not resume:
            fix = "pass --resume to continue it, --restart to begin again, or --out for another folder"
            raise CheckpointError(f"run folder {out}", Unquoted("a folder that holds a checkpoint"), "one without", fix)
        return _train(params, out, saved)


def _train(params: Params, out: Path, saved: Path) -> Result:
    data, steps = Digits(params["seed"], params["batch_size"]), params["max_steps"]
    torch.set_num_threads(1)  # the order of the sums then does not depend on the machine
    torch.manual_seed(params["seed"])
    model = nn.Sequential(nn.Linear(64, params["hidden_size"]), nn.ReLU(), nn.Linear(params["hidden_size"], 10))
    optimizer = params.optimizer(model.parameters())
    scheduler = Scheduler(optimizer, lr=params.schedule, on_change="strict")
    update = fuse(optimizer, scheduler)
    history = _restore(saved, params, model, optimizer, scheduler) if saved.exists() else []
    start = len(history)
    if not start or not (out / "verify.txt").exists():
        describe(params, out)
    bar = _bar(start, steps)
    for step, (x, y) in zip(bar, data.batches(start), strict=False):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's is untyped
        history.append((step, scheduler.get_last_lr()[0], loss.item()))
        bar.set_postfix(loss=f"{history[-1][2]:.4f}", lr=f"{history[-1][1]:.2e}", refresh=False)
        update()
        if (step + 1) % params["checkpoint_steps"] == 0 or step + 1 == steps:
            states = (step + 1, model.state_dict(), optimizer.state_dict(), scheduler.state_dict(), params.text, history)
            checkpoint.save(saved, dict(zip(_KEYS, states, strict=True)))
            _write_history(out / "history.csv", history)
    _write_report(params, out, history)
    with torch.no_grad():
        accuracy = (model(data.test_x).argmax(-1) == data.test_y).float().mean().item()
    return Result(scheduler.last_epoch, history[-1][2], accuracy, scheduler.get_last_lr()[0])


def describe(params: Params, out: Path) -> None:
    """Write the files that need no training: the curve, the graph, the C header, and the proof that they agree.

    Raises `LoweringError` if a target gives other bits than the schedule.
    """
    curves, picture = [curve(params.schedule, last=params["max_steps"])], io.BytesIO()
    figure_of(curves).savefig(picture, format="png", dpi=150)
    verified = lowering.verify(params.schedule, targets=["c", "inductor"])
    files = {
        "curve.png": picture.getvalue(),
        "curve.svg": svg(curves, params.name).encode(),
        "graph.txt": lowering.dump(params.schedule, "text").encode(),
        "lr.h": lowering.lower(params.schedule, "c").text.encode(),
        "verify.txt": f"{verified}\n".encode(),
    }
    for name, content in files.items():
        write_whole(out / name, content)
    if not verified.ok:
        fix = "report that file, it shows a defect of the target or of its compiler"
        given = Unquoted(f"a target that differs from eager, see {out / 'verify.txt'}")
        raise LoweringError("verify", given, "the same bits", fix, 300)


def _write_report(params: Params, out: Path, history: list[tuple[int, float, float]]) -> None:
    """Write the page of the schedule, with the rates that were used and the step of the checkpoint."""
    used = Curve("", tuple(step for step, _, _ in history), tuple(rate for _, rate, _ in history))
    beside, marks = {"used in this run": used}, {"checkpoint": len(history)}
    name, targets = Path(params.name).stem, ["c", "cuda", "onnx"]
    report.write(
        params.schedule, out / "report.html", name=name, targets=targets, source=params.name, beside=beside, marks=marks
    )


def _restore(
    path: Path, params: Params, model: nn.Module, optimizer: torch.optim.Optimizer, scheduler: Scheduler
) -> list[tuple[int, float, float]]:
    """Load the checkpoint at `path` and return its history, one row for each step done."""
    state = checkpoint.load(path, _KEYS)
    if not isinstance(state["params"], str) or state["params"] != params.text:
        fix = "resume with the file that the run began with, or use --out for another folder"
        given, allowed = Unquoted("a checkpoint of other parameters"), f"a checkpoint of {params.name}"
        raise CheckpointError(f"checkpoint {path}", given, allowed, fix)
    try:
        _check_form(state["optimizer"], optimizer)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        history = [(int(step), float(rate), float(loss)) for step, rate, loss in state["history"]]
        if [step for step, _, _ in history] != list(range(scheduler.last_epoch)) or not history:
            raise ValueError(f"a history of other steps than 0 to {scheduler.last_epoch - 1}")
        return history
    except TracelrError:
        raise
    except Exception as error:  # torch raises many classes for a foreign state
        text = " ".join(str(error).split())[:200]
        reason = Unquoted(f"states of another model or optimizer ({type(error).__name__}: {text})")
        raise CheckpointError(f"checkpoint {path}", reason, "those of this training", "use --restart", 300) from error


def _check_form(state: Any, optimizer: torch.optim.Optimizer) -> None:
    """Raise unless `state` has the keys, types and shapes of this optimizer after a step: torch checks the groups alone."""
    fresh = copy.deepcopy(optimizer)
    for group in fresh.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    fresh.step()
    if _form(state) != _form(fresh.state_dict()):
        raise ValueError("another form of state")


def _form(value: Any) -> Any:
    """Return what a state looks like without its numbers."""
    if isinstance(value, dict):
        return {key: _form(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_form(one) for one in value]
    return (value.dtype, value.shape, value.layout) if isinstance(value, Tensor) else type(value)


def _bar(start: int, steps: int) -> Any:
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise _missing("tqdm") from error
    return tqdm(range(start, steps), initial=start, total=steps, unit="step", disable=None)


def _missing(package: str) -> ConfigError:
    return ConfigError("train", Unquoted(f"no {package}"), f"{package}, installed", "pip install 'tracelr[demo]'")


def _write_history(path: Path, history: list[tuple[int, float, float]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("step", "learning_rate", "loss"), *history])
    write_whole(path, text.getvalue().encode())
