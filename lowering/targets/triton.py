"""Triton: a device function that any kernel can call, as the text of a Python file. `OPS` translates each op."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, TypeAlias, final

import torch
from torch import fx

from tracelr._torch import OpOverload
from tracelr.lowering.graph import Graph
from tracelr.lowering.spec import RESHAPES, aten, dtype_of, names, op_of, shape_of, type_of
from tracelr.lowering.targets import _toolchain
from tracelr.lowering.targets._refusals import one_step, refusal
from tracelr.lowering.targets._target import Target
from tracelr.lowering.targets._triton.helpers import HELPERS
from tracelr.lowering.targets._triton.run import FILE, Kernel

Template: TypeAlias = "str | dict[torch.dtype, str]"
_INT, _DOUBLE, _FLOAT = torch.int64, torch.float64, torch.float32
TYPES = {_INT: "tl.int64", torch.int32: "tl.int32", _DOUBLE: "tl.float64", _FLOAT: "tl.float32", torch.bool: "tl.int1"}
INLINE = 64
"""The longest table that is written into the code. A longer one is a pointer that the function takes after the step."""

_ONE = "tl.full((), 1.0, tl.float32)"


def _both(text: str) -> dict[torch.dtype, str]:
    return {_DOUBLE: text, _FLOAT: text}


def _wide(helper: str, *operands: str) -> Template:
    operands = operands or ("{0}",)
    wide = ", ".join(f"{operand}.to(tl.float64)" for operand in operands)
    return {_DOUBLE: f"@{helper}({', '.join(operands)})", _FLOAT: f"@{helper}({wide}).to(tl.float32)"}


OPS: dict[OpOverload, Template] = {
    aten.add.Tensor: "{0} + {1}",
    aten.sub.Tensor: "{0} - {1}",
    aten.mul.Tensor: "{0} * {1}",
    aten.div.Tensor: {_DOUBLE: "{0} / {1}", _FLOAT: "tl.div_rn({0}, {1})"},
    aten.remainder.Tensor: {_INT: "@remainder({0}, {1})"},  # a GPU has no exact fmod: it rounds the quotient first
    aten.minimum.default: {_INT: "tl.minimum({0}, {1})", **_both("@minimum({0}, {1})")},
    aten.maximum.default: {_INT: "tl.maximum({0}, {1})", **_both("@maximum({0}, {1})")},
    aten.clamp.Tensor: {_INT: "tl.minimum(tl.maximum({0}, {1}), {2})", **_both("@minimum(@maximum({0}, {1}), {2})")},
    aten.neg.default: {_INT: "-{0}", **_both("{0} * -1.0")},  # -x is 0 - x, which has no negative zero
    aten.abs.default: "tl.abs({0})",
    aten.lt.Tensor: "{0} < {1}",
    aten.le.Tensor: "{0} <= {1}",
    aten.gt.Tensor: "{0} > {1}",
    aten.ge.Tensor: "{0} >= {1}",
    aten.eq.Tensor: "{0} == {1}",
    aten.ne.Tensor: "{0} != {1}",
    aten.bitwise_and.Tensor: "{0} & {1}",
    aten.bitwise_or.Tensor: "{0} | {1}",
    aten.bitwise_not.default: "{0} == 0",
    aten.bitwise_right_shift.Tensor: "{0} >> {1}",
    aten.view.dtype: {kind: f"{{0}}.to({TYPES[kind]}, bitcast=True)" for kind in (torch.int32, _FLOAT)},
    aten.where.self: "tl.where({0}, {1}, {2})",
    aten.floor.default: "tl.floor({0})",
    aten.ceil.default: "tl.ceil({0})",
    aten.trunc.default: "tl.where({0} < 0, tl.ceil({0}), tl.floor({0}))",
    aten.reciprocal.default: {_DOUBLE: "1.0 / {0}", _FLOAT: f"tl.div_rn({_ONE}, {{0}})"},
    aten.sqrt.default: {_DOUBLE: "tl.sqrt({0})", _FLOAT: "tl.sqrt_rn({0})"},
    aten.rsqrt.default: {_DOUBLE: "1.0 / tl.sqrt({0})", _FLOAT: f"tl.div_rn({_ONE}, tl.sqrt_rn({{0}}))"},
    aten.exp.default: "tl.exp({0})",
    aten.exp2.default: "tl.exp2({0})",
    aten.log.default: "tl.log({0})",
    aten.log2.default: "tl.log2({0})",
    aten.sin.default: "tl.sin({0})",
    aten.cos.default: "tl.cos({0})",
    aten.expm1.default: _wide("expm1"),
    aten.log1p.default: _wide("log1p"),
    aten.tanh.default: _wide("tanh"),
    aten.round.default: _wide("round"),
    aten.pow.Tensor_Scalar: _wide("pow", "{0}", "{1}"),
    aten.pow.Tensor_Tensor: _wide("pow", "{0}", "{1}"),
}
"""Each op as Triton. {0} {1} {2} are operands, @ is the prefix of a function of `_triton/helpers.py`."""


@final
class _Source:
    """Prints one graph. A value of one element is a local; of a longer one, each element is an expression."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph, self.name = graph, name
        self.tables = [node for node in graph.nodes if node.op == "get_attr" and _length(node) > INLINE]
        self.helpers: dict[str, str] = {}
        self.author = ""

    @property
    def signature(self) -> dict[str, str]:
        """Return the type of each parameter of the kernel, as Triton's compiler takes it."""
        kinds = {_INT: "*i64", _DOUBLE: "*fp64", _FLOAT: "*fp32"}
        pointers = {f"v_{node.name}": kinds[dtype_of(node)] for node in self.tables}  # type: ignore[index]  # a table has a dtype
        return {"step": "*i64", "out": "*fp32", "n": "i64", **pointers, "BLOCK": "constexpr"}

    def file(self) -> str:
        """Return the text of the file."""
        (step,) = (node for node in self.graph.nodes if node.op == "placeholder")
        body = [line for node in self.graph.nodes for line in self._lines(node)]
        result = self._value(self.graph.result)
        body.append(f"return {result}" if step.users else f"return tl.broadcast_to({result}, step.shape)")
        values = "".join(f"\n        {self._tensor(node)}," for node in self.tables)
        words = {
            "name": self.name,
            "title": self.graph.title.replace("\\", "/").replace('"', "'"),  # it is printed in a docstring
            "pointers": "".join(f", v_{node.name}" for node in self.tables),
            "helpers": "".join(f"@triton.jit\n{text}\n\n\n" for text in self.helpers.values()),
            "body": "\n    ".join(body),
            "tables": f"({values}\n    )" if values else "()",
        }
        return FILE.format(**words)

    def _lines(self, node: fx.Node) -> Iterator[str]:
        if node.op in ("placeholder", "output") or node.target in RESHAPES or _length(node) != 1:
            return
        local, author = f"v_{node.name}", self.graph.note(node)
        if author and author != self.author and node.target != aten.full.default:
            self.author = author
            yield f"# {_ascii(author)}"
        if node.op == "get_attr":
            yield f"{local} = {_literal(self.graph.tensor(node).item(), dtype_of(node))}"
        elif node.target == aten.sum.dim_IntList:
            yield from self._sum(node, local)
        elif node.target == aten.index_select.default:
            yield from self._pick(node, local)
        else:
            yield f"{local} = {self._expression(node, 0)}"

    def _sum(self, node: fx.Node, local: str) -> Iterator[str]:
        terms: Any = node.args[0]
        if _length(terms) > INLINE:
            x, table = terms.args if terms.target == aten.ge.Tensor else (None, None)
            if table not in self.tables or _length(x) != 1 or not self._ascends(table):
                allowed = f"at most {INLINE} terms, or a count of the entries of an ascending table"
                raise refusal(node, "triton", f"a sum of {type_of(terms)}", allowed)
            length = _length(table)
            count = self._called(f"@count({self._value(x)}, v_{table.name}, {length}, {length.bit_length()})")
            yield f"{local} = {count}"
            return
        yield f"{local} = {_literal(0, _INT)}"
        for k in range(_length(terms)):
            yield f"{local} += {self._value(terms, k)}.to(tl.int64)"

    def _pick(self, node: fx.Node, local: str) -> Iterator[str]:
        table, _, index = node.args
        if _length(index) != 1:
            raise refusal(node, "triton", f"{_length(index)} entries of a table", "one entry, or constant ones")
        at = self._value(index)
        if _length(table) > INLINE:
            yield f"{local} = {self._load(table, at)}"
            return
        yield f"{local} = {self._value(table, 0)}"
        for k in range(1, _length(table)):
            yield f"{local} = tl.where({at} == {k}, {self._value(table, k)}, {local})"

    def _load(self, table: Any, at: str) -> str:
        if table.target == aten._to_copy.default:
            return f"{self._load(table.args[0], at)}.to({TYPES[dtype_of(table)]})"  # type: ignore[index]  # so has its copy
        if table not in self.tables:
            raise refusal(table, "triton", "an entry of a computed table", "an entry of a constant one")
        return f"tl.load(v_{table.name} + {at})"

    def _ascends(self, table: fx.Node) -> bool:
        values = self.graph.tensor(table).flatten()
        return bool((values[1:] >= values[:-1]).all())

    def _value(self, node: Any, k: int = 0) -> str:
        """Return the element `k` of a value as an operand: a name, a literal, or an expression in parentheses."""
        if not isinstance(node, fx.Node):
            return _literal(float(node), _DOUBLE)
        if node.op == "placeholder":
            return "step"
        if node.target in RESHAPES:
            return self._value(node.args[0], k)
        if _length(node) == 1:
            return f"v_{node.name}"
        if node.op == "get_attr":
            return _literal(self.graph.tensor(node).flatten()[k].item(), dtype_of(node))
        if node.target == aten.index_select.default:
            table, _, index = node.args
            if isinstance(index, fx.Node) and index.op == "get_attr":
                return self._value(table, int(self.graph.tensor(index).flatten()[k]))
        return f"({self._expression(node, k)})"

    def _expression(self, node: fx.Node, k: int) -> str:
        dtype, op = dtype_of(node), op_of(node)
        assert dtype is not None
        if op == aten.full.default:
            return _literal(node.args[1], dtype)  # type: ignore[arg-type]  # fx: of any kind
        if op == aten._to_copy.default:
            x = self._value(node.args[0], k)
            return f"{x} != 0" if dtype == torch.bool else f"{x}.to({TYPES[dtype]})"
        operands, template = [x for x in node.args if not isinstance(x, torch.dtype)], OPS.get(op)
        if op == aten.clamp.Tensor and None in (operands := [*operands, None][:3]):
            template = OPS[aten.minimum.default if operands[1] is None else aten.maximum.default]
            operands = [operand for operand in operands if operand is not None]
        if isinstance(template, dict):
            template = template.get(dtype)
        if template is None:
            raise refusal(node, "triton", str(op), names(OPS))
        return self._called(template.format(*(self._value(operand, k) for operand in operands)))

    def _called(self, text: str) -> str:
        """Return `text` with each @name replaced by the helper's name in this file, and keep the helper for the file."""

        def own(match: re.Match[str]) -> str:
            if match[1] not in self.helpers:
                body = HELPERS[match[1]].strip()
                needed = body.replace(f"def @{match[1]}(", f"def {self.name}_{match[1]}(")
                self.helpers[match[1]] = self._called(needed)
            return f"{self.name}_{match[1]}"

        return re.sub(r"@(\w+)", own, text)

    def _tensor(self, node: fx.Node) -> str:
        tensor = self.graph.tensor(node).flatten()
        values = ", ".join(map(_number, tensor.tolist()))
        return f"torch.tensor([{values}], dtype={tensor.dtype}, device=device)"


def _length(node: Any) -> int:
    return math.prod(size for size in shape_of(node) if isinstance(size, int))


def _ascii(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in " ".join(text.split()))


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else f'float("{value}")'


def _literal(value: float, dtype: torch.dtype | None) -> str:
    assert dtype is not None
    if dtype.is_floating_point and value == 0 and math.copysign(1.0, value) < 0:
        return f"(tl.full((), 0.0, {TYPES[dtype]}) * -1.0)"  # a zero is written without its sign
    return f"tl.full((), {_number(value)}, {TYPES[dtype]})"


@final
class Triton(Target):
    """Triton source of one function, in float64; a parameter is written as the value it has when it is lowered."""

    def emit(self, graph: Graph, name: str) -> Kernel:
        one_step(graph, "triton")
        source = _Source(graph, name)
        return Kernel(source.file(), name, source.signature)

    def missing(self) -> str | None:
        return _toolchain.missing("triton", "triton")


TARGET = Triton()
