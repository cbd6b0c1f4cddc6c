"""Reads the settings in a Python file by its syntax tree: assignments of literals, dict(...), arithmetic of numbers.

Nothing is run. What else is assigned to a name becomes an `Unread`, which a reader that needs it refuses, with its line.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple, final

from tracelr.errors import Unquoted
from tracelr.interop._tools.checks import Place

_LARGEST_BITS = 4096
_BINARY: dict[type[ast.AST], Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
_EMPTY = ("ConfigDict", "CfgNode", "CN", "Namespace", "SimpleNamespace", "EasyDict", "AttrDict", "FrozenConfigDict")
_WRAPPERS = ("dict", "OrderedDict", *_EMPTY)


@final
class Unread:
    """A value that is not a literal."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __repr__(self) -> str:
        return self.what


@final
class Imported(str):
    """The dotted path of a name that a file imports from a package, such as a class that it writes as a `type`."""


@final
class Config(dict[Any, Any]):
    """The settings of a library whose `update` goes into inner mappings, as that of MMEngine and of ml_collections."""


class Base(NamedTuple):
    """A file that a Python file imports in `with read_base():`, its names or ("*",), and the line."""

    path: str
    names: tuple[tuple[str, str], ...]
    line: int


def bases(text: str, where: Place) -> list[Base]:
    """Return the files whose names a Python file imports in `with read_base():`, as MMEngine does."""
    if "read_base" not in text:
        return []
    found = []
    for block in parsed(text, where).body:
        if not isinstance(block, ast.With) or not ast.unparse(block.items[0].context_expr).endswith("read_base()"):
            continue
        for node in block.body:
            if isinstance(node, ast.ImportFrom) and node.level and node.module:
                path = "../" * (node.level - 1) + node.module.replace(".", "/") + ".py"
                names = tuple((each.name, each.asname or each.name) for each in node.names)
                found.append(Base(path, names, node.lineno))
    return found


