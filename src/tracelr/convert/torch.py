"""torch: a Python file that defines `rate(step)` and `schedule(optimizer)`, a LambdaLR, and needs torch alone.

torch's own classes are factors of a rate that a group begins with, and multiply up from step to step; a closed form does
neither. The formulas are those of `tracelr.convert.formulas`, as they stand there.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tracelr.assignment import Loaded
from tracelr.compose import Sequential
from tracelr.convert import formulas
from tracelr.convert.simple import alone, plain, refuse, value
from tracelr.schedule import Schedule
from tracelr.spec_text import snake

_FILE = '''\
"""A learning-rate schedule for torch, from tracelr: {title}."""

{imports}from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


{formulas}def rate(t: int) -> float:
    """Return the learning rate at step t."""
    return {code}


def schedule(optimizer: Optimizer) -> LambdaLR:
    """Return the scheduler: its step() comes after optimizer.step(), every iteration."""
    for group in optimizer.param_groups:
        group["lr"] = 1.0  # LambdaLR multiplies it
    return LambdaLR(optimizer, rate)
'''


def write(found: Loaded) -> str:
    """Return the Python file."""
    given = alone(found, "torch")
    code = _code(given, "t")
    sources: dict[str, str] = {}
    _collect(code, sources)
    text = "".join(f"{source}\n\n" for source in sources.values())
    imports = "import math\n" * ("math." in text) + "from fractions import Fraction\n" * ("Fraction(" in text)
    imports += "\n" * bool(imports)
    return _FILE.format(title=type(given).__name__, imports=imports, formulas=text, code=code)


def _collect(code: str, sources: dict[str, str]) -> None:
    """Add the source of every formula that `code` calls, those that it calls itself first."""
    for name in dict.fromkeys(re.findall(r"(?<![.\w])([a-z_]+)\(", code)):
        formula = getattr(formulas, name, None)
        if inspect.isfunction(formula) and name not in sources:
            source = inspect.getsource(formula)
            _collect(source.partition(":\n")[2], sources)
            sources[name] = source


def _code(schedule: Schedule, step: str) -> str:
    plain("torch", schedule)
    name = type(schedule).__name__
    if name in _RULES:
        return _RULES[name](schedule, step)
    if not hasattr(formulas, snake(name)):
        raise refuse("torch", schedule)
    fields = ", ".join(repr(list(v) if isinstance(v, tuple) else v) for v in _fields(schedule))
    return f"{snake(name)}({step}, {fields})"


def _fields(schedule: Schedule) -> list[Any]:
    return [getattr(schedule, name) for name in schedule._rules]


def _later(step: str, by: int) -> str:
    return step if by == 0 else f"{step} - {by}" if by > 0 else f"{step} + {-by}"


def _sequential(s: Sequential, step: str) -> str:
    parts = []
    for k, (start, until) in enumerate(pairwise([0, *s.milestones, None])):
        child, begin, (factor, divisor) = s.schedules[k], s._begins[k], s._paces[k]
        # mypy: only the last bound is None, and it is no start
        own = _later(step, start - begin)  # type: ignore[operator]
        if (factor, divisor) != (1, 1):
            own = f"({own}) * {divisor} // {factor}"
        code = _code(child, f"({own})" if own != step else step)
        if k and s.join != "jump":
            # mypy: as above
            here, first = value(s, start), value(child, begin)  # type: ignore[arg-type]
            code = f"{here / first!r} * {code}" if s.join == "scale" else f"{code} + {here - first!r}"
        parts.append(code if until is None else f"{code} if {step} < {until} else ")
    return "(" + "".join(parts) + ")"


def _joined(sign: str) -> Callable[[Any, str], str]:
    return lambda s, step: "(" + f" {sign} ".join(_code(child, step) for child in s.schedules) + ")"


def _clamp(s: Any, step: str) -> str:
    code = _code(s.inner, step)
    code = code if s.low is None else f"max({code}, {s.low!r})"
    return code if s.high is None else f"min({code}, {s.high!r})"


_RULES: dict[str, Callable[[Any, str], str]] = {
    "Constant": lambda s, step: repr(s.value),
    "Sequential": _sequential,
    "Sum": _joined("+"),
    "Product": _joined("*"),
    "Scale": lambda s, step: f"{s.factor!r} * {_code(s.inner, step)}",
    "Clamp": _clamp,
    "Shift": lambda s, step: _code(s.inner, f"max({_later(step, s.by)}, 0)"),
    "Shorten": lambda s, step: _code(s.inner, f"min({step}, {s.steps})"),
    "Loop": lambda s, step: _code(s.inner, f"({step} % {s.period})"),
    "Stretch": lambda s, step: _code(s.inner, f"({step} * {s.divisor} // {s.factor})"),
}
