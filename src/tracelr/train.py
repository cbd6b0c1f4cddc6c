"""The main job: a small network on real handwritten digits, with the schedule inside the compiled update."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from tracelr import checkpoint, lowering
from tracelr.checkpoint import write_whole, writing
from tracelr.errors import CheckpointError, ConfigError, LoweringError, TracelrError, Words
from tracelr.fuse import fuse
from tracelr.job import Job
from tracelr.plot import plot
from tracelr.run_folder import alone
from tracelr.scheduler import Scheduler

_KEYS = ("step", "model", "optimizer", "scheduler", "params")


@final
@dataclass(frozen=True)
class Result:
    """Where a run stands: updates done, the last batch's loss, accuracy on the held-out digits, the next update's rate."""

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
            raise ConfigError(
                "train", Words("no scikit-learn"), "scikit-learn, installed", "pip install 'tracelr[demo]'"
            ) from error
        data = load_digits()
        parts = train_test_split(data.data / 16.0, data.target, test_size=0.2, random_state=seed, stratify=data.target)
        self.x, self.test_x = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
        self.y, self.test_y = (torch.tensor(part, dtype=torch.int64) for part in parts[2:])
        self.seed, self.batch = seed, min(batch, len(self.x))

    def batches(self, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches from step `start` on; which samples a step sees depends on the seed and the step alone."""
        per_epoch = len(self.x) // self.batch
        step = start
        while True:
            epoch, done = divmod(step, per_epoch)
            order = torch.randperm(len(self.x), generator=torch.Generator().manual_seed(self.seed * 1_000_003 + epoch))
            for k in range(done, per_epoch):
                picked = order[k * self.batch : (k + 1) * self.batch]
                yield self.x[picked], self.y[picked]
                step += 1


def train(job: Job, out: Path, resume: bool = False, restart: bool = False) -> Result:
    """Run `job` in the folder `out`, or continue it there, and return where it stands. `restart` drops what is there.

    The folder holds the curve (PNG, SVG), the graph dump, the C header, the verification report, `history.csv` (step, rate
    used, loss) and the checkpoint. A run killed at any moment and resumed gives the rates and weights of one never killed.

    Raises `CheckpointError` if `out` has a checkpoint and neither `resume` nor `restart` is set, if it is not of this job,
    if another process writes there, or if nothing can be written there; `LoweringError` if a lowered form of the schedule
    differs from it in any bit.
    """
    with alone(out):
        return _train(job, out, resume, restart)


def _train(job: Job, out: Path, resume: bool, restart: bool) -> Result:
    saved = out / "checkpoint.pt"
    if restart:
        with writing(out):
            for name in ("checkpoint.pt", "verify.txt"):
                (out / name).unlink(missing_ok=True)
    if saved.exists() and not resume:
        fix = "pass --resume to continue it, --restart to begin again, or --out for another folder"
        raise CheckpointError(f"run folder {out}", Words("one that holds a checkpoint"), "one without", fix)
    data = Digits(job.seed, job.batch)
    torch.set_num_threads(1)  # too small to share, and then the order of the sums does not depend on the machine
    torch.manual_seed(job.seed)
    model = nn.Sequential(nn.Linear(64, job.hidden), nn.ReLU(), nn.Linear(job.hidden, 10))
    optimizer = job.optimizer(model.parameters())
    scheduler = Scheduler(optimizer, lr=job.schedule, on_change="strict")
    update = fuse(optimizer, scheduler)
    start = _restore(saved, job, model, optimizer, scheduler) if saved.exists() else 0
    if not start or not (out / "verify.txt").exists():
        describe(job, out)
    with _History(out / "history.csv", start) as history:
        bar = _bar(start, job.steps)
        for step, (x, y) in zip(bar, data.batches(start), strict=False):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()  # type: ignore[no-untyped-call]  # torch's is untyped
            rate = scheduler.get_last_lr()[0]
            history.add(step, rate, loss.item())
            bar.set_postfix(loss=f"{history.loss:.4f}", lr=f"{rate:.2e}", refresh=False)
            update()
            if (step + 1) % job.save_every == 0 or step + 1 == job.steps:
                history.flush()
                states = (step + 1, model.state_dict(), optimizer.state_dict(), scheduler.state_dict(), job.text)
                checkpoint.save(saved, dict(zip(_KEYS, states, strict=True)))
        last = history.loss
    with torch.no_grad():
        accuracy = (model(data.test_x).argmax(-1) == data.test_y).float().mean().item()
    return Result(scheduler.last_epoch, last, accuracy, scheduler.get_last_lr()[0])


def describe(job: Job, out: Path) -> None:
    """Write what can be said before the first step: the curve, the graph, the header, and the proof that they agree."""
    plot(job.schedule, out / "curve.png", job.steps)
    plot(job.schedule, out / "curve.svg", job.steps)
    report = lowering.verify(job.schedule, targets=["c", "inductor"])
    texts = {
        "graph.txt": lowering.dump(job.schedule, "text"),
        "lr.h": lowering.lower(job.schedule, "c").text,
        "verify.txt": f"{report}\n",
    }
    for name, text in texts.items():
        # mypy cannot type a lambda with a default
        write_whole(out / name, lambda file, text=text: file.write(text.encode()))  # type: ignore[misc]
    if not report.ok:
        fix = "report that file, it is a defect of the target or of its compiler"
        given = Words(f"a target that differs from eager, see {out / 'verify.txt'}")
        raise LoweringError("verify", given, "the same bits", fix, 300)


def _restore(path: Path, job: Job, model: nn.Module, optimizer: torch.optim.Optimizer, scheduler: Scheduler) -> int:
    state = checkpoint.load(path, _KEYS)
    if state["params"] != job.text:
        fix = "resume with the file the run began with, or use --out for another folder"
        raise CheckpointError(f"checkpoint {path}", Words("one of other parameters"), f"one of {job.name}", fix)
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        return int(state["step"])
    except TracelrError:
        raise
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:  # what torch says of foreign states
        reason = Words(f"states of another model or optimizer ({str(error).strip().splitlines()[0]})")
        raise CheckpointError(f"checkpoint {path}", reason, "those of this job", "use --restart") from error


def _bar(start: int, steps: int) -> Any:
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ConfigError("train", Words("no tqdm"), "tqdm, installed", "pip install 'tracelr[demo]'") from error
    return tqdm(range(start, steps), initial=start, total=steps, unit="step", disable=None)


@final
class _History:
    """`history.csv`, cut back to the checkpoint on resume: what a killed run wrote past it is run again."""

    def __init__(self, path: Path, start: int) -> None:
        kept = []
        if start and path.exists():
            kept = [row for row in csv.reader(path.read_text().splitlines()[1:]) if len(row) == 3 and int(row[0]) < start]
        text = io.StringIO()
        csv.writer(text).writerows([("step", "learning_rate", "loss"), *kept])
        write_whole(path, lambda file: file.write(text.getvalue().encode()))
        self.loss = float(kept[-1][2]) if kept else float("nan")
        self._path = path
        with writing(path):
            self._file = path.open("a", newline="")
        self._rows = csv.writer(self._file)

    def add(self, step: int, rate: float, loss: float) -> None:
        self.loss = loss
        with writing(self._path):
            self._rows.writerow((step, repr(rate), repr(loss)))

    def flush(self) -> None:
        with writing(self._path):
            self._file.flush()

    def __enter__(self) -> _History:
        return self

    def __exit__(self, *error: object) -> None:
        with writing(self._path):
            self._file.close()
