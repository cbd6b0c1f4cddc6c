"""Names that would break out of what is generated."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import pytest
from support.bad_values import complete

from tracelr import Linear, lowering
from tracelr.errors import TracelrError
from tracelr.lowering import Graph, passes
from tracelr.lowering.printing.formats import FORMATS
from tracelr.lowering.provenance import plain

EVIL = [
    "*/ EVIL();", "// EVIL\nEVIL();", "\\\nEVIL();", '"""\nEVIL()\n"""', "'''\nEVIL()", '"];\nEVIL [label="', "</title><script>EVIL</script>",
    "]]><EVIL/>", '"]\nEVIL["', "%s{0}%n EVIL", "\u2028EVIL", "\x1b[2JEVIL", "??/\nEVIL();", "#include <EVIL>", "--><EVIL>", '"}, "EVIL": {"',
]  # fmt: skip


@cache
def joined() -> Graph:
    return passes.run(lowering.trace(Linear(0.0, 1.0, 4).then(Linear(1.0, 0.0, 4))))


def renamed(evil: str) -> Graph:
    """Return a graph whose title, owners, classes and source lines are all `evil`, one of them at a time."""
    graph = joined()
    for node in graph.nodes:
        if node.op == "call_function":
            node.meta["nn_module_stack"] = {evil: (evil, f"module.{evil}")}
            node.meta["stack_trace"] = f'File "{evil}", line 0, in forward\n{evil}'
    return replace(graph, title=plain(evil))  # as `trace` makes the title of the name of a class


def is_plain(format: str, text: str) -> None:
    """Assert that EVIL is only text in the output."""
    assert "\x1b" not in text
    if format == "code":
        assert "EVIL" not in {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    elif format == "svg":
        assert {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()} <= {
            "svg",
            "title",
            "style",
            "rect",
            "text",
            "g",
            "path",
        }
    elif format == "dot":
        assert "EVIL" not in re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    elif format == "mermaid":
        body = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("%%"))
        assert "EVIL" not in re.sub(r'"[^"\n]*"', "", body)
        assert "<script" not in text
    elif format == "json":
        assert set(json.loads(text)) == {"format", "version", "title", "signature", "batch", "typed", "result", "nodes"}
    elif format == "html":
        assert "<script>EVIL" not in text
        assert "<EVIL" not in text


@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
def test_names_stay_names(evil: str) -> None:
    lines = {format: len(lowering.dump(renamed("plain"), format).splitlines()) for format in ("text", "code")}
    graph = renamed(evil)
    for format in FORMATS:
        text = lowering.dump(graph, format)
        is_plain(format, text)
        assert len(text.splitlines()) == lines.get(format, len(text.splitlines()))
    for target in ("c", "cuda", "hip", "opencl"):
        code = lowering.lower(graph, target).text
        assert "EVIL" not in re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)
        assert "//" not in re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL).replace("https://", "")
    for name in (evil, "lr;EVIL", "lr(", "", "int", "__x"):
        with pytest.raises(TracelrError) as caught:
            lowering.lower(graph, "c", name=name)
        complete(caught.value)
    assert "EVIL" not in {
        node.id for node in ast.walk(ast.parse(lowering.lower(graph, "triton").text)) if isinstance(node, ast.Name)
    }
