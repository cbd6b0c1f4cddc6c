"""json: what is read back is the graph that was written, and nothing else is read at all."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import torch
from graphs import bits, traced
from oracle import probes
from table import ROWS
from torch import Tensor, nn

from tracelr import Constant, Linear, PiecewiseConstant
from tracelr.errors import NotLowered
from tracelr.lowering import Graph, dump, from_json, lower, passes, stages, trace

EVERY = pytest.mark.parametrize("name", ROWS)
FEW = pytest.mark.parametrize("name", ["sequential_nested", "piecewise_constant", "exponential_stairs"])


@EVERY
def test_a_graph_comes_back_with_its_bits_its_code_and_its_bytes(name: str) -> None:
    row, graph = ROWS[name], passes.run(traced(name))
    text = dump(graph, "json")
    back = from_json(text)
    assert isinstance(back, Graph)
    assert dump(back, "json") == text
    assert lower(back, "c").text == lower(graph, "c").text
    steps = torch.tensor([*probes(row.ends, seed=5, random_steps=20), -1, 2**60])
    assert torch.equal(bits(torch.stack([back(step) for step in steps])), bits(row.schedule(steps)))


@FEW
@pytest.mark.parametrize("batch", [False, True])
def test_every_stage_comes_back(name: str, batch: bool) -> None:
    steps = torch.arange(0, 3000, 7) if batch else torch.tensor(77)
    for stage, graph in stages(traced(name, batch)):
        back = from_json(dump(graph, "json"))
        assert (back.title, back.batch, back.typed) == (graph.title, graph.batch, graph.typed)
        for form in ("json", "text", "table", "code", "svg"):
            assert dump(back, form) == dump(graph, form), (stage, form)
        assert torch.equal(back(steps), graph(steps))


def test_a_parameter_comes_back_as_a_tensor_of_its_value() -> None:
    start = nn.Parameter(torch.tensor(0.1))
    graph = passes.run(trace(Linear(start, torch.tensor(1.0, dtype=torch.float64), 4)))
    back = from_json(dump(graph, "json"))
    assert back(1) == graph(1)
    assert lower(back, "c").text == lower(graph, "c").text
    assert [node.target for node in back.nodes if node.op == "get_attr"] == ["start", "end"]


def test_numbers_that_json_has_no_word_for_come_back() -> None:
    class Odd(nn.Module):
        def forward(self, step: Tensor) -> Tensor:
            x = step.double()
            x = torch.where(step > 5, float("inf"), x) + torch.where(step > 7, float("nan"), -0.0)
            return torch.where(step == 2**62 + 1, float("-inf"), x).float()

    graph = trace(Odd())
    for one in (graph, passes.run(graph)):
        back = from_json(dump(one, "json"))
        assert dump(back, "json") == dump(one, "json")
        for n in (0, 3, 6, 8, 2**62, 2**62 + 1):
            assert torch.equal(bits(back(n)), bits(one(n)))


def test_a_graph_that_was_read_goes_through_the_passes() -> None:
    raw = trace(ROWS["sequential"].schedule)
    assert dump(passes.run(from_json(dump(raw, "json"))), "text") == dump(passes.run(raw), "text")


GOOD = dump(passes.run(trace(Constant(1.0).then(PiecewiseConstant([0.1, 0.2], [3]), at=5))), "json")
REFUSED = "to fix it: write it as dump(graph, 'json') does."


def edited(change: Any) -> str:
    document = json.loads(GOOD)
    nodes = {node["name"]: node for node in document["nodes"]}
    change(document, nodes)
    return json.dumps(document)


def at(name: str) -> int:
    return [node["name"] for node in json.loads(GOOD)["nodes"]].index(name)


EDITS: dict[str, tuple[Any, str]] = {
    "no nodes": (lambda d, n: d.pop("nodes"), "at nodes: given None; allowed: a list"),
    "another version": (
        lambda d, n: d.update(version=2),
        "given tracelr.graph of version 2; allowed: tracelr.graph of version 1",
    ),
    "true is no version": (lambda d, n: d.update(version=True), "at version: given True; allowed: an integer"),
    "a node is a list": (lambda d, n: d["nodes"].append([]), "at nodes[{last}].: given []; allowed: an object"),
    "an op of another library": (
        lambda d, n: n["clamp"].update(op="os.system"),
        "at nodes[{clamp}].op: given 'os.system'; allowed: aten.",
    ),
    "an op that no graph holds": (
        lambda d, n: n["clamp"].update(op="aten.tan.default"),
        "at nodes[{clamp}].op: given 'aten.tan.default'; allowed: aten.",
    ),
    "code as a name": (
        lambda d, n: n["clamp"].update(name="x;import os"),
        "at nodes[{clamp}].name: given 'x;import os'; allowed: an identifier that no other node has",
    ),
    "a keyword": (
        lambda d, n: n["clamp"].update(name="lambda"),
        "at nodes[{clamp}].name: given 'lambda'; allowed: an identifier that no other node has",
    ),
    "a name that torch would change": (
        lambda d, n: n["clamp"].update(name="sum"),
        "at nodes[{clamp}]: given sum: i64[]; allowed: sum_1: ",
    ),
    "a name twice": (
        lambda d, n: n["clamp"].update(name="step"),
        "at nodes[{clamp}].name: given 'step'; allowed: an identifier that no other node has",
    ),
    "a path out of the graph": (
        lambda d, n: n["schedules_1_values_table"].update(path='a")+evil("'),
        "path: given 'a\")+evil(\"'; allowed: identifiers and numbers with dots between, as no other tensor has",
    ),
    "a node from below": (
        lambda d, n: n["clamp"]["args"].__setitem__(0, {"node": "lt"}),
        "at nodes[{clamp}].args[0]: given 'lt'; allowed: the name of a node above",
    ),
    "a string": (
        lambda d, n: n["full"]["args"].__setitem__(1, "7"),
        "at nodes[{full}].args[1]: given '7'; allowed: a number, true, false, null or an object",
    ),
    "an unknown word": (
        lambda d, n: n["full"]["args"].__setitem__(1, {"torch": "load"}),
        "given {{'torch': 'load'}}; allowed: node, float, torch (strided, contiguous_format, preserve_format, int64, float64, "
        "float32, int32, bool) or device (cpu)",
    ),
    "a type that is not so": (
        lambda d, n: n["clamp"].update(type="f64[]"),
        "at nodes[{clamp}]: given clamp: f64[]; allowed: clamp: i64[]",
    ),
    "operands that do not fit": (
        lambda d, n: n["lt"].update(args=[{"node": "step"}]),
        "; allowed: operands that aten.lt.Tensor takes",
    ),
    "too many keywords": (
        lambda d, n: n["full"]["kwargs"].update(pin_memory=False),
        "keywords ['dtype', 'pin_memory']; allowed: dtype alone",
    ),
    "an untyped scalar": (lambda d, n: n["lt"]["args"].__setitem__(1, 5), "; allowed: operands that aten.lt.Tensor takes"),
    "a ragged table": (
        lambda d, n: n["schedules_1_values_table"].update(value=[[1.0], [1.0, 2.0]]),
        "allowed: numbers of that dtype, in lists of equal length",
    ),
    "a table of names": (
        lambda d, n: n["schedules_1_values_table"].update(value=[None]),
        "allowed: numbers of that dtype, in lists of equal length",
    ),
    "another result": (lambda d, n: d.update(result="clamp"), "at signature: given 'lr(step: i64[]) -> f32[]'"),
    "an unknown result": (lambda d, n: d.update(result=None), "at result: given None; allowed: a string"),
    "a second input": (
        lambda d, n: d["nodes"].append({"name": "x", "type": "i64[]", "op": "input"}),
        "graph inputs: given ['step', 'x']",
    ),
    "a list too deep": (
        lambda d, n: n["full"]["args"].__setitem__(1, too_deep()),
        "what is no JSON: maximum recursion depth exceeded",
    ),
}


def too_deep() -> Any:
    """Return a list that Python's limit of recursion, which Inductor raises, lets through once but not to be read."""
    depth = sys.getrecursionlimit() * 3 // 5
    return json.loads("[" * depth + "]" * depth)


@pytest.mark.parametrize("name", EDITS)
def test_what_is_no_graph_is_refused(name: str) -> None:
    change, message = EDITS[name]
    with pytest.raises(NotLowered) as caught:
        from_json(edited(change))
    places = {key: at(key) for key in ("clamp", "full", "lt")} | {"last": len(json.loads(GOOD)["nodes"])}
    assert message.format(**places) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "from_json(text): given what is no JSON: Expecting value: line 1 column 1 (char 0); allowed: a document of the form json; to fix it: pass the whole text of one."),
        ("[]", f"from_json(text): given []; allowed: an object; {REFUSED}"),
        ('{"format": NaN}', f'from_json(text): given NaN; allowed: finite numbers, and {{"float": "nan"}}, "inf" or "-inf"; {REFUSED}'),
        ("[" * 10**5, "from_json(text): given what is no JSON: maximum recursion depth exceeded while decoding a JSON array...; allowed: a document of the form json; to fix it: pass the whole text of one."),
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused(text: str, message: str) -> None:
    with pytest.raises(NotLowered) as caught:
        from_json(text)
    assert str(caught.value) == message
