"""Every target, found by its file: `c.py` is the target "c". A file whose name starts with an underscore is a helper."""

from __future__ import annotations

import re
from importlib import import_module
from pkgutil import iter_modules

from torch import nn

from tracelr.errors import LoweringError, suggest
from tracelr.lowering.graph import Graph
from tracelr.lowering.targets._arithmetic import graph_for
from tracelr.lowering.targets._target import Artifact, Target

LONGEST = 63
"""The characters of a name that every C compiler tells apart."""
_NAME = re.compile(r"lr[0-9]*(_[A-Za-z0-9]+)*")


def target_names() -> list[str]:
    """Return the names of all targets, importing none.

    >>> "c" in target_names()
    True
    """
    return sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def find(target: str) -> Target:
    """Return the target called `target`; raises `LoweringError` listing the ones there are."""
    if target not in target_names():
        raise LoweringError("lower(target)", target, ", ".join(target_names()), _similar(target))
    found = import_module(f"{__name__}.{target}").TARGET
    assert isinstance(found, Target)
    return found


def _similar(target: object) -> str:
    return suggest(target, target_names(), otherwise="use one of these names")


def lower(schedule: Graph | nn.Module, target: str, name: str = "lr") -> Artifact:
    """Return a schedule, or a graph of one, as an artifact of `target`: `.text`, `.save(path)`, `.run(steps)`.

    Its function is called `name`: "lr", "lr2", "lr_decoder". Names have this form because no keyword, type, function or
    macro of a target's language has it, so that no list of the words of each language is needed.

    A schedule is traced in the arithmetic in force, or, where the target cannot compute in that, in its own: for "metal"
    and "wgsl", which have no float64, in "two_float".

    Raises `LoweringError` for an unknown target or a name that is not allowed, and for an op that the target has no row
    for, naming the op, its node and the author's line.

    >>> from tracelr import Constant
    >>> lower(Constant(0.5), "c").run(7)
    tensor(0.5000)
    """
    emitter = find(target)
    _check_name(name)
    return emitter.emit(graph_for(schedule, emitter, target), name)


def _check_name(name: str) -> None:
    """Raise `LoweringError` unless a function may be called `name`."""
    if not is_allowed(name):
        longer = f"lr_{name}" if isinstance(name, str) else ""
        fix = f'pass "{longer}"' if is_allowed(longer) else 'pass a name such as "lr_decoder"'
        allowed = (
            f"lr, or lr with a number or _words after it, such as lr2 or lr_decoder, {LONGEST} characters of ASCII at most"
        )
        raise LoweringError("lower(name)", name, allowed, fix)


def is_allowed(name: str) -> bool:
    """Return whether a generated function may be called `name`.

    >>> [name for name in ("lr", "lr2", "lr_decoder", "lrint", "rate") if is_allowed(name)]
    ['lr', 'lr2', 'lr_decoder']
    """
    return isinstance(name, str) and len(name) <= LONGEST and _NAME.fullmatch(name) is not None
