"""The directive `schedules`: a gallery, and for every class of the registry its curve, docstring and parameters."""

from __future__ import annotations

from dataclasses import MISSING, fields
from html import escape

from curves import examples, picture
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import tracelr
from tracelr import Schedule
from tracelr.drawing.svg import COLOURS
from tracelr.schedules.base import REGISTRY


def groups() -> dict[str, list[str]]:
    """Return the names of the page, under its headings."""
    names = sorted(name for name, cls in REGISTRY.items() if getattr(tracelr, name, None) is cls)
    composed = {name for name in names if REGISTRY[name].__module__.startswith("tracelr.schedules.compose")}
    return {"Curves": [n for n in names if n not in composed], "Schedules of schedules": sorted(composed)}


def anchor(name: str) -> str:
    """Return where the page has a class."""
    return f"schedule-{name.lower()}"


def _indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" if line else "\n" for line in text.splitlines())


def _parameters(cls: type[Schedule]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", "   :class: parameters", "", "   * - parameter"]
    lines += ["     - what it may be", "     - default"]
    # mypy, here and below: it does not see that `__init_subclass__` makes a dataclass
    for field in fields(cls):  # type: ignore[arg-type]
        rule = cls._rules[field.name]
        default = "" if field.default is MISSING else f"``{field.default!r}``"
        allowed = rule.allowed.replace("*", r"\*") + (", or a schedule" if rule.drivable else "")
        lines += [f"   * - ``{field.name}``", f"     - {allowed}", f"     - {default}"]
    return "\n".join(lines)


def _signature(cls: type[Schedule]) -> str:
    parts = (f.name if f.default is MISSING else f"{f.name}={f.default!r}" for f in fields(cls))  # type: ignore[arg-type]
    return f"tracelr.{cls.__name__}({', '.join(parts)})"


def _figure(name: str) -> str:
    shown = examples(name)
    keys = "".join(f'<li style="--line:{COLOURS[k]}"><code>{escape(one)}</code></li>' for k, one in enumerate(shown))
    return f'<figure class="curve">{picture(name)}<figcaption><ul>{keys}</ul></figcaption></figure>'


def _section(name: str) -> str:
    cls = REGISTRY[name]
    return (
        f".. _{anchor(name)}:\n\n{name}\n{'-' * len(name)}\n\n.. raw:: html\n\n   {_figure(name)}\n\n"
        f".. autoclass:: {_signature(cls)}\n\n{_indented(_parameters(cls), 3)}\n"
    )


def _gallery(names: list[str]) -> str:
    cards = "".join(f'<a class="card" href="#{anchor(name)}">{picture(name)}<span>{name}</span></a>' for name in names)
    return f'<div class="gallery">{cards}</div>'


class Schedules(SphinxDirective):
    """Every schedule. The directive takes no arguments."""

    def run(self) -> list[nodes.Node]:
        text = "".join(f".. raw:: html\n\n   {_gallery(names)}\n\n" for names in groups().values())
        for title, names in groups().items():
            text += f"{title}\n{'=' * len(title)}\n\n" + "".join(map(_section, names))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("schedules", Schedules)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
