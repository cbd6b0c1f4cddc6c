"""The page of a schedule: its content, and that no name is read as HTML."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from support.bad_values import BREAKING_OUT
from support.terminal import RUN as WARM
from torch import Tensor, nn

import tracelr
from tracelr import Assignment, Constant, Cosine, Lambda, Linear, MultiStep, OneCycle, Schedule, Sequential, report
from tracelr.arithmetic import F64
from tracelr.drawing.axes import Curve
from tracelr.errors import LoweringError, ScheduleError
from tracelr.lowering import lower
from tracelr.report import html, source
from tracelr.report.exactness import caveats, exactness
from tracelr.report.samples import number, samples

VOID = {"meta", "link", "input"}


class Page(HTMLParser):
    """The content of a page: its elements, each of them closed, their ids, and the text of each section."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self.open and self.open[-1] == "script" else self.texts).append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def data(self) -> list[dict]:
        return json.loads(self.scripts[0])["schedules"]


@pytest.fixture(scope="module")
def plain() -> str:
    return report.page(WARM, name="pretraining", targets=["c", "onnx", "opencl"], source="params.yaml")


def test_every_part_is_there(plain: str) -> None:
    page = Page(plain)
    ids = [one["id"] for _, one in page.tags if "id" in one]
    assert len(ids) == len(set(ids))
    assert "from params.yaml" in page.text
    assert "Steps 2,000 to 99,999 falls from 0.0003 to 3e-5 along half a cosine" in page.text
    parts = ("curve", "phases", "graph", "code", "verification", "exactness", "configuration")
    assert {f"s0-{part}" for part in parts} <= set(ids)
    for _, one in page.tags:
        for name in ("aria-controls", "aria-labelledby"):
            assert name not in one or one[name] in ids
        assert not (one.get("href") or "#").startswith("http")
    for shown in ("pretraining", WARM.fingerprint(), tracelr.__version__, torch.__version__, "in a straight line"):
        assert shown in page.text
    assert lower(WARM, "c").text.rstrip("\n") in page.text, "the code as it is, behind its colours"
    assert re.search(r"c *all20,\d{3}00", page.text)
    assert "Same bits as eager on each of the" in page.text


def test_the_values_are_those_of_the_schedule(plain: str) -> None:
    (packed,) = Page(plain).data
    steps = np.cumsum(packed["apart"])
    values = np.frombuffer(b64decode(packed["values"]), "<f4")
    assert values.tobytes() == WARM(torch.from_numpy(steps)).numpy().tobytes()
    assert {0, 1999, 2000, 99_999, 100_000, 110_000} <= set(steps.tolist())
    assert packed["last"] == 110_000
    assert packed["phases"] == [[0, 2000, "warm-up"], [2000, 100_000, "decay"], [100_000, None, "flat"]]


def test_a_short_schedule_is_held_whole() -> None:
    (packed,) = Page(report.page(OneCycle(0.01, 0.1, 1e-6, 999, 299), name="one", targets=[], verify=False)).data
    assert packed["apart"] == []
    assert len(b64decode(packed["values"])) == 4 * 1100


