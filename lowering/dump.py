"""dump: a graph as text for people and programs, in one of the forms of `tracelr.lowering.forms`."""

from __future__ import annotations

from torch import fx, nn

from tracelr.lowering.forms import FORMS as FORMS
from tracelr.lowering.forms import write
from tracelr.lowering.graph import Graph, trace
from tracelr.lowering.passes import run
from tracelr.lowering.view import view


def dump(graph: Graph | nn.Module, form: str = "text") -> str:
    """Return a graph in the form called `form`; a schedule is traced and put through all passes first.

    `text` has one line per node, `table` the same in columns, `code` is a Python file that defines `lr(step)` and needs
    torch alone; `dot` (Graphviz), `mermaid` and `svg` are pictures; `json` is read back by `from_json`. The same schedule
    gives the same bytes in every process and from every folder.

    A `torch.fx.GraphModule`, such as the training step that torch.compile hands to a backend, is shown as it is, with the
    nodes that come out of a schedule marked. Raises `NotLowered`, listing the forms, if there is none of that name.

    >>> from tracelr import Constant
    >>> print(dump(Constant(0.5), "text"))
    lr(step: i64[]) -> f32[]: Constant
      full: f32[] = full(0.5)  # . | return ops.full(step, self.value)
      return full
    """
    whole = isinstance(graph, Graph | fx.GraphModule)
    return write(view(graph if whole else run(trace(graph))), form)  # type: ignore[arg-type]  # `whole` says which it is
