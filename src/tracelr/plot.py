"""Pictures of schedules for people, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tracelr.arithmetic import LAST_STEP
from tracelr.checkpoint import write_whole
from tracelr.curve import Curve
from tracelr.errors import ScheduleError, Words
from tracelr.schedule import Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 2000


def draw(curves: Sequence[Curve], axes: Axes, log: bool = False) -> Axes:
    """Draw `curves` on `axes` and return them; names make a legend."""
    few = all(len(curve.steps) <= 200 for curve in curves)
    for curve in curves:
        axes.plot(curve.steps, curve.values, label=curve.name or None, drawstyle="steps-post" if few else "default")
    axes.set(xlabel="step", ylabel="learning rate")
    axes.grid(alpha=0.3)
    if log:
        axes.set_yscale("log")
    elif axes.get_yscale() == "linear":
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    if any(curve.name for curve in curves) and len(curves) > 1:
        axes.legend()
    return axes


def figure_of(curves: Sequence[Curve], title: str = "", log: bool = False) -> Figure:
    """Return a figure of `curves`.

    Raises `ScheduleError` if matplotlib is not installed.
    """
    figure = _figure()
    draw(curves, figure.add_subplot(), log).set_title(title)
    return figure


def new_axes() -> Axes:
    """Return empty axes of a new figure: pyplot's where it is in use, so that a notebook shows them."""
    import sys

    pyplot = sys.modules.get("matplotlib.pyplot")
    figure = _figure() if pyplot is None else pyplot.figure(figsize=(7, 3.5), layout="constrained")
    return figure.add_subplot()


def _figure() -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ScheduleError(
            "plot", Words("no matplotlib"), "matplotlib, installed", "pip install 'tracelr[demo]'"
        ) from error
    return Figure(figsize=(7, 3.5), layout="constrained")


def plot(schedule: Schedule, path: str | Path, steps: int | None = None) -> None:
    """Draw the rate over steps 0 to `steps` into `path`; the suffix chooses the format (.png, .svg, .pdf).

    `steps` defaults to a tenth more than the schedule's own length, or 1000 where it has none.

    Raises `ScheduleError` if matplotlib is not installed.
    """
    figure = _figure()
    from matplotlib import rc_context

    if steps is None:
        steps = min(-(-(schedule.length or 909) * 11 // 10), LAST_STEP)
    at = torch.unique(torch.linspace(0, steps, _POINTS, dtype=torch.float64).long())
    axes = figure.add_subplot()
    axes.plot(at.tolist(), schedule(at).tolist(), drawstyle="steps-post" if steps < _POINTS else "default")
    axes.set(xlabel="step", ylabel="learning rate", xlim=(0, steps))
    axes.grid(alpha=0.3)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    path = Path(path)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with rc_context({"svg.hashsalt": "tracelr"}):  # the same schedule gives the same bytes
        write_whole(path, lambda file: figure.savefig(file, format=path.suffix[1:], dpi=150, metadata=metadata))
