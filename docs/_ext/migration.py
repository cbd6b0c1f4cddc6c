"""The directive `migration`: a table of every name of a library, its parameters, and our schedule for it.

Names and parameters come from the tables of the conversions. The pairs come from docs/peers.md, whose rows
`pytest tests/interop/test_peers.py` compares. A name without a row is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from inspect import Parameter, signature
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import tracelr
from tracelr.schedules.base import REGISTRY

PEERS = Path(__file__).parent.parent / "peers.md"
Names = Mapping[str, str]
"""The names of a library, each with its parameters."""


COMMON = ("optimizer", "last_epoch", "name", "param_group_tags", "disable_lr_steps_reset")
"""Parameters that every name of a library has, so that the table leaves them out."""


def taken(parameters: Iterable[Parameter]) -> str:
    """Return parameters as they are written in a call, without those in `COMMON`."""
    shown = []
    for one in parameters:
        if one.name in COMMON:
            continue
        shown.append(one.name if one.default is Parameter.empty else f"{one.name}={one.default!r}")
    return ", ".join(shown)


def _torch() -> Names:
    from torch.optim.lr_scheduler import ChainedScheduler, SequentialLR

    from tracelr.interop.torch.curves import CONTINUING, CONTINUING_PER_GROUP, OVERWRITING

    kinds = sorted(
        (*CONTINUING, *CONTINUING_PER_GROUP, *OVERWRITING, SequentialLR, ChainedScheduler), key=lambda kind: kind.__name__
    )
    return {kind.__name__: taken(signature(kind).parameters.values()) for kind in kinds}


def _cerebras() -> Names:
    from tracelr import lr_scheduler

    names = sorted(name for name in vars(lr_scheduler) if re.search(r"LR$|Restarts$|ChainedScheduler", name))
    return {name: taken(signature(getattr(lr_scheduler, name)).parameters.values()) for name in names}


def _hugging_face() -> Names:
    from tracelr.interop.huggingface.scheduler_types import TYPES

    return {name: ", ".join(kind.keys) for name, kind in TYPES.items()}


def _optax() -> Names:
    return dict.fromkeys(sorted(pairs("optax")), "")  # no reader reads its calls, so the parameters are not known here


def _keras() -> Names:
    from tracelr.interop.keras.read import CLASSES

    return {name: taken(signature(build).parameters.values()) for name, build in sorted(CLASSES.items())}


LIBRARIES: dict[str, tuple[str, Callable[[], Names]]] = {
    "torch": ("torch", _torch),
    "cerebras": ("Cerebras", _cerebras),
    "huggingface": ("transformers", _hugging_face),
    "optax": ("optax", _optax),
    "keras": ("keras", _keras),
}
"""The libraries of the page, each with its name in the rows of the tests, and the function that returns its names."""
ALIASES = {"ChainedLR": "ChainedScheduler"}
"""Names for the class of another name."""
OWN = {"ScalePerParamLR": "`Assignment(..., factor=...)`, and a number of each param group under that key"}
"""The text for names that are not curves, and so have no row."""


@cache
def pairs(project: str) -> dict[str, tuple[str, str]]:
    """Return the shortest row of each name of `project`: their call and ours."""
    found: dict[str, tuple[str, str]] = {}
    section = PEERS.read_text().split(f"\n## {project}\n")[1].split("\n## ")[0]
    for theirs, ours in re.findall(r"^\| `(.*?)` \| `(.*?)` \| ", section, re.M):
        match = re.match(r'get_scheduler\("(\w+)"|(\w+)\(', theirs)
        if match is None or re.search(r"\): (momentum|betas)", theirs):
            continue
        name = match[1] or match[2]
        if name not in found or len(ours) < len(found[name][1]):
            found[name] = (theirs, ours)
    return found


def classes(ours: str) -> list[str]:
    """Return the schedule classes that an expression names, the outermost first."""
    operators = [name for sign, name in ((" * ", "Product"), (" + ", "Sum"), (").then(", "Sequential")) if sign in ours]
    named = [name for name in re.findall(r"\b[A-Z]\w+", ours) if name in REGISTRY and hasattr(tracelr, name)]
    return list(dict.fromkeys([*operators, *named]))


def rows(library: str) -> list[tuple[str, str, str, str]]:
    """Return the table of a library: its name, its parameters, our classes, and a pair of calls; a missing cell is empty."""
    project, names = LIBRARIES[library]
    table = []
    for name, parameters in names().items():
        theirs, ours = pairs(project).get(ALIASES.get(name, name), ("", ""))
        here = OWN.get(name) or ", ".join(f"{{py:class}}`~tracelr.{one}`" for one in classes(ours))
        example = f"`{ours}`" if ours else ""
        table.append((name, parameters, here, f"`{theirs}` is {example}" if ours else ""))
    return table


class Migration(SphinxDirective):
    """The table of the library that is its argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        lines = ["| theirs | ours | for example |", "|---|---|---|"]
        for name, parameters, here, example in rows(self.arguments[0]):
            if not here:
                logging.getLogger(__name__).warning("no row of docs/peers.md for %s", name, location=self.get_location())
            there = f"**`{name}`** `{parameters}`" if parameters else f"**`{name}`**"
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in (there, here, example)) + " |")
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("migration", Migration)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
