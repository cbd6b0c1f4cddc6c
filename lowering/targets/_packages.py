"""What the targets with a Python toolchain share: the package that each needs beyond torch, and how they refuse a graph."""

from __future__ import annotations

from importlib.util import find_spec

from torch import fx

from tracelr.errors import LoweringError, Unquoted
from tracelr.lowering.graph import Graph
from tracelr.lowering.spec import where_of


def missing(package: str, extra: str) -> str | None:
    """Return what to install if `package` is not here, and None if it is. Nothing is imported."""
    return None if find_spec(package) else f"{package} (pip install 'tracelr[{extra}]')"


def need(where: str, package: str, extra: str) -> None:
    """Raise `LoweringError`, naming the extra to install, unless `package` is here."""
    if missing(package, extra) is not None:
        fix = f"pip install 'tracelr[{extra}]'"
        raise LoweringError(where, Unquoted(f"no {package}"), f"an environment with {package}", fix)


def one_step(graph: Graph, target: str) -> None:
    """Raise `LoweringError` if `graph` is a batch."""
    if graph.batch:
        given, fix = Unquoted("a batch graph"), "lower the schedule, or trace(schedule)"
        raise LoweringError(f"lower(graph, '{target}')", given, "a graph of one step", fix)


def refusal(node: fx.Node, target: str, given: str, allowed: str) -> LoweringError:
    """Return the error of a node that `target` has no text for."""
    return LoweringError(
        f"{where_of(node)}, in the target {target}",
        Unquoted(given),
        allowed,
        "write it so, or add a row to the target's OPS",
    )


def plain(text: str) -> str:
    """Return `text` as one line of printable ASCII, for a comment."""
    return "".join(c if " " <= c <= "~" else "?" for c in " ".join(text.split()))
