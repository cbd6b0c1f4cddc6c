"""Names that would break out of what is generated."""

from __future__ import annotations

import ast
import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hostile import complete

from tracelr import Linear, lowering
from tracelr.errors import TracelrError
from tracelr.lowering.forms import FORMS

EVIL = [
    "*/ EVIL();", "// EVIL\nEVIL();", "\\\nEVIL();", '"""\nEVIL()\n"""', "'''\nEVIL()", '"];\nEVIL [label="', "</title><script>EVIL</script>",
    "]]><EVIL/>", '"]\nEVIL["', "%s{0}%n EVIL", "\u2028EVIL", "\x1b[2JEVIL", "??/\nEVIL();", "#include <EVIL>", "--><EVIL>", '"}, "EVIL": {"',
]  # fmt: skip


def renamed(evil: str) -> Any:
    """Return a graph whose title, owners, classes and source lines are all `evil`."""
    document = json.loads(lowering.dump(Linear(0.0, 1.0, 4).then(Linear(1.0, 0.0, 4)), "json"))
    document["title"] = evil
    document["signature"] = document["signature"].replace("Sequential", evil)
    for node in document["nodes"]:
        node |= {key: evil for key in ("owner", "class", "source") if key in node}
    try:
        return lowering.from_json(json.dumps(document))
    except TracelrError as error:  # the signature says the title, on one line
        document["signature"] = re.search(r"allowed: (.*); to fix it", str(error))[1]  # type: ignore[index]
        return lowering.from_json(json.dumps(document))


def is_plain(form: str, text: str) -> None:
    """Assert that EVIL is nothing but text there."""
    assert "\x1b" not in text
    if form == "code":
        assert "EVIL" not in {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    elif form == "svg":
        assert {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()} <= {
            "svg",
            "title",
            "style",
            "rect",
            "text",
            "g",
            "path",
        }
    elif form == "dot":
        assert "EVIL" not in re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    elif form == "mermaid":
        body = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("%%"))
        assert "EVIL" not in re.sub(r'"[^"\n]*"', "", body)
        assert "<script" not in text
    elif form == "json":
        assert set(json.loads(text)) == {"format", "version", "title", "signature", "batch", "typed", "result", "nodes"}
    elif form == "html":
        assert "<script>EVIL" not in text
        assert "<EVIL" not in text


@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
def test_names_stay_names(evil: str) -> None:
    graph = renamed(evil)
    lines = {form: len(lowering.dump(renamed("plain"), form).splitlines()) for form in ("text", "table", "code")}
    for form in FORMS:
        text = lowering.dump(graph, form)
        is_plain(form, text)
        assert len(text.splitlines()) == lines.get(form, len(text.splitlines()))
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
