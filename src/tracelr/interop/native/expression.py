"""`tracelr.parse` reads a schedule from a line of text, such as "linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)".

A regular expression finds numbers, names and strings, and replaces each by a name or a 0 of the same length. The result
follows Python's grammar, so that `ast.parse` makes a tree of it, which is walked. Nothing is evaluated, compiled or
imported, and only the names of registered schedules are looked up.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from inspect import Parameter, signature
from operator import add, mul, sub, truediv
from typing import Any, NamedTuple, final

from tracelr.errors import ConfigError, Location, TracelrError, Unquoted, show, suggest
from tracelr.interop._tools.units import UNITS, Units
from tracelr.interop.native.names import snake
from tracelr.schedules.base import REGISTRY, Schedule
from tracelr.schedules.fields import FINITE
from tracelr.schedules.standard import FUNCTIONS

_LARGEST_TEXT = 2**16
_LARGEST_EXPONENT = 400  # past the range of every float; 1e999999999 would be a long integer
_DEEPEST = 150  # brackets in brackets; Python's own parser stops at 200
_MOST_MARKS = 1000  # operators and dots of one spec, because each is a level of the tree
_WORDS = {"true": True, "false": False, "none": None, "null": None}
_METHODS = {name: getattr(Schedule, name) for name in ("then", "warmup", "cooldown", "drive", "clamp", "over", "named")}
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: add,
    ast.Sub: sub,
    ast.Mult: mul,
    ast.Div: truediv,
}
_UNITS = tuple(UNITS.split("|"))
_CLOSING = {"(": ")", "[": "]"}
_A_SCHEDULE = "a schedule, such as cosine(3e-4, 0, 1000)"
_OPERAND = "a schedule or a number"
_AFTER = "'|', '+', '-', '*', '/', '.' or the end"
_TOKEN = (  # compiled when it is first used
    # Each part takes all that it can and gives nothing back (`*+`), because the time would be quadratic otherwise. A group
    # may be given back as a whole (`?`, not `?+`, which fails in Python 3.11.2).
    r"(?P<space>\s++)|(?P<number>(?:[0-9][0-9_]*+\.?+[0-9_]*+|\.[0-9][0-9_]*+)(?:[eE][-+]?[0-9]++)?(?:[kM]|"
    rf"{UNITS})?(?![\w.]))"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<string>'[^'\n]*'|\"[^\"\n]*\")|(?P<mark>[|+\-*/()\[\],=.])"
)


def parse(text: str, where: str = "spec", units: Units | None = None) -> Schedule:
    """Return the schedule that a line of text describes.

    The grammar, in EBNF; the operators have their precedence in Python and their meaning on schedules, and
    `|` is `then`::

        spec    = sum, { "|", sum } ;
        sum     = product, { ( "+" | "-" ), product } ;
        product = factor, { ( "*" | "/" ), factor } ;
        factor  = [ "-" ], ( number | schedule ) ;
        schedule = ( call | "(", spec, ")" ), { ".", call } ;
        call    = name, "(", [ argument, { ",", argument }, [ "," ] ], ")" ;
        argument = [ name, "=" ], value ;
        value   = spec | string | word | "[", [ value, { ",", value }, [ "," ] ], "]" ;

    The name of a call is the name of a schedule, in upper or lower case, with or without underscores (`one_cycle`,
    `OneCycle`), or one of tracelr's functions `warmup_cosine`, `warmup_linear`, `warmup_constant`, `inverse_sqrt` and `wsd`,
    if the arguments are those of the function. After a dot it is `then`, `warmup`, `cooldown`, `clamp`, `over`, `drive` or
    `named`. A number has digits, `_` between them, a fraction, an exponent, and `k` or `M` for thousands and millions: 98k,
    1.5M and 2e3 are whole numbers. 5ep, 3e9tok and 0.1dur are lengths that `units` turns into steps. A word is a string
    without quotes, or `True`, `False`, `None` or `null`. The `repr` of a schedule is a spec too, unless it holds a tensor
    or a function.

    Raises `ConfigError`, with a caret under the place, for anything else; `where` names the text in the message.

    >>> parse("linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)").milestones
    (2000,)
    >>> parse("0.5 * linear(start=1, end=0, steps=4).warmup(2)")(2)
    tensor(0.5000)
    """
    if not isinstance(text, str):
        raise ConfigError(where, text, "a str", "pass the text of a spec")
    if len(text) > _LARGEST_TEXT:
        given = Unquoted(f"{len(text)} characters")
        raise ConfigError(where, given, f"at most {_LARGEST_TEXT}", "write a file")
    try:
        return _Reader(text, where, units or Units()).read()
    except (RecursionError, MemoryError):  # raised by Python's parser, or by nested schedules
        raise _too_deep(where) from None


def _too_deep(where: str) -> ConfigError:
    return ConfigError(where, Unquoted("a spec that is nested too deeply"), "a shallow one", "nest it less")


def kind_of(name: str) -> type[Schedule] | None:
    """Return the schedule class called `name`, in upper or lower case, with or without underscores."""
    return {_fold(own): kind for own, kind in REGISTRY.items()}.get(_fold(name))


def _fold(name: str) -> str:
    return name.replace("_", "").lower()


def parameters(function: Callable[..., Any]) -> list[Parameter]:
    """Return the parameters of a class, a function or a method in order, without `self`."""
    return [one for one in signature(function).parameters.values() if one.name != "self"]


def _wanted(function: Callable[..., Any]) -> str:
    return ", ".join(one.name for one in parameters(function) if one.kind is not Parameter.VAR_KEYWORD) or "key=value"


@final
class _Token(NamedTuple):
    kind: str
    text: str
    at: int


@final
class _Reader:
    """Walks the tree of one text. The masked text is one line of the same length, so a node's column finds its token."""

    def __init__(self, text: str, where: str, units: Units) -> None:
        self.text, self.where, self.units = text, where, units
        self.tokens: dict[int, _Token] = {}
        self.masked = self._masked()

    def read(self) -> Schedule:
        line = self.masked.lstrip(" ")
        self.skipped = len(self.masked) - len(line)
        try:
            body = ast.parse(line, mode="eval").body
        except SyntaxError as error:
            at = error.offset - 1 + self.skipped if error.offset else len(self.text)  # 0 is the end
            raise self.unexpected(at, f"{_OPERAND}; arguments with a name come last") from None
        return self.schedule_at(self.value(body), self.at(body))

    def _masked(self) -> str:
        """Return the text as one line of ASCII, each token in its own column; raise at what is not a token."""
        found, at, closing, marks, before = [], 0, [""], 0, "mark"
        tokens = re.compile(_TOKEN)
        while at < len(self.text):
            match = tokens.match(self.text, at)
            if match is None:
                word = re.match(r"[\w.]+|.", self.text[at:], re.S)
                allowed = "a number, a name, a string, or one of | + - * / ( ) [ ] , = ."
                raise self.refuse(at, word[0] if word else "", allowed, "correct it there")
            kind, text = str(match.lastgroup), match[0]
            if kind != "space":
                self.tokens[at] = _Token(kind, text, at)
                if text in _CLOSING:
                    closing.append(_CLOSING[text])
                elif text in (")", "]") and text != closing[-1]:
                    raise self.unexpected(at, repr(closing[-1]) if closing[-1] else _AFTER)
                elif text in (")", "]"):
                    closing.pop()
                elif kind != "mark" and before != "mark":
                    raise self.unexpected(at, "an operator or a comma before it")
                marks += text in ("|", "+", "-", "*", "/", ".")
                before = kind
                if len(closing) > _DEEPEST or marks > _MOST_MARKS:
                    raise _too_deep(self.where)
            filled = text if kind == "mark" else "_" * len(text) if kind == "name" else ""
            found.append(filled or ("0" if kind != "space" else " ").ljust(len(text)))
            at = match.end()
        if closing[-1]:
            raise self.unexpected(at, repr(closing[-1]))
        self.check_commas()
        return "".join(found)

    def check_commas(self) -> None:
        """Raise for a number that is written with commas, as 98,000 is: a comma separates arguments.

        "0,500,900" may be three numbers. A group of three digits after a comma is a part of a number if it begins with 0, or
        if other commas between the same brackets have a space after them.
        """
        tokens = [*self.tokens.values(), _Token("end", "", len(self.text))]
        # In each bracket: the numbers with commas, and for each comma whether a space follows.
        groups: list[tuple[list[_Token], list[bool]]] = [([], [])]
        for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
            if before.text in _CLOSING:
                groups.append(([], []))
            elif before.text in _CLOSING.values() and len(groups) > 1:
                self.check_group(*groups.pop())
            if token.text == ",":
                tight = after.at == token.at + 1
                groups[-1][1].append(not tight)
                if tight and re.fullmatch("[0-9]{1,3}", before.text) and re.fullmatch("[0-9]{3}", after.text):
                    groups[-1][0].append(_Token("number", f"{before.text},{after.text}", before.at))
        for group in groups:
            self.check_group(*group)

    def check_group(self, numbers: list[_Token], spaces: list[bool]) -> None:
        """Raise if a group of digits after a comma, of those between two brackets, is a part of a number."""
        for one in numbers:
            if any(spaces) or ",0" in one.text:
                fix = f"write {one.text.replace(',', '_')} for one number, or a space after the comma for two"
                allowed = "numbers without commas, because a comma separates arguments"
                raise self.refuse(one.at, Unquoted(one.text), allowed, fix)

    def at(self, node: ast.expr | ast.keyword) -> int:
        return node.col_offset + self.skipped

    def refuse(self, at: int, given: object, allowed: str, fix: str) -> ConfigError:
        """Return the error of a place; the caller raises it."""
        where, location = self._place(at)
        return ConfigError(where, given, allowed, fix, at=location)

    def unexpected(self, at: int, allowed: str) -> ConfigError:
        """Return the error that the token at `at`, or the next one after it, is not one of the `allowed` ones."""
        token = next((one for one in self.tokens.values() if one.at + len(one.text) > at), None)
        found = token or _Token("end", "the end", len(self.text))
        return self.refuse(found.at, Unquoted(found.text), allowed, "write it there")

    def _place(self, at: int) -> tuple[str, Location]:
        line = self.text.count("\n", 0, at) + 1
        column = at - self.text.rfind("\n", 0, at)
        place = f"line {line}, column {column}" if "\n" in self.text.strip() else f"column {column}"
        return f"{self.where}: {place}", Location.within(self.text, line, column)

    def schedule_at(self, value: Any, at: int) -> Schedule:
        if not isinstance(value, Schedule):
            fix = f"write constant({show(value, 20)})" if isinstance(value, (int, float)) else "write one"
            raise self.refuse(at, value, _A_SCHEDULE, fix)
        return value

    def value(self, node: ast.expr) -> Any:
        """Return the schedule or number of a node. A loop walks the left edge of the tree, which can be long."""
        edge = []
        while isinstance(node, ast.BinOp) or (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            edge.append(node)
            node = node.left if isinstance(node, ast.BinOp) else node.func.value  # type: ignore[attr-defined]  # the condition says so
        value = self.operand(node)
        for one in reversed(edge):
            value = self.binary(one, value) if isinstance(one, ast.BinOp) else self.method(one, value)
        return value

    def operand(self, node: ast.expr) -> Any:
        token = self.tokens[self.at(node)]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self.value(node.operand)
            return value * -1.0 if isinstance(value, Schedule) else -value
        if isinstance(node, ast.Constant) and token.kind == "number":
            return self.number(token)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self.call(node, token)
        if isinstance(node, ast.Name):
            kind = self.kind(token)
            fix = f"write {snake(kind.__name__)}({_wanted(kind.__init__)})"
            raise self.refuse(token.at, Unquoted(token.text), _A_SCHEDULE, fix)
        if isinstance(node, ast.Tuple) and node.elts:
            end = node.elts[0].end_col_offset or 0
            raise self.unexpected(self.masked.index(",", end + self.skipped), _AFTER)
        raise self.unexpected(token.at, _OPERAND)

    def binary(self, node: ast.BinOp, left: Any) -> Any:
        after = node.right.col_offset + self.skipped
        mark = len(self.masked[:after].rstrip(" (")) - 1
        right = self.value(node.right)
        if isinstance(node.op, ast.BitOr):
            first = self.schedule_at(left, self.at(node.left))
            return self.made(mark, {}, partial(first.then, self.schedule_at(right, after)))
        if type(node.op) not in _OPERATORS:
            raise self.unexpected(mark, _OPERAND)
        if not isinstance(left, Schedule) and not isinstance(right, Schedule):
            given = Unquoted(f"{left!r} {self.text[mark]} {right!r}")
            raise self.refuse(mark, given, "a schedule on one side at least", "write the resulting number")
        return self.made(mark, {}, partial(_OPERATORS[type(node.op)], left, right))

    def number(self, token: _Token) -> int | float:
        digits = token.text.replace("_", "")
        if len(digits) > _LARGEST_EXPONENT:
            given = Unquoted(f"a number of {len(digits)} digits")
            raise self.refuse(token.at, given, f"at most {_LARGEST_EXPONENT} digits", "write a shorter one")
        if digits.endswith(_UNITS):
            try:
                return self.units.steps(digits)
            except TracelrError as error:
                fix = f"{error.fix}, or --steps-per-epoch N and its siblings on the command line"
                raise self.refuse(token.at, Unquoted(token.text), error.allowed, fix) from None
        factor = {"k": 1000, "M": 1_000_000}.get(digits[-1], 1)
        digits = digits.rstrip("kM")
        exponent = re.search(r"[eE]([-+]?[0-9]+)$", digits)
        if exponent and (len(exponent[1]) > 5 or abs(int(exponent[1])) > _LARGEST_EXPONENT):
            allowed = f"an exponent from -{_LARGEST_EXPONENT} to {_LARGEST_EXPONENT}"
            raise self.refuse(token.at, Unquoted(token.text), allowed, "write a number within the float32 range")
        value = Fraction(digits) * factor
        plain = "." not in digits or factor != 1
        if plain and value.denominator == 1:
            return int(value)
        try:
            return float(value)
        except OverflowError:
            raise self.refuse(token.at, Unquoted(token.text), FINITE, "write a smaller one") from None

    def kind(self, name: _Token) -> type[Schedule]:
        kind = kind_of(name.text)
        if kind is None:
            names = sorted({*map(snake, REGISTRY), *FUNCTIONS})
            raise self.refuse(name.at, name.text, ", ".join(names), suggest(name.text, names))
        return kind

    def call(self, node: ast.Call, name: _Token) -> Schedule:
        function = FUNCTIONS.get(name.text)
        if function is not None and (kind_of(name.text) is None or self.binds(node, function)):
            values, places = self.arguments(node, name.text, function)
            return self.made(name.at, places, partial(function, **values))
        kind = self.kind(name)
        values, places = self.arguments(node, name.text, kind.__init__)
        return self.made(name.at, places, partial(kind, **values))

    def binds(self, node: ast.Call, function: Callable[..., Any]) -> bool:
        """Return whether the arguments fit `function`. No arguments fit both of a function and a class of the same name."""
        try:
            signature(function).bind(*node.args, **{self.tokens[self.at(one)].text: one for one in node.keywords})
        except TypeError:
            return False
        return True

    def method(self, node: ast.Call, value: Any) -> Schedule:
        assert isinstance(node.func, ast.Attribute)
        name = self.tokens[(node.func.end_col_offset or 0) - len(node.func.attr) + self.skipped]
        value = self.schedule_at(value, name.at)
        if name.text not in _METHODS:
            raise self.refuse(name.at, name.text, ", ".join(_METHODS), suggest(name.text, _METHODS))
        values, places = self.arguments(node, name.text, _METHODS[name.text])
        return self.made(name.at, places, partial(getattr(value, name.text), **values))

    def arguments(self, node: ast.Call, called: str, function: Callable[..., Any]) -> tuple[dict[str, Any], dict[str, int]]:
        """Return the values of a call by the names of its parameters, and the position of each."""
        known = parameters(function)
        free = known[-1].kind is Parameter.VAR_KEYWORD
        names = [one.name for one in known if one.kind is not Parameter.VAR_KEYWORD]
        values: dict[str, Any] = {}
        places: dict[str, int] = {}
        every: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
        for k, one in enumerate(every):
            at = self.at(one)
            if isinstance(one, ast.keyword):
                own = self.tokens[at].text
                if one.arg is None or own in values or (own not in names and not free):
                    given = Unquoted(f"{own} twice" if own in values else own)
                    fix = "remove one of them" if own in values else suggest(own, names, "write", "remove it")
                    raise self.refuse(at, given, _wanted(function), fix)
            elif k < len(names):
                own = names[k]
            else:
                given = Unquoted(f"argument {k + 1} of {called}")
                raise self.refuse(at, given, _wanted(function), "remove it, or name it")
            values[own], places[own] = self.argument(one.value if isinstance(one, ast.keyword) else one), at
        missing = [
            one.name for one in known if one.default is Parameter.empty and one.name in names and one.name not in values
        ]
        if missing:
            close = (node.end_col_offset or 0) - 1 + self.skipped
            given = Unquoted(f"{called} without {missing[0]}")
            raise self.refuse(close, given, _wanted(function), f"add {missing[0]}")
        return values, places

    def argument(self, node: ast.expr) -> Any:
        """Return the value of an argument, which may also be a string, a word, or a list of such values."""
        if isinstance(node, ast.List):
            return [self.argument(one) for one in node.elts]
        token = self.tokens[self.at(node)]
        if isinstance(node, ast.Name):
            return _WORDS.get(token.text.lower(), token.text)
        if isinstance(node, ast.Constant) and token.kind == "string":
            return token.text[1:-1]
        return self.value(node)

    def made(self, at: int, places: dict[str, int], build: Callable[[], Schedule]) -> Schedule:
        """Return what `build` makes; if it raises, the error points at the argument that the error names."""
        try:
            return build()
        except TracelrError as error:
            raise error.of(ConfigError, *self._place(places.get(error.field, at))) from None
