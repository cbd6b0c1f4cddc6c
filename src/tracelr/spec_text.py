"""A schedule in one line of text, such as "linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)": `tracelr.parse` reads it.

Tokens come from one regular expression, the rest is recursive descent, a method a rule. Nothing is evaluated, imported or
looked up but the names of registered schedules.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from inspect import Parameter
from operator import add, mul, sub
from typing import Any, final

from tracelr.errors import ConfigError, TracelrError, Words, show, suggest
from tracelr.fields import FINITE
from tracelr.schedule import REGISTRY, Schedule
from tracelr.spec_names import kind_of, parameters, snake, wanted
from tracelr.spec_tokens import Token, Tokens

_LARGEST_TEXT = 2**16
_LARGEST_EXPONENT = 400  # past the range of every float; 1e999999999 would be a long integer
_WORDS = {"true": True, "false": False, "none": None}
_METHODS = {name: getattr(Schedule, name) for name in ("then", "warmup", "cooldown", "drive")}
_A_SCHEDULE = "a schedule, such as cosine(3e-4, 0, 1000)"


def parse(text: str, where: str = "spec") -> Schedule:
    """Return the schedule that a line of text describes.

    The grammar, in EBNF; precedence and meaning of the operators are those of Python's on schedules, and `|` is `then`::

        spec    = sum, { "|", sum } ;
        sum     = product, { ( "+" | "-" ), product } ;
        product = factor, { "*", factor } ;
        factor  = [ "-" ], ( number | schedule ) ;
        schedule = ( call | "(", spec, ")" ), { ".", call } ;
        call    = name, "(", [ argument, { ",", argument }, [ "," ] ], ")" ;
        argument = [ name, "=" ], value ;
        value   = spec | string | word | "[", [ value, { ",", value }, [ "," ] ], "]" ;

    The name of a call is that of a schedule, in any case, with or without underscores (`one_cycle`, `OneCycle`); after a dot
    it is `then`, `warmup`, `cooldown` or `drive`. A number has digits, `_` between them, a fraction, an exponent, and `k` or
    `M` for thousands and millions: 98k, 1.5M and 2e3 are whole numbers. A word is a string without quotes, or `True`,
    `False` or `None`. What a schedule's `repr` shows is a spec too, unless it holds a tensor or a function.

    Raises `ConfigError`, with a caret under the place, for anything else; `where` names the text in the message.

    >>> parse("linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)").milestones
    (2000,)
    >>> parse("0.5 * linear(start=1, end=0, steps=4).warmup(2)")(2)
    tensor(0.5000)
    """
    if not isinstance(text, str):
        raise ConfigError(where, text, "a str", "pass the text of a spec")
    if len(text) > _LARGEST_TEXT:
        given = Words(f"{len(text)} characters")
        raise ConfigError(where, given, f"at most {_LARGEST_TEXT}", "write a file")
    try:
        return _Reader(text, where).whole()
    except RecursionError:
        given = Words("a spec that is nested too deeply")
        raise ConfigError(where, given, "a shallow one", "nest it less") from None


@final
class _Reader:
    """Reads tokens, a method a rule of the grammar."""

    def __init__(self, text: str, where: str) -> None:
        self.tokens = Tokens(text, where)

    def whole(self) -> Schedule:
        first = self.tokens.now.at
        value = self.spec()
        if self.tokens.now.kind != "end":
            self.tokens.unexpected("'|', '+', '-', '*', '.' or the end")
        return self.schedule_at(value, first)

    def schedule_at(self, value: Any, at: int) -> Schedule:
        if not isinstance(value, Schedule):
            fix = f"write constant({show(value, 20)})" if isinstance(value, int | float) else "write one"
            raise self.tokens.refuse(at, value, _A_SCHEDULE, fix)
        return value

    def spec(self) -> Any:
        first, value = self.tokens.now.at, self.sum()
        while self.tokens.ahead("|"):
            bar = self.tokens.take()
            left, after = self.schedule_at(value, first), self.tokens.now.at
            right = self.schedule_at(self.sum(), after)
            value = self.made(bar.at, {}, partial(left.then, right))
        return value

    def sum(self) -> Any:
        value = self.product()
        while self.tokens.ahead("+", "-"):
            mark = self.tokens.take()
            right = self.product()
            self.one_schedule(mark, value, right)
            value = self.made(mark.at, {}, partial(add if mark.text == "+" else sub, value, right))
        return value

    def product(self) -> Any:
        value = self.factor()
        while self.tokens.ahead("*"):
            mark = self.tokens.take()
            right = self.factor()
            self.one_schedule(mark, value, right)
            value = self.made(mark.at, {}, partial(mul, value, right))
        return value

    def one_schedule(self, mark: Token, left: Any, right: Any) -> None:
        if not isinstance(left, Schedule) and not isinstance(right, Schedule):
            given = Words(f"{left!r} {mark.text} {right!r}")
            raise self.tokens.refuse(mark.at, given, "a schedule on one side at least", "write the number that it is")

    def factor(self) -> Any:
        if self.tokens.ahead("-"):
            self.tokens.take()
            value = self.factor()
            return value * -1.0 if isinstance(value, Schedule) else -value
        if self.tokens.now.kind == "number":
            return self.number(self.tokens.take())
        return self.schedule()

    def number(self, token: Token) -> int | float:
        digits = token.text.replace("_", "")
        if len(digits) > _LARGEST_EXPONENT:
            given = Words(f"a number of {len(digits)} digits")
            raise self.tokens.refuse(token.at, given, f"at most {_LARGEST_EXPONENT} digits", "write a shorter one")
        factor = {"k": 1000, "M": 1_000_000}.get(digits[-1], 1)
        digits = digits.rstrip("kM")
        exponent = re.search(r"[eE]([-+]?[0-9]+)$", digits)
        if exponent and (len(exponent[1]) > 5 or abs(int(exponent[1])) > _LARGEST_EXPONENT):
            allowed = f"an exponent from -{_LARGEST_EXPONENT} to {_LARGEST_EXPONENT}"
            raise self.tokens.refuse(token.at, Words(token.text), allowed, "write a number within the float32 range")
        value = Fraction(digits) * factor
        plain = "." not in digits or factor != 1
        if plain and value.denominator == 1:
            return int(value)
        try:
            return float(value)
        except OverflowError:
            raise self.tokens.refuse(token.at, Words(token.text), FINITE, "write a smaller one") from None

    def schedule(self) -> Any:
        if self.tokens.ahead("("):
            self.tokens.take()
            value = self.spec()
            self.tokens.expect(")")
        elif self.tokens.now.kind == "name":
            value = self.call(self.tokens.take())
        else:
            self.tokens.unexpected("a schedule or a number")
        while self.tokens.ahead("."):
            self.tokens.take()
            if self.tokens.now.kind != "name":
                self.tokens.unexpected(f"the name of a method: {', '.join(_METHODS)}")
            value = self.method(value, self.tokens.take())
        return value

    def call(self, name: Token) -> Schedule:
        kind = kind_of(name.text)
        if kind is None:
            names = sorted(map(snake, REGISTRY))
            raise self.tokens.refuse(name.at, name.text, ", ".join(names), suggest(name.text, names))
        if not self.tokens.ahead("("):
            raise self.tokens.refuse(
                name.at, Words(name.text), _A_SCHEDULE, f"write {snake(kind.__name__)}({wanted(kind.__init__)})"
            )
        values, places = self.arguments(name, kind.__init__)
        # mypy: `made` returns what it is given to build
        return self.made(name.at, places, partial(kind, **values))  # type: ignore[no-any-return]

    def method(self, value: Any, name: Token) -> Schedule:
        value = self.schedule_at(value, name.at)
        if name.text not in _METHODS:
            raise self.tokens.refuse(name.at, name.text, ", ".join(_METHODS), suggest(name.text, _METHODS))
        values, places = self.arguments(name, _METHODS[name.text])
        # mypy: as above
        return self.made(name.at, places, partial(getattr(value, name.text), **values))  # type: ignore[no-any-return]

    def arguments(self, name: Token, function: Callable[..., Any]) -> tuple[dict[str, Any], dict[str, int]]:
        """Return the values of a call by the names of its parameters, and where each one stands."""
        known = parameters(function)
        free = known[-1].kind is Parameter.VAR_KEYWORD
        names = [one.name for one in known if one.kind is not Parameter.VAR_KEYWORD]
        values: dict[str, Any] = {}
        places: dict[str, int] = {}
        self.tokens.expect("(")
        while not self.tokens.ahead(")"):
            at, own = self.tokens.now.at, self.keyword()
            if own is None:
                if len(values) >= len(names) or names[len(values)] in values:
                    given = Words(f"argument {len(values) + 1} of {name.text}")
                    raise self.tokens.refuse(at, given, wanted(function), "remove it, or name it")
                own = names[len(values)]
            elif own in values or (own not in names and not free):
                given = Words(f"{own} twice" if own in values else own)
                raise self.tokens.refuse(at, given, wanted(function), suggest(own, names, "write", "remove it"))
            values[own], places[own] = self.value(), at
            if not self.tokens.ahead(","):
                break
            self.tokens.take()
        close = self.tokens.expect(")")
        missing = [
            one.name for one in known if one.default is Parameter.empty and one.name in names and one.name not in values
        ]
        if missing:
            raise self.tokens.refuse(
                close.at, Words(f"{name.text} without {missing[0]}"), wanted(function), f"add {missing[0]}"
            )
        return values, places

    def keyword(self) -> str | None:
        following = self.tokens.after
        if self.tokens.now.kind != "name" or following.text != "=":
            return None
        own = self.tokens.take().text
        self.tokens.take()
        return own

    def value(self) -> Any:
        if self.tokens.now.kind == "string":
            return self.tokens.take().text[1:-1]
        following = self.tokens.after
        if self.tokens.now.kind == "name" and following.text != "(":
            word = self.tokens.take().text
            return _WORDS.get(word.lower(), word)
        if not self.tokens.ahead("["):
            return self.spec()
        self.tokens.take()
        found = []
        while not self.tokens.ahead("]"):
            found.append(self.value())
            if not self.tokens.ahead(","):
                break
            self.tokens.take()
        self.tokens.expect("]")
        return found

    def made(self, at: int, places: dict[str, int], build: Callable[[], Any]) -> Any:
        """Return what `build` makes; an error of its own becomes one of the argument that it names."""
        try:
            return build()
        except TracelrError as error:
            raise self.tokens.blame(places.get(error.field, at), error) from None
