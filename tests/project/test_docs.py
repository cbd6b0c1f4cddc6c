"""The pages: their Python runs, the site builds without a warning, every link has a target, and every public name is there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest
import torch
from support.pages import do

import tracelr
from tracelr import errors, lowering, lr_scheduler, weight_decay_scheduler
from tracelr.schedules.base import REGISTRY

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WRITTEN = ("cli", "formats", "peers")
"""The pages that a program writes, and a test of it compares."""
PAGES = [page for page in (*sorted(DOCS.glob("*.md")), ROOT / "lowering" / "README.md") if page.stem not in WRITTEN]
NEEDS = {
    "accelerate": "accelerate",
    "cerebras": "cerebras.pytorch",
    "deepspeed": "deepspeed",
    "ignite": "ignite",
    "lightning": "pytorch_lightning",
    "torchtitan": "torchtitan",
    "trainer": "transformers",
}
"""The pages of frameworks, with what each imports."""
LAUNCHED = ("deepspeed", "fsdp2")
"""The pages whose program is one process of several."""
RANK = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
"""What torchrun would set; port 0 is a free one."""
SLOW = ("README",)
"""The pages that verify on every target, as tests/lowering/test_rows_on_targets.py does for each row."""

RUNS = [
    pytest.param(page, id=f"{page.parent.name}-{page.stem}", marks=[pytest.mark.slow] if page.stem in SLOW else [])
    for page in PAGES
]


@pytest.mark.parametrize("page", RUNS)
def test_a_page_does_what_it_says(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if page.stem in NEEDS:
        pytest.importorskip(NEEDS[page.stem])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for name, value in RANK.items() if page.stem in LAUNCHED else ():
        monkeypatch.setenv(name, value)
    torch.manual_seed(0)
    do(page)


class Page(HTMLParser):
    """The links of a page of the site, its anchors, and the titles of its pictures."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.pictures: list[str] = []
        self.titled = False
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [str(given[key]) for key in ("href", "src") if given.get(key)]
        self.anchors |= {str(given[key]) for key in ("id", "name") if given.get(key)}
        self.titled = tag == "title"

    def handle_data(self, data: str) -> None:
        self.pictures += [data] if self.titled else []
        self.titled = False


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-n", "-d", out / "doctrees", DOCS, out / "html"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_every_link_inside_the_site_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    lost = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            here = pages.get(target)
            if not target.exists() or (parts.fragment and here and unquote(parts.fragment) not in here.anchors):
                lost.append(f"{path.relative_to(site)}: {link}")
    assert lost == []


def test_no_page_asks_the_network_for_anything(site: Path) -> None:
    asked = re.compile(r"<(?:script|img|link|iframe)\b[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*\"")
    assert [found for path in site.rglob("*.html") for found in asked.findall(path.read_text())] == []


def test_the_search_finds_what_people_look_for(site: Path) -> None:
    text = (site / "searchindex.js").read_text()
    index = json.loads(text[text.index("(") + 1 : text.rindex(")")])
    sought = {"wandb": "logging", "autocast": "mixed_precision", "bfloat16": "mixed_precision", "finder": "finder"}
    for word, name in sought.items():
        places = [index[kind].get(word, []) for kind in ("terms", "titleterms")]
        numbers = {k for found in places for k in (found if isinstance(found, list) else [found])}
        assert name in {index["docnames"][k] for k in numbers}, word
    assert "Learning rate finder" in index["alltitles"]


def test_code_can_be_copied_and_pages_of_internals_stand_apart(site: Path) -> None:
    start = (site / "start.html").read_text()
    assert "_static/copybutton.js" in start
    captions = re.findall(r'class="caption-text">([^<]*)<', start)
    assert captions == ["Begin", "In my program", "By job", "Reference", "Internals"]
    assert start.index("numerics.html") > start.index(">Internals<")


def public(module: ModuleType) -> set[str]:
    """Return the full names of the public classes and functions that a module defines, or that a package exports."""
    package = hasattr(module, "__path__")
    mine = (v for v in vars(module).items() if callable(v[1]) and (package or v[1].__module__ == module.__name__))
    return {f"{module.__name__}.{name}" for name, value in mine if name[0] != "_" and value.__module__.startswith("tracelr")}


def test_every_public_name_has_its_place(pages: dict[Path, Page]) -> None:
    anchors = set().union(*(page.anchors for path, page in pages.items() if path.name in ("api.html", "schedules.html")))
    every = [*map(public, (tracelr, lowering, lr_scheduler, weight_decay_scheduler, errors))]
    every.append({"tracelr.report.page", "tracelr.report.write", "tracelr.convert.convert", "tracelr.phases.phases"})
    beside = {f"tracelr.errors.{name}" for name in ("Unquoted", "printable", "shortest", "show", "suggest")}
    assert set().union(*every) - beside - anchors == set()


def test_every_schedule_has_a_curve_and_a_formula(site: Path, pages: dict[Path, Page]) -> None:
    names = {name for name, cls in REGISTRY.items() if getattr(tracelr, name, None) is cls}
    assert len(names) >= 35
    page = pages[site / "schedules.html"]
    assert {f"The curve of {name}" for name in names} - set(page.pictures) == set()
    sections = re.split(r'<section id="', (site / "schedules.html").read_text())
    described = [one for one in sections if 'class="sig ' in one]
    assert len(described) == len(names)
    assert [one.split('"')[0] for one in described if "<math" not in one] == []


def test_every_name_of_five_libraries_is_on_the_page_of_migrations(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS / "_ext")
    import migration

    # a name without classes of tracelr, or without an example, is a warning of the build
    bold = re.findall(r"<strong><code[^>]*><span class=\"pre\">(\w+)<", (site / "migrating.html").read_text())
    names = [name for _, read in migration.LIBRARIES.values() for name in read()]
    assert sorted(bold) == sorted(names)
    assert len(names) >= 60
    theirs = set(torch.optim.lr_scheduler.__all__) - {"LRScheduler", "ReduceLROnPlateau"}
    assert theirs - set(migration.LIBRARIES["torch"][1]()) == set()
    assert migration.classes("0.1 * Cosine(1.0, 0.0, 9).then(Rex(1.0, 0.0, 9))") == [
        "Product",
        "Sequential",
        "Cosine",
        "Rex",
    ]
