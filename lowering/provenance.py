"""Where a node comes from: its module and the author's line, as torch's tracers record them in its metadata.

torch.export and Dynamo record the stack of modules and the stack of source lines. `make_fx` records source lines only with
`record_stack_traces=True`, and no modules.
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
_FORWARD = "forward"  # torch.export records the lines of functions of this name only


def plain(text: str) -> str:
    """Return `text` on one line, with a ? for every character that does not print.

    >>> plain("a\\n  b")
    'a b'
    """
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


class Provenance(NamedTuple):
    """Where the author wrote something: the source line and `file:number`; "" stands for what is not known."""

    line: str
    place: str

    def of(self, subject: str) -> str:
        """Return `subject` and where it comes from, for an error.

        >>> Provenance("return x", "mine.py:3").of("aten.erf.default at node 'erf'")
        "aten.erf.default at node 'erf', from `return x` (mine.py:3)"
        """
        if not self.line:
            return f"{subject}, from {self.place}" if self.place else subject
        return f"{subject}, from `{self.line}`" + (f" ({self.place})" if self.place else "")


def provenance(path: str, number: int | str, line: str) -> Provenance:
    """Return the provenance of line `number`, with the text `line`, of the file `path`. "" stands for what is not known."""
    name = PureWindowsPath(path).name  # it splits at both kinds of slash
    return Provenance(plain(line), plain(f"{name}:{number}") if name else "")


def provenance_of(node: fx.Node) -> Provenance:
    """Return where the author wrote what a node does.

    This is the innermost line of a `forward`, because Dynamo also records the lines of the functions that it calls. Where
    there is no `forward`, it is the innermost line.
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
    """Return what an error calls a node: its op, its name, the author's line and the place of the line."""
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
    """Return whether a node belongs to a schedule: an op of its formula, or an input or field that only such ops use."""
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
