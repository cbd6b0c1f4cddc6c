"""The page of a schedule in a browser: it needs no network, logs no error, and shows the right numbers by mouse and keyboard."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from support.bad_values import BREAKING_OUT
from support.terminal import RUN as WARM

from tracelr import Assignment, Constant, Linear, OneCycle, Schedule, report
from tracelr.drawing.axes import Curve

CHROMIUM = shutil.which("chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install 'tracelr[browser]')")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

CYCLE = OneCycle(0.01, 0.1, 1e-6, 999, 299)
LISTED = [
    Assignment("lr", ("a",), WARM),
    Assignment("lr", (BREAKING_OUT,), Linear(1e-3, 0.0, 100)),
    Assignment("weight_decay", None, Constant(0.1)),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    schedules = {"warm": WARM, "cycle": CYCLE, "listed": LISTED}
    for name, loaded in schedules.items():
        report.write(loaded, folder / f"{name}.html", name=BREAKING_OUT, targets=["c", "onnx"], verify=False)
    beside = {BREAKING_OUT: Constant(0.05), "=run 7": Curve("", (0, 400, 800), (0.01, 0.03, 0.07))}
    marks, per_step = {BREAKING_OUT: 400}, {"epoch": 0.01}
    schedules["beside"] = CYCLE
    report.write(
        CYCLE, folder / "beside.html", name="cycle", targets=[], verify=False, beside=beside, marks=marks, per_step=per_step
    )
    return {name: (folder / f"{name}.html").as_uri() for name in schedules}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """A page that is open, and what went wrong on it."""

    def __init__(self, browser: Any, address: str, width: int = 1400, **options: Any) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900}, **options)
        self.wrong: list[str] = []
        self.page.on("console", lambda message: self.wrong.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append("a dialog"))
        self.page.on(
            "request",
            lambda request: request.url == address or request.url.startswith("data:") or self.wrong.append(request.url),
        )
        self.page.goto(address)

    def read(self, what: str, inside: str = "#s0") -> str:
        return self.page.locator(f"{inside} [data-read={what}]").inner_text()

    def unfold(self, part: str, inside: str = "#s0") -> None:
        self.page.locator(f"{inside}-{part} summary").click()

    def shows(self, schedule: Schedule, inside: str = "#s0") -> int:
        """Check that the cursor reads what the schedule gives; return its step."""
        step = int(self.read("step", inside).replace(",", ""))
        want = schedule(step)
        shown = torch.tensor(float(self.read("value", inside)), dtype=torch.float64).to(torch.float32)
        assert torch.equal(shown.view(torch.int32), want.detach().view(torch.int32))
        assert self.read("bits", inside) == f"0x{int(want.view(torch.int32)) & 0xFFFFFFFF:08x}"
        slider = self.page.locator(f"{inside} [role=slider]")
        assert int(slider.get_attribute("aria-valuenow")) == step
        assert self.read("value", inside) in slider.get_attribute("aria-valuetext")
        return step


@pytest.fixture
def open_page(browser: Any, pages: dict[str, str]) -> Iterator[Any]:
    tabs: list[Tab] = []

    def open_one(name: str, **options: Any) -> Tab:
        tabs.append(Tab(browser, pages[name], **options))
        return tabs[-1]

    yield open_one
    for tab in tabs:
        tab.page.close()
        assert tab.wrong == []


def test_the_cursor_reads_the_value_by_keyboard(open_page: Any) -> None:
    tab = open_page("cycle")
    tab.page.locator("#s0 .plot").focus()
    seen = [tab.shows(CYCLE)]
    for key in (
        "ArrowRight",
        "ArrowRight",
        "Shift+ArrowRight",
        "ArrowLeft",
        "End",
        "ArrowRight",
        "ArrowLeft",
        "PageDown",
        "Home",
    ):
        tab.page.keyboard.press(key)
        seen.append(tab.shows(CYCLE))
    assert seen == [0, 1, 2, 12, 11, 1099, 1099, 1098, 988, 0]
    field = tab.page.get_by_label("Go to step")
    for step in (298, 299, 300, 998, 999, 1000):
        field.fill(str(step))
        field.press("Enter")
        assert tab.shows(CYCLE) == step
    assert tab.read("phase") == "flat"


def test_the_cursor_reads_the_value_by_mouse_and_stops_at_bounds(open_page: Any) -> None:
    tab = open_page("warm")
    box = tab.page.locator("#s0 .plot").bounding_box()
    seen = []
    for part in (0.1, 0.3, 0.5, 0.77, 0.95):
        tab.page.mouse.move(box["x"] + part * box["width"], box["y"] + 100)
        seen.append(tab.shows(WARM))
    assert seen == sorted(set(seen))
    assert abs(seen[2] - 55_000) < 4000
    field = tab.page.get_by_label("Go to step")
    for step in (1999, 2000, 99_999, 100_000, 110_000):
        field.fill(str(step))
        field.press("Enter")
        assert tab.shows(WARM) == step
    field.fill("2000")
    field.press("Enter")
    assert (tab.read("step"), tab.read("value"), tab.read("phase")) == ("2,000", "0.0003", "decay")


def test_the_curve_zooms_and_turns_to_a_logarithmic_axis(open_page: Any) -> None:
    tab = open_page("warm")
    labels = tab.page.locator("#s0 .plot .tick")
    whole = labels.all_text_contents()
    box = tab.page.locator("#s0 .plot").bounding_box()
    tab.page.mouse.move(box["x"] + 100, box["y"] + 100)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + 300, box["y"] + 100, steps=3)
    tab.page.mouse.up()
    assert labels.all_text_contents() != whole
    tab.page.keyboard.press("0")
    assert labels.all_text_contents() == whole
    tab.page.keyboard.press("+")
    tab.page.keyboard.press("+")
    assert labels.all_text_contents() != whole
    tab.page.keyboard.press("-")
    tab.page.keyboard.press("-")
    tab.page.mouse.dblclick(box["x"] + 300, box["y"] + 100)
    assert labels.all_text_contents() == whole
    tab.page.get_by_role("button", name="Logarithmic axis (L)").click()
    assert "1e-4" in labels.all_text_contents()
    assert tab.page.get_by_text("Values of 0 or less are not on a logarithmic axis.").is_visible()
    tab.page.get_by_role("button", name="warm-up").click()
    assert tab.shows(WARM) == 0
    assert "2,000" in labels.all_text_contents() or "2k" in labels.all_text_contents()


def test_tabs_switch_by_click_and_by_keyboard(open_page: Any) -> None:
    tab = open_page("warm")
    tab.unfold("code")
    strip = tab.page.get_by_role("tablist", name="Code of each target")
    shown = tab.page.locator("#s0-code [role=tabpanel]:visible")
    assert strip.get_by_role("tab", selected=True).inner_text() == "c"
    assert "float lr(int64_t step)" in shown.inner_text()
    strip.get_by_role("tab", name="onnx").click()
    assert shown.count() == 1
    assert "float lr(int64_t step)" not in shown.inner_text()
    for key, name in (("ArrowRight", "graph"), ("ArrowRight", "c"), ("ArrowLeft", "graph"), ("Home", "c"), ("End", "graph")):
        tab.page.keyboard.press(key)
        assert tab.page.evaluate("document.activeElement.textContent") == name
        assert strip.get_by_role("tab", selected=True).inner_text() == name
        assert shown.get_attribute("data-name") == name
    assert strip.locator("[tabindex='0']").count() == 1


def test_a_text_is_copied_as_it_is(open_page: Any) -> None:
    tab = open_page("warm")
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.unfold("configuration")
    press = tab.page.locator("#s0-configuration .copy").first
    press.click()
    playwright.expect(press).to_have_text("Copied")
    text = tab.page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("schedule: Sequential\nschedules:\n- schedule: Linear\n")


def test_the_graph_pans_zooms_and_says_what_a_node_is(open_page: Any) -> None:
    tab = open_page("warm")
    tab.unfold("graph")
    graph, tip = tab.page.locator("#s0 .graph-view"), tab.page.locator("#s0 .tip")
    graph.scroll_into_view_if_needed()

    def view() -> list[float]:
        return [float(part) for part in graph.locator("svg").get_attribute("viewBox").split()]

    before = view()
    graph.focus()
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowDown")
    moved = view()
    assert moved[0] > before[0]
    assert moved[1] > before[1]
    tab.page.keyboard.press("+")
    assert view()[2] < moved[2]
    tab.page.keyboard.press("-")
    assert view()[2] == pytest.approx(moved[2])
    box = graph.bounding_box()
    tab.page.mouse.move(box["x"] + 20, box["y"] + 300)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + 70, box["y"] + 260, steps=3)
    tab.page.mouse.up()
    assert view()[0] < moved[0]
    assert view()[1] > moved[1]
    tab.page.keyboard.press("0")
    graph.locator(".node[aria-label^='sin: ']").hover()
    assert re.fullmatch(r"sin\(mul_1\)\nsin, f64\[\]\n\s*return ops\.ramp\(.*ops\.haversine\)", tip.inner_text())
    tab.page.mouse.move(0, 0)
    assert tip.is_hidden()
    graph.focus()
    tab.page.keyboard.press("Enter")
    assert tip.inner_text() == "input\nstep, i64[]"
    tab.page.keyboard.press("ArrowDown")
    assert "step.to(torch.int64).clamp(0, LAST_STEP)" in tip.inner_text()
    tab.page.keyboard.press("Escape")
    assert tip.is_hidden()
    assert tab.page.evaluate("document.activeElement.className") == "graph-view"


def test_an_assignment_is_chosen_from_the_list(open_page: Any) -> None:
    tab = open_page("listed")
    assert tab.page.locator("article:visible").count() == 1
    assert tab.page.locator("#s0 .plot .other").count() == 1, "the other rate, and not the weight decay"
    tab.page.locator("a[data-choose=s1]").click()
    assert tab.page.locator("article:visible").get_attribute("id") == "s1"
    assert tab.page.locator("a[aria-current]").get_attribute("data-choose") == "s1"
    tab.page.locator("#s1 .plot").focus()
    tab.page.keyboard.press("End")
    assert tab.shows(LISTED[1].schedule, "#s1") == 110
    tab.page.locator("#s1 .parts a").nth(2).click()
    assert tab.page.locator("article:visible").get_attribute("id") == "s1"
    tab.page.locator("a[data-choose=s2]").click()
    assert tab.shows(Constant(0.1), "#s2") == 0


def test_curves_are_compared_marked_and_saved(open_page: Any, tmp_path: Path) -> None:
    tab = open_page("beside")
    values = tab.page.locator("#s0 .legend .value")
    field = tab.page.get_by_label("Go to step")
    field.fill("400")
    field.press("Enter")
    assert tab.shows(CYCLE) == 400
    assert values.all_text_contents() == [tab.read("value"), "0.05", "0.03"]
    field.fill("390")
    field.press("Enter")
    assert values.all_text_contents()[1:] == ["0.05", "0.03 (at 400)"]
    assert tab.page.locator("#s0 .mark-name").text_content().endswith(", step 400")
    titles = tab.page.locator("#s0 .plot .title")
    assert titles.all_text_contents() == ["step (optimizer updates)", "learning rate"]
    tab.page.get_by_label("Unit of the axis").select_option("epoch")
    assert titles.all_text_contents() == ["epoch (100 steps each)", "learning rate"]
    assert tab.read("unit") == "3.9"
    saved = {}
    for kind in ("CSV", "SVG", "PNG"):
        with tab.page.expect_download() as caught:
            tab.page.get_by_role("button", name=kind).click()
        saved[kind] = tmp_path / caught.value.suggested_filename
        caught.value.save_as(saved[kind])
    rows = list(csv.reader(saved["CSV"].read_text().splitlines()))
    assert saved["CSV"].name == "cycle.csv"
    assert (rows[0][0], rows[0][1], rows[0][3]) == ("step", "cycle", "'=run 7")
    assert [float(row[1]) for row in rows[1:]] == pytest.approx(CYCLE(torch.arange(1100)).tolist(), rel=1e-6)
    assert (rows[401][2:], rows[402][2:]) == (["0.05", "0.03"], ["0.05", ""])
    assert saved["PNG"].read_bytes()[:4] == b"\x89PNG"
    picture = ElementTree.parse(saved["SVG"]).getroot()
    assert [one.text for one in picture.iter() if one.text and "run" in one.text] == ["=run 7"]
    assert len([one for one in picture.iter() if one.get("stroke", "none") != "none"]) > 10


def test_a_link_opens_its_part(open_page: Any) -> None:
    tab = open_page("warm")
    opened = tab.page.locator("#s0-graph details[open]")
    assert opened.count() == 0
    tab.page.locator("#s0 .parts a", has_text="Graph").click()
    playwright.expect(opened).to_have_count(1)
    assert tab.page.locator("#s0 .graph-view svg").get_attribute("viewBox") is not None


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1400, "dark")])
def test_it_fits_narrow_and_wide_light_and_dark(open_page: Any, tmp_path: Path, width: int, scheme: str) -> None:
    tab = open_page("listed", width=width, color_scheme=scheme)
    assert tab.page.evaluate("document.documentElement.scrollWidth") == width
    colour = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(255, 255, 255)", "rgb(15, 19, 24)"
    assert tab.page.evaluate(colour) == (light if scheme == "light" else dark)
    for name, want in (("Dark", dark), ("Light", light), ("Dark", dark)):
        tab.page.get_by_role("button", name=name, exact=True).click()
        assert tab.page.evaluate(colour) == want
    assert len(tab.page.screenshot(path=tmp_path / "page.png", full_page=True)) > 20_000
    tab.page.emulate_media(media="print")
    assert tab.page.evaluate(colour) == light
    assert tab.page.locator(".tools:visible, .copy:visible").count() == 0


def test_without_a_script_everything_can_be_read(browser: Any, pages: dict[str, str]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages["warm"])
    assert page.locator("noscript svg").count() == 1
    for part in ("code", "graph"):
        page.locator(f"#s0-{part} summary").click()
    assert page.locator("#s0-code [role=tabpanel]:visible").count() == 3
    assert page.locator(".graph-box svg").is_visible()
    context.close()
