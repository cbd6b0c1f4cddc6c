"""dump: a graph as text for people and programs, in one of the formats of `tracelr.lowering.printing.formats`."""

from __future__ import annotations

from torch import fx, nn

from tracelr.lowering.graph import Graph, trace
from tracelr.lowering.passes import run
from tracelr.lowering.printing.formats import FORMATS as FORMATS
from tracelr.lowering.printing.formats import write
from tracelr.lowering.printing.listing import listing_of


def dump(graph: Graph | nn.Module, format: str = "text") -> str:
    """Return a graph in `format`; a schedule is traced and put through all passes first.

    `text` has one line per node, `code` is a Python file that defines `lr(step)` and needs torch alone; `dot` (Graphviz),
    `mermaid` and `svg` are pictures; `json` is for other programs. The same schedule gives the same bytes in every process
    and from every folder.

    A `torch.fx.GraphModule`, such as the training step that torch.compile hands to a backend, is shown as it is, and the
    nodes of a schedule in it are marked. Raises `LoweringError`, listing the formats, if there is none of that name.

    >>> from tracelr import Constant
    >>> print(dump(Constant(0.5), "text"))
    lr(step: i64[]) -> f32[]: Constant
      full: f32[] = full(0.5)  # . | return ops.full(step, self.value)
      return full
    """
    shown = graph if isinstance(graph, (Graph, fx.GraphModule)) else run(trace(graph))
    return write(listing_of(shown), format)
