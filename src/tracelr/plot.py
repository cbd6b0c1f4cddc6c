"""Pictures of schedules for people."""

from __future__ import annotations

from pathlib import Path

import torch

from tracelr.arithmetic import LAST_STEP
from tracelr.checkpoint import write_whole
from tracelr.errors import ScheduleError
from tracelr.schedule import Schedule

_POINTS = 2000


def plot(schedule: Schedule, path: str | Path, steps: int | None = None) -> None:
    """Draw the rate over steps 0 to `steps` into `path`; the suffix chooses the format (.png, .svg, .pdf).

    `steps` defaults to a tenth more than the schedule's own length, or 1000 where it has none.

    Raises `ScheduleError` if matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ScheduleError("plot: matplotlib is not installed; to fix it: pip install 'tracelr[demo]'.") from error
    if steps is None:
        steps = min(-(-(schedule.length or 909) * 11 // 10), LAST_STEP)
    at = torch.unique(torch.linspace(0, steps, _POINTS, dtype=torch.float64).long())
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(at.tolist(), schedule(at).tolist(), drawstyle="steps-post" if steps < _POINTS else "default")
    axes.set(xlabel="step", ylabel="learning rate", xlim=(0, steps))
    axes.grid(alpha=0.3)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    path = Path(path)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with rc_context({"svg.hashsalt": "tracelr"}):  # the same schedule gives the same bytes
        write_whole(path, lambda file: figure.savefig(file, format=path.suffix[1:], dpi=150, metadata=metadata))
