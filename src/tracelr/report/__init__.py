"""One HTML page, in one file, about a schedule: what it does and what code it becomes. The page needs no network."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import torch

from tracelr._torch import alone
from tracelr.drawing.axes import Curve
from tracelr.errors import ScheduleError
from tracelr.files import write_whole
from tracelr.report.chooser import Group, chooser, driven
from tracelr.report.html import data, facts, h
from tracelr.report.samples import Samples, values
from tracelr.report.section import Order, section
from tracelr.schedules.assignment import Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.phases import phases

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
    quantity: str = "learning rate",
    unit: str = "step",
    per_step: Mapping[str, float] | None = None,
    beside: Mapping[str, Loaded | Curve] | None = None,
    marks: Mapping[str, int] | None = None,
) -> str:
    """Return the page of a schedule, or of assignments with a list to choose from, as HTML.

    `name` is the title. `targets` are the names of the targets whose code is shown, by default all; with `verify`, those
    that can run here are run and compared with eager. `steps` is the last step of the curves, by default somewhat beyond the
    end of the schedule. `verify` may also be a list of targets: those are run. `tell` is called with the name of each target
    before it is lowered. `source` is where the schedule comes from; the commands that the page shows have it as FILE.

    `quantity` is what one schedule drives; of assignments, the keys say it. `unit` is what a step of the schedule is, as
    "token"; `per_step` names other units for the axis, and how much of each a step is: `{"epoch": 1 / 1250}`. `beside` are
    other schedules, assignments, or the points of a log, each with its name, which are drawn in the same axes as the
    schedule of the same key. `marks` are steps to mark, such as `{"checkpoint": 42_000}`.

    The same schedule gives the same bytes with the same versions on the same machine.

    Raises `LoweringError` for an unknown target, and `TraceError` for a schedule that cannot become a graph.

    >>> from tracelr import Constant
    >>> page(Constant(0.1), name="still", targets=["c"], verify=False).splitlines()[0]
    '<!doctype html>'
    """
    groups = driven(loaded)
    if not groups:
        raise ScheduleError("report.page", [], "a schedule, or one assignment or more", "pass a schedule")
    most = max(_HELD // len(groups), _FEWEST)
    drawn = [(label, one) for label, other in (beside or {}).items() for one in _drawn(other)]
    held = (*(marks or {}).values(), *(step for _, one in drawn if isinstance(one, Group) for step in _bounds(one)))
    sections = [
        section(
            group.schedule,
            f"s{k}",
            group.heading,
            Order(targets, verify, steps, source, group.key or "lr", held, tell),
            most,
        )
        for k, group in enumerate(groups)
    ]
    shown = {group.key or "lr": one.samples for one, group in zip(sections, groups, strict=True)}
    content = {
        "schedules": [
            one.data | {"name": group.name or name, "key": group.key or "lr", "quantity": group.quantity or quantity}
            for one, group in zip(sections, groups, strict=True)
        ],
        "beside": [{"name": label, "phases": [], **_packed(one, shown)} for label, one in drawn],
        "marks": [[label, step] for label, step in (marks or {}).items()],
        "units": [[unit, 1], *([label, amount] for label, amount in (per_step or {}).items())],
    }
    return Template(_asset("page.html")).substitute(
        title=h(name),
        source="" if source == "FILE" else f'<p class="source">from <code>{h(source)}</code></p>',
        style=_asset("page.css"),
        script="\n".join(_asset(f"{name}.js") for name in ("curve", "plot", "saving", "graph", "page")),
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
    quantity: str = "learning rate",
    unit: str = "step",
    per_step: Mapping[str, float] | None = None,
    beside: Mapping[str, Loaded | Curve] | None = None,
    marks: Mapping[str, int] | None = None,
) -> None:
    """Write the page that `page` returns to the file `path`, completely or not at all."""
    text = page(
        loaded, name=name, targets=targets, verify=verify, steps=steps, source=source, quantity=quantity, unit=unit,
        per_step=per_step, beside=beside, marks=marks,
    )  # fmt: skip
    write_whole(Path(path), text.encode())


def _drawn(other: Loaded | Curve) -> Sequence[Group | Curve]:
    """Return what is drawn beside a schedule: the schedules of each key, or the points of a log."""
    return [other] if isinstance(other, Curve) else driven(other)


def _bounds(group: Group) -> list[int]:
    """Return the steps at which a schedule changes its formula, so that both curves hold them."""
    return [phase.first for phase in phases(group.schedule)][:_FEWEST]


def _packed(one: Group | Curve, shown: Mapping[str, Samples]) -> dict[str, Any]:
    """Return the key, and the samples at the steps of the schedule of the same key. A log is one of rates."""
    if isinstance(one, Curve):
        held = Samples(torch.tensor(one.steps), torch.tensor(one.values, dtype=torch.float32), one.steps[-1])
        return {"key": "lr", **held.packed()}
    key = one.key or "lr"
    like = shown.get(key, next(iter(shown.values())))
    return {"key": key, **like._replace(values=values(one.schedule, like.steps)).packed()}


def _asset(name: str) -> str:
    return files(__name__).joinpath("assets", name).read_text("utf-8").rstrip("\n")
