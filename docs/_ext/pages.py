"""Pages that live elsewhere in the repository, pictures that follow the theme, and entries of a list that may be absent."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from tracelr import Schedule
from tracelr.drawing.svg import svg
from tracelr.schedules.describe.sampling import curve, horizon

DOCS = Path(__file__).parent.parent
ROOT = DOCS.parent
ELSEWHERE = {
    "CONTRIBUTING.md": "adding.md",
    "lowering/README.md": "targets.md",
    "README.md": "index.md",
    "examples/README.md": "examples.md",
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
}
"""Files outside this folder, and the pages that include them."""


def _included(match: re.Match[str]) -> str:
    path = (DOCS / match[1]).resolve()
    return _linked(path.read_text(), path.parent)


def _linked(text: str, folder: Path) -> str:
    """Return Markdown of `folder` with its links as they are here."""

    def link(match: re.Match[str]) -> str:
        target, _, anchor = match[1].partition("#")
        path = (folder / target).resolve()
        if not target or not path.is_relative_to(ROOT):
            return match[0]
        page = ELSEWHERE.get(str(path.relative_to(ROOT)))
        if page is None and path.is_relative_to(DOCS):
            page = str(path.relative_to(DOCS))
        if page is None:  # a file of the sources is named, without a link
            return "]"
        return f"]({page}{'#' + anchor if anchor else ''})"

    return re.sub(r"\]\(([^):]+)\)", link, text)


def _inlined(match: re.Match[str]) -> str:
    """Return a drawing of `_static` as a part of the page, so that it follows the theme that the reader picks."""
    svg = re.sub(r"\n\s*\n", "\n", (DOCS / match[2]).read_text())
    return f'<figure role="img" aria-label="{match[1]}">\n{svg}</figure>\n'


def _plotted(text: str) -> str:
    """Put the curves of a page's programs where it says `<!-- plot NAME -->`, or several names with commas."""
    if "<!-- plot" not in text:
        return text
    names: dict[str, Any] = {"__name__": "page"}
    parts = re.split(r"(^```python\n.*?^```$|^<!-- plot .*? -->$)", text, flags=re.M | re.S)
    last = max(k for k, part in enumerate(parts) if part.startswith("<!-- plot"))
    with redirect_stdout(StringIO()):
        for k, part in enumerate(parts[: last + 1]):
            if part.startswith("```python\n"):
                exec(compile(part[10:-3], "page", "exec", dont_inherit=True), names)
            elif part.startswith("<!-- plot"):
                parts[k] = _figure([names[name.strip()] for name in part[9:-3].split(",")], part[9:-3].split(","))
    return "".join(parts)


def _figure(schedules: list[Schedule], names: list[str]) -> str:
    last = max(horizon(schedule) for schedule in schedules)
    curves = [curve(one, last=last, name=name.strip()) for one, name in zip(schedules, names, strict=True)]
    return f'<figure class="plot">{svg(curves, alone=False)}</figure>\n'.replace("\n", "") + "\n"


def _present(match: re.Match[str]) -> str:
    lines = match[0].splitlines(keepends=True)
    return "".join(line for line in lines if not re.fullmatch(r"\w+\n", line) or _page(line.strip()))


def _page(name: str) -> bool:
    return any((DOCS / f"{name}{suffix}").exists() for suffix in (".md", ".rst"))


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    if app.env.doc2path(name).suffix != ".md":
        return
    text = re.sub(r"```\{include\} (\S+)\n```\n", _included, _linked(source[0], DOCS))
    text = re.sub(r"!\[([^\]]*)\]\((_static/\w+\.svg)\)\n", _inlined, text)
    text = _plotted(text)
    source[0] = re.sub(r"```\{toctree\}\n.*?```", _present, text, flags=re.S)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
