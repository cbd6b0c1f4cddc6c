"""from_json: the graph that `dump(graph, "json")` wrote. Nothing in the text is trusted, and nothing of it is run."""

from __future__ import annotations

import json
import keyword
import re
from typing import Any, NoReturn, final

import torch
from torch import fx

from tracelr._torch import fake_tensors
from tracelr.errors import NotLowered, TracelrError, Words
from tracelr.lowering.forms.json import FORMAT, VERSION
from tracelr.lowering.graph import Graph
from tracelr.lowering.origin import plain
from tracelr.lowering.spec import DTYPES, OPS, TRACED, type_of

_WORDS = {str(op): op for op in (*OPS, *TRACED)}
_TORCH = {name: getattr(torch, name) for name in ("strided", "contiguous_format", "preserve_format")}
_TORCH |= {str(dtype).removeprefix("torch."): dtype for dtype in DTYPES}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+")
_STEP = {False: "i64[]", True: "i64[N]"}


def from_json(text: str) -> Graph:
    """Return the graph in a document of the form `json`: it lowers to the same text and evaluates to the same bits.

    A parameter comes back as a plain tensor of the value it had. Ops are those of `tracelr.lowering.spec`, names are
    identifiers, and types are derived anew and compared with those in the document. Raises `NotLowered` naming the first
    place that is wrong.

    >>> from tracelr import Linear
    >>> from tracelr.lowering import dump
    >>> from_json(dump(Linear(start=0.0, end=1.0, steps=4), "json"))(3)
    tensor(0.7500)
    """
    try:
        return _read(json.loads(text, parse_constant=_no_constant))
    except TracelrError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        given = Words(f"what is no JSON: {error}")
        allowed = "a document of the form json"
        raise NotLowered("from_json(text)", given, allowed, "pass the whole text of one") from error


def _read(document: Any) -> Graph:
    top = _Place("", document)
    if top.get("format", str) != FORMAT or top.get("version", int) != VERSION:
        given = Words(f"{document['format']} of version {document['version']}")
        _refuse("format", given, f"{FORMAT} of version {VERSION}", "dump the schedule's own graph with this tracelr")
    graph = _Reader(top.get("batch", bool)).read(top)
    graph.check()
    return graph


def _no_constant(word: str) -> NoReturn:
    _refuse("", Words(word), 'finite numbers, and {"float": "nan"}, "inf" or "-inf"')


@final
class _Place:
    """A JSON object and where it stands in the document."""

    def __init__(self, where: str, value: Any) -> None:
        if not isinstance(value, dict):
            _refuse(where, value, "an object")
        self.where, self.value = where, value

    def get(self, key: str, kind: type) -> Any:
        found = self.value.get(key)
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            _refuse(
                f"{self.where}{key}", found, {str: "a string", int: "an integer", bool: "true or false"}.get(kind, "a list")
            )
        return found


