"""Curves drawn by matplotlib."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracelr.drawing.axes import Curve, panels, short_name
from tracelr.errors import ScheduleError, Unquoted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_STYLES = ("-", "--", ":", "-.")  # a curve can be told from its neighbours without its colour


def draw(curves: Sequence[Curve], axes: Axes, log: bool = False, legend: bool = False) -> Axes:
    """Draw `curves` on `axes` and return the axes. Several curves with names get a legend, and with `legend` one curve."""
    few = all(len(curve.steps) <= 200 for curve in curves)
    for k, curve in enumerate(curves):
        axes.plot(
            curve.steps,
            curve.values,
            label=short_name(curve.name, 60) or None,
            drawstyle="steps-post" if few else "default",
            linestyle=_STYLES[k % len(_STYLES)],
        )
    axes.set_xlabel("step")
    axes.set_ylabel(short_name(curves[0].quantity, 40) or "learning rate", parse_math=False)
    axes.grid(alpha=0.3)
    if log:
        axes.set_yscale("log")
    elif axes.get_yscale() == "linear":
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    if any(curve.name for curve in curves) and (legend or len(curves) > 1):
        for text in axes.legend().get_texts():
            text.set_parse_math(False)  # a $ in a name is a letter
    return axes


def figure_of(curves: Sequence[Curve], title: str = "", log: bool = False) -> Figure:
    """Return a figure of `curves`, one above the other if they are of several quantities.

    Raises `ScheduleError` if matplotlib is not installed.
    """
    figure, shown = _figure(), panels(curves)
    figure.set_size_inches(7, 3.5 * len(shown))
    every = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (_, group) in zip(every, shown, strict=True):
        draw(group, axes, log, legend=len(curves) > 1)
        axes.set_xlabel("step" if axes is every[-1] else "")
    every[0].set_title(short_name(title, 90), parse_math=False)
    return figure


def new_axes() -> Axes:
    """Return empty axes of a new figure: one of pyplot if that is imported, so that a notebook shows it."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    figure = _figure() if pyplot is None else pyplot.figure(figsize=(7, 3.5), layout="constrained")
    return figure.add_subplot()


def _figure() -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        fix = "pip install 'tracelr[demo]'"
        raise ScheduleError("plot", Unquoted("no matplotlib"), "matplotlib, installed", fix) from error
    except Exception as error:  # of its settings, such as a wrong MPLBACKEND
        given = Unquoted(f"a matplotlib that does not start ({' '.join(str(error).split())[:200]})")
        raise ScheduleError("plot", given, "one that does", "correct its settings in the environment", 300) from error
    return Figure(figsize=(7, 3.5), layout="constrained")
