"""An interpreter of CIRH, the IR of Cerebras' compiler, in NumPy: int64, and float32 as IEEE rounds it.

Each op does what it does in their compiler, also where that surprises: a sum of one-bit integers is a one-bit integer, a
quotient of integers is cut off towards zero, and a float becomes the nearest integer, the even one of two. So their
compiler folds a cast, where torch cuts the fraction off. Exp, Log, Sin, Cos, Tanh and Pow are NumPy's; their last bits are
those of no machine in particular, and a quotient by the integer 0 is 0.

It reads what `tracelr lower --target cirh` writes and what `torch-cirh-opt` writes, of a training step too. Only the ops
that the result depends on need be known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np

from tracelr.errors import LoweringError, Unquoted

Array: TypeAlias = "np.ndarray[Any, Any]"
Shape: TypeAlias = "tuple[int, ...]"

_DTYPES = {"i1": np.bool_, "i16": np.int16, "i32": np.int32, "i64": np.int64, "f16": np.float16, "f32": np.float32}
_NAME = r"%[\w.$-]+"
_OP = re.compile(rf"({_NAME}) = cirh\.(\w+) ([^{{:]*?)\s*(\{{.*\}})?\s*: (.+?)(?: loc\(.*\))?")
_INPUT = re.compile(rf"({_NAME}): (tensor<[^>]*>)(?: (\{{[^{{}}]*\}}))?")
_TENSOR = re.compile(r"tensor<((?:\d+x)*)(\w+)>")
_NUMBER = re.compile(r"0x[0-9A-Fa-f]+|[-+.\w]+")
_DENSE = re.compile(r"dense<(.*)>")

_COMPARISONS = {
    "LT": np.less,
    "LE": np.less_equal,
    "GT": np.greater,
    "GE": np.greater_equal,
    "EQ": np.equal,
    "NE": np.not_equal,
}


def _div(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f":
        return np.true_divide(a, b)
    down: Array = a // b
    quotient: Array = down + ((down * b != a) & ((a < 0) != (b < 0)))
    return quotient


_ALIKE: dict[str, Callable[..., Array]] = {
    "Abs": np.abs,
    "Add": np.add,
    "And": np.bitwise_and,
    "Ceil": np.ceil,
    "Clamp": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "Cos": np.cos,
    "Div": _div,
    "Exp": np.exp,
    "Floor": np.floor,
    "Log": np.log,
    "Mul": np.multiply,
    "Not": np.invert,
    "Or": np.bitwise_or,
    "Pow": np.power,
    "Reciprocal": lambda x: np.ones_like(x) / x,
    "Round": np.rint,
    "Rsqrt": lambda x: np.ones_like(x) / np.sqrt(x),
    "Select": np.where,
    "Sign": np.sign,
    "Sin": np.sin,
    "Sqrt": np.sqrt,
    "Sub": np.subtract,
    "Tanh": np.tanh,
    "Xor": np.bitwise_xor,
}
"""The ops whose operands and result have one shape, and that have no attribute."""


@final
@dataclass(frozen=True)
class Op:
    """One line: the value that it names, and how that is made. `attributes` is what stands in braces."""

    result: str
    name: str
    operands: tuple[str, ...]
    attributes: str
    types: str

    def integers(self, name: str) -> list[int]:
        """Return an attribute as a list: `axis = 0 : i64`, `dimensions = dense<[0, 1]> : tensor<2xi64>`."""
        found = re.search(rf"\b{name} = (?:dense<([^>]*)>|(-?\d+))", self.attributes)
        return [int(number) for number in re.findall(r"-?\d+", (found[1] or found[2] or "") if found else "")]

    def word(self, name: str) -> str:
        """Return an attribute that is a word: `reduce_kind = "ADD"`."""
        found = re.search(rf'\b{name} = "(\w+)"', self.attributes)
        return found[1] if found else ""


@final
@dataclass(frozen=True)
class Function:
    """The function of a CIRH text. Inputs have their type and their attributes, such as the `tf.resource_name`."""

    inputs: Mapping[str, tuple[str, str]]
    ops: Mapping[str, Op]
    results: tuple[str, ...]
    outputs: str
    """The types and attributes of the results, as they are written."""

    def cut(self, result: int | str = 0) -> tuple[str, list[str], list[Op]]:
        """Return the value that `result` names, and the inputs and the ops that it depends on, in order.

        `result` is the number of a result, the name that an attribute gives it (`cs.output_name`) or a value such as "%61".
        """
        value = result if isinstance(result, str) else self.results[result]
        if not value.startswith("%"):
            named = [k for k, one in enumerate(_types(self.outputs)) if f'"{value}"' in one]
            if len(named) != 1:
                raise _error(f"the result {value!r}", self.outputs, "the name or the number of a result")
            value = self.results[named[0]]
        needed, ops = {value}, []
        for op in reversed([*self.ops.values()]):
            if op.result in needed:
                needed.update(op.operands)
                ops.append(op)
        return value, [name for name in self.inputs if name in needed], ops[::-1]


def parse(text: str) -> Function:
    """Read the function of `text`, the only one. Lines that are not CIRH are left out until something depends on them."""
    lines = [line.strip() for line in text.splitlines()]
    heads = [line for line in lines if line.startswith("func ")]
    if len(heads) != 1:
        raise _error(f"{len(heads)} functions", "", "a text of one function")
    parameters, _, outputs = heads[0].partition(") -> ")
    ops = {match[1]: _op(match) for match in map(_OP.fullmatch, lines) if match is not None}
    (last,) = (line for line in lines if line.startswith("return "))
    inputs = {match[1]: (match[2], match[3] or "") for match in _INPUT.finditer(parameters)}
    return Function(inputs, ops, tuple(re.findall(_NAME, last)), outputs)


def run(
    text: str | Function,
    steps: Array,
    result: int | str = 0,
    step: str | None = None,
    values: Mapping[str, Array] | None = None,
) -> Array:
    """Return `result` (see `Function.cut`) at int64 `steps` of shape [n], as an array of shape [n, *its own shape].

    `step` is the input that counts: its name, such as "%arg3", or what an attribute calls it
    ("state.schedulers.0.last_epoch"). By default it is the only `tensor<i64>` that the result depends on. `values` has the
    other inputs that it depends on, each under either of these names. Raises `LoweringError` for an op or an input that is
    not known.

    >>> body = "%0 = cirh.Cast %step {Truncate = false} : tensor<i64> -> tensor<f32>"
    >>> run(f"func @lr(%step: tensor<i64>) -> tensor<f32> {{\\n{body}\\nreturn %0 : tensor<f32>\\n}}", np.array([2, 3]))
    array([2., 3.], dtype=float32)
    """
    function = parse(text) if isinstance(text, str) else text
    value, inputs, ops = function.cut(result)
    counts = [name for name in inputs if _is_step(function, name, step)]
    if len(counts) > 1:
        raise _error(f"the inputs {', '.join(counts)}", value, "one input that counts steps; name it with `step`")
    known: dict[str, Array] = dict.fromkeys(counts, steps.astype(np.int64))
    for called, given in (values or {}).items():
        known |= {name: given[np.newaxis] for name in inputs if _is_called(function, name, called)}
    if missing := [" ".join((name, *function.inputs[name])).strip() for name in inputs if name not in known]:
        raise _error(f"no value of {', '.join(missing)}", value, "a value of each, in `values`")
    with np.errstate(all="ignore"):
        for op in ops:
            known[op.result] = _evaluated(op, [known[name] for name in op.operands])
    if value not in known:
        raise _error(f"the value {value}", value, "a value that an op of CIRH makes")
    return np.broadcast_to(known[value], (len(steps), *known[value].shape[1:]))


def _is_step(function: Function, name: str, step: str | None) -> bool:
    return function.inputs[name][0] == "tensor<i64>" if step is None else _is_called(function, name, step)


def _is_called(function: Function, name: str, called: str) -> bool:
    return called == name or f'"{called}"' in function.inputs[name][1]


def _op(match: re.Match[str]) -> Op:
    operands = () if match[2] == "Const" else tuple(re.findall(_NAME, match[3]))
    return Op(match[1], match[2], operands, match[4] or (match[3] if match[2] == "Const" else ""), match[5])


def _types(text: str) -> list[str]:
    """Return the results of a head, each as its type and its attributes."""
    return re.findall(r"tensor<[^>]*>(?: \{[^{}]*\})?", text.partition(" attributes ")[0])


def _evaluated(op: Op, x: list[Array]) -> Array:
    """Return the value of `op`. Every array has the steps as its first dimension; a constant has one step."""
    kind = _TENSOR.fullmatch(op.types.rpartition("-> ")[2])  # the last type of a line is that of the result
    if kind is None or kind[2] not in _DTYPES:
        raise _error(f"the type {op.types}", op.result, f"tensors of {', '.join(_DTYPES)}")
    shape, dtype = tuple(int(size) for size in kind[1].split("x")[:-1]), _DTYPES[kind[2]]
    if op.name in _ALIKE:
        return _ALIKE[op.name](*x)
    if op.name in _OTHERS:
        return _OTHERS[op.name](op, x, shape, dtype)
    raise _unknown(op)


def _constant(op: Op, x: list[Array], shape: Shape, dtype: Any) -> Array:
    dense = _DENSE.search(op.attributes)
    if dense is None:
        raise _unknown(op)
    if dense[1].startswith('"0x'):  # a long table: its bytes
        values = np.frombuffer(bytes.fromhex(dense[1][3:-1]), np.dtype(dtype).newbyteorder("<")).astype(dtype)
    else:
        values = np.array([_number(text, dtype) for text in _NUMBER.findall(dense[1])], dtype)
    return np.broadcast_to(values if values.size == 1 else values.reshape(shape), (1, *shape))


def _cast(op: Op, x: list[Array], shape: Shape, dtype: Any) -> Array:
    whole = np.rint(x[0]) if x[0].dtype.kind == "f" and np.dtype(dtype).kind == "i" else x[0]
    return whole.astype(dtype)


def _compare(op: Op, x: list[Array], shape: Shape, dtype: Any) -> Array:
    result: Array = _COMPARISONS[op.word("comparison_direction")](*x)
    return result


def _reshape(op: Op, x: list[Array], shape: Shape, dtype: Any) -> Array:
    return x[0].reshape(len(x[0]), *shape)


def _broadcast(op: Op, x: list[Array], shape: Shape, dtype: Any) -> Array:
    sizes = [1] * len(shape)
    for place, size in zip(op.integers("broadcast_dimensions"), x[0].shape[1:], strict=True):
        sizes[place] = size
    return np.broadcast_to(x[0].reshape(len(x[0]), *sizes), (len(x[0]), *shape))


def _concat(op: Op, x: list[Array], shape: Shape, dtype: Any) -> Array:
    steps = max(map(len, x))
    return np.concatenate([np.broadcast_to(one, (steps, *one.shape[1:])) for one in x], op.integers("axis")[0] + 1)


def _gather(op: Op, x: list[Array], shape: Shape, dtype: Any) -> Array:
    table, index = x
    if len(table) > 1 or op.integers("axis") != [0] or op.integers("batch_dims") != [0]:
        raise _unknown(op)
    if index.size and not 0 <= index.min() <= index.max() < table.shape[1]:
        raise _error(f"an index from {index.min()} to {index.max()}", op.result, f"0 to {table.shape[1] - 1}")
    return np.take(table[0], index, 0)


def _reduce(op: Op, x: list[Array], shape: Shape, dtype: Any) -> Array:
    kind, axes = op.word("reduce_kind"), tuple(axis + 1 for axis in op.integers("dimensions"))
    if kind not in _REDUCTIONS:
        raise _unknown(op)
    if kind == "ADD" and dtype is np.bool_:
        kind = "XOR"
    reduced: Array = _REDUCTIONS[kind].reduce(x[0], axis=axes, dtype=dtype)
    return reduced.reshape(len(x[0]), *shape)


_REDUCTIONS = {"ADD": np.add, "MAX": np.maximum, "MIN": np.minimum, "XOR": np.logical_xor}
_OTHERS: dict[str, Callable[[Op, list[Array], Shape, Any], Array]] = {
    "BroadcastInDim": _broadcast,
    "Cast": _cast,
    "Compare": _compare,
    "Concat": _concat,
    "Const": _constant,
    "Gather": _gather,
    "Reduce": _reduce,
    "Reshape": _reshape,
}


def _unknown(op: Op) -> LoweringError:
    return _error(f"cirh.{op.name} {op.attributes}".strip(), op.result, ", ".join(sorted([*_ALIKE, *_OTHERS])))


def _number(text: str, dtype: Any) -> Any:
    if dtype is np.bool_:
        return text == "true"
    if np.dtype(dtype).kind == "i":
        return int(text, 0)
    if text.startswith("0x"):  # the bits of a number that no decimal names
        return np.array(int(text, 16), f"u{np.dtype(dtype).itemsize}").view(dtype)[()]
    return float(text)


def _error(given: str, where: str, allowed: str) -> LoweringError:
    return LoweringError(
        f"CIRH{f', {where}' if where else ''}", Unquoted(given), allowed, "pass a text that this interpreter knows"
    )
