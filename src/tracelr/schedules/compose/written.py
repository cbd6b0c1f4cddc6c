"""A schedule as a person writes it, in Python or in a spec line: `Cosine(...).warmup(100)` in place of a product."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, final

from torch import Tensor, nn

from tracelr.schedules.base import Schedule
from tracelr.schedules.compose.clock import Shift, Shorten
from tracelr.schedules.compose.pointwise import Clamp, Product, Scale, Sum
from tracelr.schedules.compose.sequential import Sequential
from tracelr.schedules.compose.warmup import cooldown, warmup
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.ramp import Ramp

_THEN, _PLUS, _TIMES, _MINUS, _CALL = range(5)  # how tightly the last operation of a text binds
_MOST = 16  # schedules in a row that are written with `|`


@final
class _Text(NamedTuple):
    text: str
    binds: int

    def inside(self, binds: int) -> str:
        """Return the text as an operand, in brackets if it binds less tightly than `binds`."""
        return self.text if self.binds >= binds else f"({self.text})"


@final
class _Form(NamedTuple):
    """A way to write a schedule: what it builds, and its text, which is made only if it builds an equal schedule."""

    built: Schedule
    text: Callable[[], _Text]


def written(schedule: Schedule) -> str:
    """Return the text."""
    return _text(schedule).text


def _text(schedule: Schedule) -> _Text:
    forms = _FORMS.get(type(schedule), lambda _: iter(()))
    found = next((form.text() for form in forms(schedule) if form.built == schedule), None)
    if found is None:
        fields = ", ".join(f"{name}={_field(getattr(schedule, name))}" for name in schedule._rules)
        found = _Text(f"{type(schedule).__name__}({fields})", _CALL)
    return _Text(f"{found.inside(_CALL)}.named({schedule.name!r})", _CALL) if schedule.name else found


def _field(value: Any) -> str:
    return "[" + ", ".join(map(repr, value)) + "]" if isinstance(value, (tuple, nn.ModuleList)) else repr(value)


def _method(inner: Schedule, name: str, *given: object, **named: tuple[object, object]) -> Callable[[], _Text]:
    """Return the text of a call of a method. Each named argument comes with its default, and is left out if it has that."""
    more = [f"{key}={value!r}" for key, (value, default) in named.items() if isinstance(value, Tensor) or value != default]
    return lambda: _Text(f"{_text(inner).inside(_CALL)}.{name}({', '.join([*map(repr, given), *more])})", _CALL)


def _infix(left: Any, mark: str, right: Any, binds: int) -> Callable[[], _Text]:
    """Return the text of an operation. Operations of one kind in a row are read from the left."""

    def text() -> _Text:
        operand = right if isinstance(right, str) else _text(right).inside(binds + 1)
        return _Text(f"{_text(left).inside(binds)} {mark} {operand}", binds)

    return text


def _scale(schedule: Scale) -> Iterator[_Form]:
    inner, factor = schedule.inner, schedule.factor
    if isinstance(factor, float) and factor == -1:
        yield _Form(-inner, lambda: _Text(f"-{_text(inner).inside(_CALL)}", _MINUS))
    elif isinstance(factor, float):
        yield _Form(inner * factor, _infix(inner, "*", repr(factor), _TIMES))


def _product(schedule: Product) -> Iterator[_Form]:
    if len(schedule.schedules) != 2:
        return
    first, second = schedule.schedules
    early = isinstance(first, Shift) and first.by == -1
    rise = first.inner if early else first
    if isinstance(second, Shift) and second.by > 0:
        kind, start = _rising(rise)
        for origin in ("1/n", "1/(n+1)") if early else ("0",):
            if kind is not None:
                options = {"start": (start, 0.0), "kind": (kind, "linear"), "origin": (origin, "0")}
                built = warmup(second.inner, second.by, start, kind, origin=origin)  # type: ignore[arg-type]  # names of it
                yield _Form(built, _method(second.inner, "warmup", second.by, **options))
    yield _Form(first * second, _infix(first, "*", second, _TIMES))


def _rising(rise: Any) -> tuple[str | None, Any]:
    """Return the kind and the start of the factor of a warm-up; None for what is none."""
    if isinstance(rise, (Linear, Cosine, Ramp)):
        known = not rise._driven and not rise.has_tensor_fields
        kind = rise.kind if isinstance(rise, Ramp) else "linear" if isinstance(rise, Linear) else "cosine"
        return (kind, rise.start) if known else (None, None)
    steps = isinstance(rise, PiecewiseConstant) and len(rise.values) == 2
    return ("constant", rise.values[0]) if steps else (None, None)


def _sum(schedule: Sum) -> Iterator[_Form]:
    if len(schedule.schedules) != 2:
        return
    first, second = schedule.schedules
    yield from _cooldown(first, second)
    if isinstance(second, Constant) and isinstance(second.value, float):
        yield _Form(first + second.value, _infix(first, "+", repr(second.value), _PLUS))
    if isinstance(second, Scale) and isinstance(second.factor, float) and second.factor == -1:
        taken: Any = second.inner
        number = isinstance(taken, Constant) and isinstance(taken.value, float) and taken.value >= 0
        yield _Form(first - taken, _infix(first, "-", repr(taken.value) if number else taken, _PLUS))
    yield _Form(first + second, _infix(first, "+", second, _PLUS))


def _cooldown(held: Schedule, rest: Schedule) -> Iterator[_Form]:
    if not (isinstance(held, Product) and len(held.schedules) == 2 and isinstance(rest, Shift)):
        return
    kept, fall = held.schedules[0], rest.inner
    if not isinstance(kept, Shorten) or not isinstance(fall, (Linear, Cosine, Ramp)) or fall._driven:
        return
    kind = fall.kind if isinstance(fall, Ramp) else "linear" if isinstance(fall, Linear) else "cosine"
    if fall.steps:
        built = cooldown(kept.inner, fall.steps, rest.by, fall.end, kind)  # type: ignore[arg-type]  # not driven
        options = {"at": (rest.by, None), "end": (fall.end, 0.0), "kind": (kind, "linear")}
        yield _Form(built, _method(kept.inner, "cooldown", fall.steps, **options))


def _sequential(schedule: Sequential) -> Iterator[_Form]:
    first, *others = schedule.schedules
    if not 1 <= len(others) < _MOST or isinstance(schedule.reset, tuple):
        return
    if len(others) == 1:
        plain = first.length == schedule.milestones[0]
        at = None if plain else schedule.milestones[0]
        built = first.then(others[0], at, schedule.join, schedule.reset)  # type: ignore[arg-type]  # not a tuple
        if plain and schedule.join == "jump" and schedule.reset is True:
            yield _Form(built, _infix(first, "|", others[0], _THEN))
            return
        options = {"at": (at, None), "join": (schedule.join, "jump"), "reset": (schedule.reset, True)}
        yield _Form(built, _then(first, others[0], options))
        return
    if schedule.join != "jump" or schedule.reset is not True:
        return
    chain: Schedule = first
    for other, at in zip(others, schedule.milestones, strict=True):
        if chain.length != at:
            return
        chain = chain | other

    def text() -> _Text:
        parts = [_text(first).inside(_THEN), *(_text(other).inside(_PLUS) for other in others)]
        return _Text(" | ".join(parts), _THEN)

    yield _Form(chain, text)


def _then(first: Schedule, other: Schedule, options: Mapping[str, tuple[object, object]]) -> Callable[[], _Text]:
    more = [f"{key}={value!r}" for key, (value, default) in options.items() if value != default]
    return lambda: _Text(f"{_text(first).inside(_CALL)}.then({', '.join([_text(other).text, *more])})", _CALL)


def _clamp(schedule: Clamp) -> Iterator[_Form]:
    options = {"low": (schedule.low, None), "high": (schedule.high, None)}
    yield _Form(schedule, _method(schedule.inner, "clamp", **options))


_FORMS: dict[type[Schedule], Callable[[Any], Iterator[_Form]]] = {
    Scale: _scale,
    Product: _product,
    Sum: _sum,
    Sequential: _sequential,
    Clamp: _clamp,
}