def parsed(text: str, where: Place) -> ast.Module:
    """Return the syntax tree of a file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SyntaxWarning, about code that nobody runs
            return ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 1
        reason = getattr(error, "msg", None) or error
        raise where.line(line, max(column, 1)).refuse(
            Unquoted(f"Python that cannot be parsed: {reason}"), "Python", "correct it there"
        ) from None
    except (RecursionError, MemoryError):
        raise where.refuse(Unquoted("Python that is nested too deeply"), "a shallow file", "nest it less") from None


def read(text: str, where: Place, known: Mapping[str, Any] | None = None) -> dict[Any, Any]:
    """Return the names and values of a Python file. Of a file with `def get_config()`, those of the config that it returns.

    A file of one expression `dict(...)` is that mapping; a call of another name is a mapping with its name under "()".
    `known` has the names that the file takes from its bases; the base files as a whole may stand there under `_base_`.
    """
    tree = parsed(text, where)
    if len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr):
        value = evaluate(tree.body[0].value, {})
        if isinstance(value, Mapping):
            return dict(value)
    names: dict[str, Any] = {
        name: Config(value) if isinstance(value, dict) else value for name, value in (known or {}).items()
    }
    _statements(tree.body, names)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in ("get_config", "get_base_config"):
            return _function(node, names)
    found = {name: value for name, value in names.items() if not name.startswith("__") and not isinstance(value, Imported)}
    relative = next((node for node in tree.body if isinstance(node, ast.ImportFrom) and node.level), None)
    if not found and relative is not None:
        given = Unquoted(f"a file that imports its settings: {ast.unparse(relative)[:80]}")
        fix = "write the numbers of the rate into a file, or on the command line after --"
        raise where.line(relative.lineno, 1).refuse(given, "a file that says them", fix)
    return found


def _function(node: ast.FunctionDef, names: Mapping[str, Any]) -> dict[Any, Any]:
    """Return the mapping that a function returns, called with its default arguments."""
    inner = dict(names)
    arguments = [*node.args.posonlyargs, *node.args.args]
    for each in (*arguments, *node.args.kwonlyargs):
        inner[each.arg] = Unread(f"the argument {each.arg} of {node.name}")
    for each, default in zip(reversed(arguments), reversed(node.args.defaults), strict=False):
        inner[each.arg] = evaluate(default, names)
    returned = _statements(node.body, inner)
    return dict(returned) if isinstance(returned, Mapping) else {}


def _statements(body: list[ast.stmt], names: dict[str, Any], unsure: str = "") -> Any:
    """Assign what the statements assign. `unsure` says why they may not happen, and then each value is an `Unread`.

    Returns what a return statement returns, or None.
    """
    for node in body:
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            _assignment(node, names, unsure)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
            _update(node.value, names, unsure)
        elif isinstance(node, ast.ImportFrom):
            _import(node, names, unsure)
        elif isinstance(node, ast.Return):
            return None if node.value is None or unsure else evaluate(node.value, names)
        elif isinstance(node, ast.If) and (found := _branches(node, names, unsure)) is not None:
            return found
        elif isinstance(node, (ast.For, ast.While, ast.With, ast.Try)):
            for block in ("body", "orelse", "finalbody"):
                _statements(getattr(node, block, []), names, f"a block on line {node.lineno}")
    return None


def _import(node: ast.ImportFrom, names: dict[str, Any], unsure: str) -> None:
    if node.level or unsure:
        return
    for each in node.names:
        names[each.asname or each.name] = Imported(f"{node.module}.{each.name}")


def _assignment(node: ast.Assign | ast.AnnAssign | ast.AugAssign, names: dict[str, Any], unsure: str) -> None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if isinstance(node, ast.AugAssign):
        value: Any = Unread(f"a value that line {node.lineno} changes in place")
    elif node.value is None:
        value = Unread(f"a name without a value on line {node.lineno}")
    else:
        value = evaluate(node.value, names)
    for target in targets:
        _assign(target, Unread(f"a value that {unsure} sets") if unsure else value, names)


def _branches(node: ast.If, names: dict[str, Any], unsure: str) -> Any:
    test = evaluate(node.test, names)
    if not isinstance(test, (Unread, Imported)):
        return _statements(node.body if test else node.orelse, names, unsure)
    for branch in (node.body, node.orelse):
        _statements(branch, names, f"a branch on line {node.lineno}")
    return None


def _assign(target: ast.expr, value: Any, names: dict[str, Any]) -> None:
    if isinstance(target, ast.Name):
        if target.id != "_base_" or not isinstance(names.get("_base_"), Mapping):
            names[target.id] = value
    elif isinstance(target, (ast.Attribute, ast.Subscript)):
        holder = _holder(target.value, names)
        key = target.attr if isinstance(target, ast.Attribute) else evaluate(target.slice, names)
        if isinstance(holder, dict) and isinstance(key, str):
            holder[key] = value
    elif isinstance(target, (ast.Tuple, ast.List)):
        values = value if isinstance(value, (list, tuple)) and len(value) == len(target.elts) else None
        for k, each in enumerate(target.elts):
            _assign(each, Unread(f"a value on line {target.lineno}") if values is None else values[k], names)


def _holder(node: ast.expr, names: dict[str, Any]) -> Any:
    """Return the mapping that `config.a.b` names; one that does not exist is made."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        above = _holder(node.value, names)
        if isinstance(above, dict):
            return above.setdefault(node.attr, {})
    if isinstance(node, ast.Subscript):
        above, key = _holder(node.value, names), evaluate(node.slice, names)
        if isinstance(above, dict) and isinstance(key, str):
            return above.setdefault(key, {})
        if isinstance(above, list) and isinstance(key, int) and -len(above) <= key < len(above):
            return above[key]
    return None


def _update(call: ast.Call, names: dict[str, Any], unsure: str) -> None:
    """Do what `config.update(...)` does; any other method makes its object an `Unread`, if it may change it."""
    assert isinstance(call.func, ast.Attribute)
    holder = _holder(call.func.value, names)
    given = evaluate(ast.Call(ast.Name("dict", ast.Load()), call.args, call.keywords, lineno=call.lineno), names)
    if isinstance(holder, dict) and call.func.attr == "update" and isinstance(given, Mapping):
        _put(holder, given, unsure, isinstance(_root(call.func.value, names), Config))


def _root(node: ast.expr, names: Mapping[str, Any]) -> Any:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return names.get(node.id) if isinstance(node, ast.Name) else None


def _put(holder: dict[Any, Any], given: Mapping[Any, Any], unsure: str, deep: bool) -> None:
    """Put the values of a mapping into another one; with `deep`, into its inner mappings."""
    for key, value in given.items():
        below = holder.get(key)
        if deep and isinstance(below, dict) and isinstance(value, Mapping):
            _put(below, value, unsure, deep)
        else:
            holder[key] = Unread(f"a value that {unsure} sets") if unsure else value


def evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Return the value of a literal, of a name, of arithmetic of numbers or of dict(...), and an `Unread` of all else."""
    try:
        return _value(node, names)
    except (ArithmeticError, TypeError, ValueError, LookupError, RecursionError):
        return Unread(f"Python on line {getattr(node, 'lineno', 0)} that is not a literal")


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    read = _READERS.get(type(node))
    if read is None:
        return Unread(f"Python on line {node.lineno} that is not a literal: {ast.unparse(node)[:60]}")
    return read(node, names)


def _name(node: ast.Name, names: Mapping[str, Any]) -> Any:
    return names.get(node.id, Unread(f"the name {node.id} on line {node.lineno}, which has no value in the file"))


def _dict(node: ast.Dict, names: Mapping[str, Any]) -> Any:
    found: dict[Any, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        one = evaluate(value, names)
        found.update(one if key is None else {evaluate(key, names): one})
    return found


def _template(node: ast.Set, names: Mapping[str, Any]) -> Any:
    """Return the value of `{{_base_.name}}`, which MMEngine replaces."""
    inner = node.elts[0]
    if len(node.elts) == 1 and isinstance(inner, ast.Set) and len(inner.elts) == 1:
        return _value(inner.elts[0], names)
    return Unread(f"a set on line {node.lineno}")


def _unary(node: ast.UnaryOp, names: Mapping[str, Any]) -> Any:
    value = _value(node.operand, names)
    if isinstance(node.op, ast.Not):
        return Unread(f"Python on line {node.lineno}") if isinstance(value, (Unread, Imported)) else not value
    return -_number(value) if isinstance(node.op, ast.USub) else +_number(value)


def _either(node: ast.IfExp, names: Mapping[str, Any]) -> Any:
    test = _value(node.test, names)
    if isinstance(test, (Unread, Imported)):
        return Unread(f"Python on line {node.lineno} that is not a literal")
    return _value(node.body if test else node.orelse, names)


def _attribute(node: ast.Attribute, names: Mapping[str, Any]) -> Any:
    above = _value(node.value, names)
    return above[node.attr] if isinstance(above, Mapping) else Unread(f"{ast.unparse(node)[:60]} on line {node.lineno}")


def _arithmetic(node: ast.BinOp, names: Mapping[str, Any]) -> Any:
    left, right = _value(node.left, names), _value(node.right, names)
    if isinstance(node.op, ast.Add) and isinstance(left, list) and isinstance(right, list):
        return left + right
    left, right = _number(left), _number(right)
    if isinstance(node.op, ast.Pow) and (abs(right) > 64 or abs(left) > 1e6):
        raise ValueError
    value = _BINARY[type(node.op)](left, right)
    if isinstance(value, int) and value.bit_length() > _LARGEST_BITS:
        raise ValueError
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    return value


def _call(node: ast.Call, names: Mapping[str, Any]) -> Any:
    """Return dict(...) as a mapping, int(...) and float(...) of a number, and any other call as a mapping with its name."""
    name = ast.unparse(node.func)[:200]
    last = name.rpartition(".")[2]
    positional = [evaluate(each, names) for each in node.args]
    keywords: dict[Any, Any] = {}
    for each in node.keywords:
        value = evaluate(each.value, names)
        keywords.update({each.arg: value} if each.arg is not None else value)
    if last in _WRAPPERS and all(isinstance(each, Mapping) for each in positional):
        merged: dict[Any, Any] = {}
        for one in positional:
            merged.update(one)
        return merged | keywords if last == "dict" else Config(merged | keywords)
    if name in ("int", "float", "round") and len(positional) == 1 and not keywords:
        number = _number(float(positional[0]) if isinstance(positional[0], str) else positional[0])
        return float(number) if name == "float" else int(number) if name == "int" else round(number)
    return {"()": name, "args": positional, **keywords}


_READERS: dict[type[ast.AST], Any] = {
    ast.Constant: lambda node, _: node.value,
    ast.Set: _template,
    ast.Name: _name,
    ast.List: lambda node, names: [evaluate(each, names) for each in node.elts],
    ast.Tuple: lambda node, names: tuple(evaluate(each, names) for each in node.elts),
    ast.Dict: _dict,
    ast.UnaryOp: _unary,
    ast.BinOp: _arithmetic,
    ast.IfExp: _either,
    ast.Attribute: _attribute,
    ast.Subscript: lambda node, names: _value(node.value, names)[_value(node.slice, names)],
    ast.Call: _call,
}
"""What reads each kind of expression."""
