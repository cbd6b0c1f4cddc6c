"""Where a node comes from: the module that owns it and the author's line, out of what torch's tracers leave on it.

torch.export and Dynamo leave the stack of modules and of source lines, `make_fx` leaves neither unless it is told to
(`record_stack_traces=True`).
"""

from __future__ import annotations

import re
from pathlib import PureWindowsPath
from typing import Any, NamedTuple

from torch import fx

from tracelr.arithmetic import Formula

_FRAME = re.compile(r'\s*File "(.*)", line (\d+), in (.+)')
_LOCAL = re.compile(r"^L\['(\w+)'\]")  # how Dynamo spells a local variable
_HOOK = "_empty_nn_module_stack_from_metadata_hook"  # torch's own nodes, such as the length of a batch
_FORWARD = "forward"  # torch.export keeps the lines of no other function


def plain(text: str) -> str:
    """Return `text` on one line, with nothing in it that does not print.

    >>> plain("a\\n  b")
    'a b'
    """
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


class Provenance(NamedTuple):
    """Where the author wrote something: the line, on one line, and `file:number`; "" for what is not known."""

    line: str
    place: str

    def of(self, subject: str) -> str:
        """Return `subject` and where it comes from, as an error says it; a path is cut to the name of its file.

        >>> Provenance("return x", "mine.py:3").of("aten.erf.default at node 'erf'")
        "aten.erf.default at node 'erf', from `return x` (mine.py:3)"
        """
        if not self.line:
            return f"{subject}, from {self.place}" if self.place else subject
        return f"{subject}, from `{self.line}`" + (f" ({self.place})" if self.place else "")


def provenance(path: str, number: int | str, line: str) -> Provenance:
    """Return the provenance that is the line `line`, of the number `number`, of the file `path`; "" if that is not known."""
    name = PureWindowsPath(path).name  # which knows both kinds of slash
    return Provenance(plain(line), plain(f"{name}:{number}") if name else "")


def provenance_of(node: fx.Node) -> Provenance:
    """Return where the author wrote what a node does.

    That is the innermost line of a `forward`: Dynamo also records what that calls. Elsewhere it is the innermost.
    """
    found: dict[bool, Provenance] = {}
    path, number, formula = "", "", False
    for line in (node.meta.get("stack_trace") or "").splitlines():
        if (frame := _FRAME.match(line)) is not None:
            path, number, formula = frame[1], frame[2], frame[3] == _FORWARD
            found[formula] = provenance(path, number, "")
        elif line.strip(" ~^\t"):
            found[formula] = provenance(path, number, line)
    return found.get(True) or found.get(False) or Provenance("", "")


def line_of(node: fx.Node) -> str:
    """Return the author's source line that a node comes from, on one line, without its path; "" if that is not known."""
    return provenance_of(node).line


def where_of(node: fx.Node) -> str:
    """Return a node as an error names it: its op, its name, the author's line and the place of that."""
    return provenance_of(node).of(f"{node.target} at node {node.name!r}")


def owner_of(node: fx.Node) -> str:
    """Return the path of the module that a node comes from, such as "schedules.1"; "." is the outermost."""
    if node.op == "get_attr":
        return plain(str(node.target).rpartition(".")[0]) or "."
    stack = _modules(node)
    return stack[-1][0] if stack else "."


def kind_of(node: fx.Node) -> str:
    """Return the name of the class of the module that a node comes from; "" if that is not known."""
    stack = _modules(node)
    return plain(str(getattr(stack[-1][1], "__name__", stack[-1][1])).rpartition(".")[2]) if stack else ""


def of_schedule(node: fx.Node) -> bool:
    """Return whether a node of any graph is a schedule's: an op of its formula, or an input or field that only those use."""
    if node.op in ("placeholder", "get_attr"):
        return bool(node.users) and all(of_schedule(user) for user in node.users)
    entered = {(kind.forward.__code__.co_filename, _FORWARD) for kind in Formula.kinds.values()}
    return any(_is_formula(kind) for _, kind in _modules(node)) or any(frame in entered for frame in _frames(node))


def _is_formula(kind: Any) -> bool:
    return issubclass(kind, Formula) if isinstance(kind, type) else str(kind) in Formula.kinds


def _modules(node: fx.Node) -> list[tuple[str, Any]]:
    """Return path and class of the modules around a node, the outermost first."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [(str(path).partition("@")[0], kind) for path, kind in stack.values() if path != _HOOK]
    return [(plain(_LOCAL.sub(r"\1", path)) or ".", kind) for path, kind in paths]


def _frames(node: fx.Node) -> list[tuple[str, str]]:
    lines = (node.meta.get("stack_trace") or "").splitlines()
    return [(frame[1], frame[3]) for frame in map(_FRAME.match, lines) if frame is not None]