@final
class _Reader:
    """Builds the graph node by node, each with the value that torch derives for it without computing anything."""

    def __init__(self, batch: bool) -> None:
        self.batch = batch
        self.graph = fx.Graph()
        self.tensors: dict[str, Any] = {}
        self.nodes: dict[str, fx.Node] = {}
        self.mode, many = fake_tensors()
        if batch:
            self.step = self.mode.from_tensor(torch.arange(7), symbolic_context=many)
        else:
            self.step = self.mode.from_tensor(torch.tensor(5))

    def read(self, top: _Place) -> Graph:
        """Return the graph of a whole document."""
        for k, entry in enumerate(top.get("nodes", list)):
            place = _Place(f"nodes[{k}].", entry)
            node = self._node(place)
            name, kind = place.get("name", str), place.get("type", str)
            if node.name != name or type_of(node) != kind:
                _refuse(f"nodes[{k}]", Words(f"{name}: {kind}"), f"{node.name}: {type_of(node)}")
            self.nodes[name] = node
        self.graph.output(self._named("result", top.get("result", str)))
        module = fx.GraphModule(self.tensors, self.graph)
        graph = Graph(module, plain(top.get("title", str)), self.batch, top.get("typed", bool))
        if graph.signature != top.get("signature", str):
            _refuse("signature", top.value["signature"], graph.signature)
        return graph

    def _node(self, place: _Place) -> fx.Node:
        name, op = place.get("name", str), place.get("op", str)
        if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name in self.nodes:
            _refuse(f"{place.where}name", name, "an identifier that no other node has")
        if op == "input":
            node = self.graph.create_node("placeholder", name, name=name)
            node.meta = {"val": self.step}
            return node
        if op == "tensor":
            return self._tensor(place, name)
        if op not in _WORDS:
            _refuse(f"{place.where}op", op, ", ".join(sorted(map(str, OPS))))
        args = [self._operand(f"{place.where}args[{k}]", arg) for k, arg in enumerate(place.get("args", list))]
        keywords = _Place(f"{place.where}kwargs", place.value.get("kwargs", {})).value
        kwargs = {key: self._operand(f"{place.where}kwargs.{key}", value) for key, value in keywords.items()}
        node = self.graph.create_node("call_function", _WORDS[op], tuple(args), kwargs, name=name)
        node.meta = {"val": self._derived(place, node)} | _origin(place)
        return node

    def _tensor(self, place: _Place, name: str) -> fx.Node:
        path = place.get("path", str)
        if (
            not all(_PART.fullmatch(part) and not keyword.iskeyword(part) for part in path.split("."))
            or path in self.tensors
        ):
            _refuse(f"{place.where}path", path, "identifiers and numbers with dots between, as no other tensor has")
        dtype = self._operand(f"{place.where}dtype", place.value.get("dtype"))
        value = self._operand(f"{place.where}value", place.value.get("value"))
        try:
            self.tensors[path] = torch.tensor(value, dtype=dtype)
        except (TypeError, ValueError, RuntimeError) as error:
            _refuse(f"{place.where}value", Words(str(error)), "numbers of that dtype, in lists of equal length")
        node = self.graph.create_node("get_attr", path, name=name)
        node.meta = {"val": self.mode.from_tensor(self.tensors[path], static_shapes=True)}
        return node

    def _derived(self, place: _Place, node: fx.Node) -> Any:
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda operand: operand.meta["val"])
        try:
            with self.mode:
                return node.target(*args, **kwargs)  # type: ignore[operator]  # a call's target is its op
        except Exception as error:  # torch has no one class for operands that an op does not take
            given = Words(" ".join(str(error).split())[:200])
            _refuse(place.where.rstrip("."), given, f"operands that {node.target} takes")

    def _operand(self, where: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._operand(f"{where}[{k}]", part) for k, part in enumerate(value)]
        if not isinstance(value, dict):
            return value if not isinstance(value, str) else _refuse(where, value, "a number, true, false, null or an object")
        if len(value) == 1:
            ((key, word),) = value.items()
            if key == "node":
                return self._named(where, word)
            if key == "float" and word in ("nan", "inf", "-inf"):
                return float(word)
            if key == "torch" and isinstance(word, str) and word in _TORCH:
                return _TORCH[word]
            if key == "device" and word == "cpu":
                return torch.device("cpu")
        _refuse(where, value, f"node, float, torch ({', '.join(_TORCH)}) or device (cpu)")

    def _named(self, where: str, name: Any) -> fx.Node:
        if not isinstance(name, str) or name not in self.nodes:
            _refuse(where, name, "the name of a node above")
        return self.nodes[name]


def _origin(place: _Place) -> dict[str, Any]:
    owner, kind, source = (plain(place.get(key, str)) for key in ("owner", "class", "source"))
    modules = {owner: ("" if owner == "." else owner, f".{kind}")}
    return {"nn_module_stack": modules} | ({"stack_trace": f'File "", line 0, in forward\n{source}'} if source else {})


def _refuse(where: str, given: Any, allowed: str, fix: str = "write it as dump(graph, 'json') does") -> NoReturn:
    raise NotLowered(f"from_json(text) at {where}" if where else "from_json(text)", given, allowed, fix)
