"""Every target, found by its file: `c.py` is the target "c". A file whose name starts with an underscore is a helper."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from torch import nn

from tracelr.errors import NotLowered
from tracelr.lowering.graph import Graph
from tracelr.lowering.target import Artifact, Target
from tracelr.lowering.targets._arithmetic import graph_for

_LONGEST = 63
"""The characters of a name that every C compiler tells apart."""


def targets() -> list[str]:
    """Return the names of all targets, importing none.

    >>> "c" in targets()
    True
    """
    return sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def find(target: str) -> Target:
    """Return the target called `target`; raises `NotLowered` listing the ones there are."""
    if target not in targets():
        raise NotLowered("lower(target)", target, ", ".join(targets()), "use one of these names")
    found = import_module(f"{__name__}.{target}").TARGET
    assert isinstance(found, Target)
    return found


def lower(schedule: Graph | nn.Module, target: str, name: str = "lr") -> Artifact:
    """Return a schedule, or a graph of one, as an artifact of `target`: `.text`, `.save(path)`, `.run(steps)`.

    Its function is called `name`. A schedule is traced in the arithmetic in force, or, where the target cannot compute in
    that, in its own: for "metal" and "wgsl", which have no float64, in "two_float".

    Raises `NotLowered` for an unknown target or name, and for an op that the target has no row for, naming the op, its node
    and the author's line.

    >>> from tracelr import Constant
    >>> lower(Constant(0.5), "c").run(7)
    tensor(0.5000)
    """
    emitter = find(target)
    if not isinstance(name, str) or len(name) > _LONGEST:
        allowed = f"an identifier of 1 to {_LONGEST} characters"
        raise NotLowered("lower(name)", name, allowed, 'pass a name such as "lr"')
    return emitter.emit(graph_for(schedule, emitter, target), name)