@pytest.mark.slow
def test_the_same_schedule_gives_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys; from tracelr import Cosine; from tracelr.report import write; "
        "write(Cosine(1.0, 0.0, 99), sys.argv[1], name='a', targets=['c', 'pt2'], verify=False)"
    )
    env = os.environ | {"PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code, "page.html"], cwd=tmp_path, env=env, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    here = report.page(Cosine(1.0, 0.0, 99), name="a", targets=["c", "pt2"], verify=False)
    assert (tmp_path / "page.html").read_bytes() == here.encode()


def test_four_thousand_milestones_fit() -> None:
    many = MultiStep(0.1, 0.9995, list(range(10, 40_010, 10)))
    text = report.page(many, name="many", targets=["c", "onnx"], verify=False)
    assert len(text) < 600_000
    page = Page(text)
    assert "3,977 more" in page.text
    assert "characters are left out here; tracelr lower FILE --target c prints all of it" in page.text


def test_assignments_are_a_list_and_a_schedule_is_shown_once() -> None:
    rate, other = Linear(1.0, 0.0, 10), Cosine(0.0, 0.1, 10)
    loaded = [Assignment("lr", ("a",), rate), Assignment("lr", ("b",), rate), Assignment("weight_decay", None, other)]
    page = Page(report.page(loaded, name="three", targets=["c"], verify=False))
    assert [one.get("data-choose") for tag, one in page.tags if one.get("data-choose")] == ["s0", "s0", "s1"]
    assert [one["key"] for one in page.data] == ["lr", "weight_decay"]
    assert "lr of groups with 'a'; lr of groups with 'b'" in page.text
    with pytest.raises(ScheduleError) as error:
        report.page([], name="none")
    assert str(error.value) == (
        "report.page: given []; allowed: a schedule, or one assignment or more; to fix it: pass a schedule."
    )


def test_what_is_beside_a_schedule_has_its_key_and_a_log_is_that_of_a_rate() -> None:
    log = Curve("", (2, 5), (0.5, 0.25))
    rising = Assignment("weight_decay", None, Linear(0.0, 0.1, 10))
    beside = {"run 7": log, "other": Cosine(1.0, 0.0, 20), "both": [Assignment("lr", None, Constant(0.5)), rising]}
    loaded = [Assignment("lr", None, Linear(0.0, 1.0, 10)), rising]
    marks, per_step = {"checkpoint": 4}, {"epoch": 0.5}
    text = report.page(
        loaded, name="a", targets=[], verify=False, beside=beside, marks=marks, per_step=per_step, unit="token"
    )
    content = json.loads(Page(text).scripts[0])
    drawn = [(one["name"], one["key"], one["last"]) for one in content["beside"]]
    assert drawn == [("run 7", "lr", 5), ("other", "lr", 11), ("both", "lr", 11), ("both", "weight_decay", 11)]
    assert content["beside"][0]["apart"] == [2, 3]
    assert (content["marks"], content["units"]) == ([["checkpoint", 4]], [["token", 1], ["epoch", 0.5]])
    assert [one["quantity"] for one in content["schedules"]] == ["learning rate", "weight decay"]
    assert [one["phases"][0][2] for one in content["schedules"]] == ["warm-up", "rise"]


def test_a_refused_target_says_why_and_an_unknown_one_is_an_error() -> None:
    page = Page(report.page(Constant(0.1), name="a", targets=["c"], verify=False))
    assert "Nothing was run: the code was only written." in page.text
    assert "not asked for" in page.text
    with pytest.raises(LoweringError, match="given 'basic'"):
        report.page(Constant(0.1), name="a", targets=["basic"])


def test_no_text_of_a_user_breaks_out(tmp_path: Path) -> None:
    class Odd(nn.Module):
        pass

    plain = [Assignment("lr", ("group",), Constant(0.1), "factor")]
    hostile = [Assignment(BREAKING_OUT, (BREAKING_OUT,), Constant(0.1), BREAKING_OUT)]
    kept = {}
    for name, loaded in ((BREAKING_OUT, hostile), ("name", plain)):
        report.write(loaded, tmp_path / "page.html", name=name, targets=["c"], verify=False, source=name)
        text = (tmp_path / "page.html").read_text("utf-8")
        page = Page(text)
        kept[name] = [(tag, sorted(one)) for tag, one in page.tags]
        assert text.count("<script") == text.count("</script") == 2
        if name == BREAKING_OUT:
            assert "\x00" not in text
            assert "\u202e" not in text
            assert "\u2028" not in text
            assert page.data[0]["key"] == BREAKING_OUT
            assert "</script><script>alert(1)</script>" in page.text
    hostile_tags, plain_tags = (Counter(map(str, kept[name])) for name in (BREAKING_OUT, "name"))
    # a name may be longer than a line of YAML or Python: strings in code are marked, and nothing else differs
    differing = (hostile_tags - plain_tags) + (plain_tags - hostile_tags)
    assert set(differing) <= {"('span', ['class'])"}


def test_a_class_of_ones_own_may_be_called_anything() -> None:
    def forward(self: Schedule, step: Tensor, ops: object) -> Tensor:
        return F64.full(step, 0.5)

    name = '</script><b onclick="x">'
    kind = type(name, (Schedule,), {"forward": forward, "__annotations__": {}, "__module__": "elsewhere"})
    page = Page(report.page(kind(), name="own", targets=["c"], verify=False))
    assert not any(tag == "b" for tag, _ in page.tags)
    assert f"{name} is not a class of tracelr: nothing is promised for its formula." in page.text
    del tracelr.schedules.base.REGISTRY[name]


@pytest.mark.parametrize("text", ["a < b && 'c' /* d */ // e\nreturn \"f\"", "</script>", "'unclosed", '"\\"', "a'b'c\n'"])
@pytest.mark.parametrize("sign", ["#", "//"])
def test_colours_leave_the_text_as_it_is(text: str, sign: str) -> None:
    assert unescape(re.sub(r"</?span[^>]*>", "", html.coloured(text, sign))) == text


def test_a_long_text_keeps_its_ends() -> None:
    lines = [f"line {k}" for k in range(20_000)]
    shown, hidden = html.shorten("\n".join(lines))
    assert shown.startswith("line 0\nline 1\n")
    assert shown.endswith("\nline 19998\nline 19999")
    assert len(shown) <= 40_010
    assert len(shown) + hidden == len("\n".join(lines))
    assert html.shorten("x" * 5000).shown.startswith("x" * 600)
    assert html.shorten("short") == ("short", 0)


TENSOR = Cosine(start=torch.tensor(0.1), end=nn.Parameter(torch.tensor(0.5)), steps=7)
WRITTEN = {
    "warm": WARM,
    "many": MultiStep(0.1, 0.5, list(range(1, 300))),
    "tensor": Linear(torch.tensor(1.0), 0.0, 5) * TENSOR,
    "sum": 2.0 * Linear(1.0, 0.0, 5).warmup(3) + 0.1,
    "resets": Sequential([Linear(1.0, 0.0, 5)] * 3, [3, 9], reset=[True, "rescale", False]),
    "assignments": [Assignment("lr", ("a", None), WARM), Assignment("betas[0]", None, Constant(0.9), "factor")],
}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_builds_it_again(name: str) -> None:
    loaded = WRITTEN[name]
    scope: dict[str, object] = {}
    text = source.python(loaded)
    exec(text, scope)
    assert all(len(line) <= 110 for line in text.splitlines())
    if isinstance(loaded, Schedule):
        assert repr(scope["schedule"]) == repr(loaded)
        assert tracelr.from_dict(yaml.safe_load(source.config(loaded))).to_dict() == loaded.to_dict()
    else:
        assert repr(scope["assignments"]) == repr(loaded)
        assert repr(tracelr.from_dict(yaml.safe_load(source.config(loaded)))) == repr(loaded)


def test_the_exactness_figures_are_measured(plain: str) -> None:
    tie = 1.0 + 2.0**-24  # half way between two float32 numbers, and exact in float64
    found = exactness(Constant(tie) + Linear(0.0, 2.0**-42, 2**10), torch.arange(2**10))
    assert found.near == 4, "step t is t * 2**-29 float32 units from it"
    assert (found.step, found.nearest) == (0, 0.0)
    calm = exactness(Linear(0.0, 1.0, 2**10), torch.arange(2**10))
    assert (calm.steps, calm.near, calm.nearest, calm.differing, calm.ulp) == (1024, 0, 0.5, 0, 0.0)
    assert exactness(WARM, torch.arange(0, 100_000, 99)).differing > 0
    assert caveats(WARM) == []
    assert caveats(Lambda(lambda t: t.double()) + 1.0) == [
        "A Lambda is as exact as its function.",
        "Where the terms of a Sum nearly cancel, it is only as exact as its largest term.",
    ]
    assert 'units, under tracelr.precision("float32")' in Page(plain).text


def test_both_sides_of_a_bound_are_held() -> None:
    held = samples(WARM, 110_000, [2000, 100_000], 50)
    assert {0, 1999, 2000, 99_999, 100_000, 110_000} <= set(held.steps.tolist())
    assert len(held.steps) <= 50
    crowded = samples(Constant(0.1), 10**6, range(10, 10**6, 10), 3000)
    assert crowded.missing == 99_999 - 1000
    assert len(crowded.steps) <= 3000
    assert [number(value) for value in (3e-4, 1e-6, 0.0, -1.5, 2.0**100)] == [
        "0.0003",
        "1e-06",
        "0",
        "-1.5",
        "1.2676506e+30",
    ]
