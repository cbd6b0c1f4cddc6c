"""One HTML page, in one file, about a schedule: what it does and what code it becomes. The page needs no network."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Collection, Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template

import torch

from tracelr._torch import alone
from tracelr.errors import ScheduleError
from tracelr.files import write_whole
from tracelr.report.chooser import chooser, driven
from tracelr.report.html import data, facts, h
from tracelr.report.section import Order, section
from tracelr.schedules.assignment import Loaded
from tracelr.schedules.base import Schedule

_HELD, _FEWEST = 16_384, 2_048  # steps in all the curves of a page, and the fewest in one curve


@alone()
def page(
    loaded: Loaded,
    *,
    name: str,
    targets: Sequence[str] | None = None,
    verify: bool | Collection[str] = True,
    steps: int | None = None,
    source: str = "FILE",
    tell: Callable[[str], object] | None = None,
) -> str:
    """Return the page of a schedule, or of assignments with a list to choose from, as HTML.

    `name` is the title. `targets` are the names of the targets whose code is shown, by default all; with `verify`, those
    that can run here are run and compared with eager. `steps` is the last step of the curves, by default somewhat beyond the
    end of the schedule. `verify` may also be a list of targets: those are run. `tell` is called with the name of each target
    before it is lowered. `source` is the FILE argument in the commands that the page shows. The same schedule gives the same
    bytes with the same versions on the same machine.

    Raises `LoweringError` for an unknown target, and `TraceError` for a schedule that cannot become a graph.

    >>> from tracelr import Constant
    >>> page(Constant(0.1), name="still", targets=["c"], verify=False).splitlines()[0]
    '<!doctype html>'
    """
    groups = driven(loaded)
    if not groups:
        raise ScheduleError("report.page", [], "a schedule, or one assignment or more", "pass a schedule")
    most = max(_HELD // len(groups), _FEWEST)
    sections = [
        section(group.schedule, f"s{k}", group.heading, Order(targets, verify, steps, source, tell), most)
        for k, group in enumerate(groups)
    ]
    content = {
        "schedules": [one.data | {"name": group.name, "key": group.key} for one, group in zip(sections, groups, strict=True)]
    }
    return Template(_asset("page.html")).substitute(
        title=h(name),
        style=_asset("page.css"),
        script="\n".join(_asset(f"{name}.js") for name in ("curve", "plot", "graph", "page")),
        chooser="" if isinstance(loaded, Schedule) else chooser(loaded, groups, [one.samples for one in sections]),
        articles="\n".join(one.html for one in sections),
        versions=facts(
            [
                ("tracelr", h(version("tracelr"))),
                ("torch", h(torch.__version__)),
                ("Python", h(platform.python_version())),
                ("Made on", h(f"{platform.system()} {platform.machine()}")),
            ]
        ),
        data=data(content),
    )


def write(
    loaded: Loaded,
    path: str | os.PathLike[str],
    *,
    name: str,
    targets: Sequence[str] | None = None,
    verify: bool = True,
    steps: int | None = None,
    source: str = "FILE",
) -> None:
    """Write the page that `page` returns to the file `path`, completely or not at all."""
    text = page(loaded, name=name, targets=targets, verify=verify, steps=steps, source=source)
    write_whole(Path(path), text.encode())


def _asset(name: str) -> str:
    return files(__name__).joinpath("assets", name).read_text("utf-8").rstrip("\n")
