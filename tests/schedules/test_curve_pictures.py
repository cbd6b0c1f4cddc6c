"""Pictures of curves: the points, the axes, the SVG, the terminal, matplotlib, notebooks and rich."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest
import torch
from support.table import ROWS

from tracelr import Constant, Cosine, CosineAnnealing, Linear, PiecewiseConstant, Schedule
from tracelr.drawing.axes import Curve, step_axis, value_axis
from tracelr.drawing.svg import svg
from tracelr.drawing.terminal import terminal
from tracelr.errors import ScheduleError
from tracelr.schedules.describe.sampling import curve

RUN = Linear(0.0, 3e-4, 2000).then(Cosine(3e-4, 3e-5, 98_000))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", ROWS)
def test_points_are_values_at_increasing_steps(name: str) -> None:
    schedule = ROWS[name].schedule
    found = curve(schedule)
    assert found.steps[0] == 0
    assert all(a < b for a, b in zip(found.steps, found.steps[1:], strict=False))
    assert schedule(torch.tensor(found.steps)).tolist() == list(found.values)
    assert 2 <= len(found.steps) <= 5000


@pytest.mark.parametrize("name", ROWS)
def test_every_picture_can_be_drawn(name: str) -> None:
    schedule = ROWS[name].schedule
    root = ElementTree.fromstring(schedule._repr_svg_())
    assert root.tag == f"{SVG}svg"
    assert "nan" not in str(schedule._repr_svg_())
    html = schedule._repr_html_()
    assert html == schedule._repr_html_()
    assert "<style" not in html, "inside a page it would colour the page"
    assert max(map(len, terminal([curve(schedule)]).splitlines())) <= 80


def test_no_wave_and_no_jump_is_lost_between_two_points() -> None:
    found = curve(CosineAnnealing(1.0, 0.0, 37), last=1_000_000)
    assert (min(found.values), max(found.values)) == (0.0, 1.0)
    steps = curve(PiecewiseConstant([1.0, 0.5], [654_321]), last=1_000_000).steps
    assert {654_320, 654_321} <= set(steps)


def test_ticks_are_round_numbers_inside_the_axis() -> None:
    x, y = step_axis([curve(RUN)]), value_axis([curve(RUN)])
    assert [label for _, label in x.ticks] == ["0", "20k", "40k", "60k", "80k", "100k"]
    assert [label for _, label in y.ticks] == ["0", "1e-4", "2e-4", "3e-4"]
    log = value_axis([curve(RUN)], log=True)
    assert [label for _, label in log.ticks] == ["1e-5", "1e-4", "1e-3"]
    for axis in (x, y, log):
        assert all(-1e-9 <= axis.place(tick) <= 1 + 1e-9 for tick, _ in axis.ticks)
    assert math.isclose(log.place(1e-4), 0.5)


def test_a_flat_curve_and_a_zero_one_have_axes() -> None:
    assert value_axis([curve(Constant(0.1))]).low == 0.0
    assert value_axis([curve(Constant(0.0))]).high == 1.0
    with pytest.raises(ScheduleError) as caught:
        value_axis([curve(Constant(0.0))], log=True)
    assert str(caught.value) == "axis: given no value above 0; allowed: one or more; to fix it: leave the axis linear."
    with pytest.raises(ScheduleError) as caught:
        curve(RUN, 5, 5)
    assert (
        str(caught.value)
        == "curve: given steps 5 to 5; allowed: 0 <= first < last <= 2**53; to fix it: pass a longer range."
    )


def test_the_svg_is_the_same_bytes_with_its_text_escaped() -> None:
    curves = [curve(RUN, name='</text><script>alert("1")</script>\x00'), curve(Constant(1e-4), last=110_000, name="b")]
    text = svg(curves, "<title> & more")
    assert text == svg(curves, "<title> & more")
    root = ElementTree.fromstring(text)
    assert not list(root.iter(f"{SVG}script"))
    assert {"<title> & more", "step", "b"} <= {node.text for node in root.iter(f"{SVG}text")}
    lines = [node for node in root.iter(f"{SVG}path") if node.get("fill") == "none"]
    assert len(lines) == 2
    assert len({line.get("stroke") for line in lines}) == 2
    assert "@media (prefers-color-scheme:dark)" in text
    assert len(text) < 30_000


def test_the_line_goes_through_the_right_places() -> None:
    text = svg([Curve("", (0, 50, 100), (0.0, 1.0, 0.0))])
    assert 'd="M62.00 260.00L341.00 30.00L620.00 260.00"' in text


def test_matplotlib_draws_the_same_points() -> None:
    axes = RUN.plot(last=4000, log=True, name="ours")
    (line,) = axes.get_lines()
    found = curve(RUN, last=4000)
    assert list(line.get_xdata()) == list(found.steps)
    assert list(line.get_ydata()) == list(found.values)
    assert (axes.get_yscale(), axes.get_xlabel(), line.get_label()) == ("log", "step", "ours")
    assert Constant(0.1).plot(axes) is axes
    assert len(axes.get_lines()) == 2


def test_rich_prints_the_curve() -> None:
    console = pytest.importorskip("rich.console").Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    schedule: Schedule = Linear(0.0, 1.0, 100)
    console.print(schedule)
    printed = console.export_text()
    assert printed.startswith("Linear(start=0.0, end=1.0, steps=100)\n")
    assert terminal([curve(schedule)]) in printed
    console.file.close()


def test_a_schedule_without_memory_has_no_picture() -> None:
    schedule = PiecewiseConstant([1.0, 0.5], [3]).to("meta")
    assert (schedule._repr_html_(), schedule._repr_svg_()) == (None, None)


def test_a_notebook_shows_the_picture_and_the_repr() -> None:
    html = Linear(0.0, 1.0, 100)._repr_html_()
    assert html.startswith("<svg")
    assert html.endswith('</svg>\n<pre style="white-space:pre-wrap">Linear(start=0.0, end=1.0, steps=100)</pre>\n')
