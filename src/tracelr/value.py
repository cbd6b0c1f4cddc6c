"""Value: an immutable object with checked fields, that tracers see through."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import get_annotations
from typing import Any, ClassVar, TypeVar

from torch import Tensor, nn

from tracelr import fields
from tracelr.describe import hashed, plain, same, shown
from tracelr.errors import ScheduleTypeError
from tracelr.tables import Tables

_Self = TypeVar("_Self", bound="Value")


class Value(Tables):
    """Abstract base of `Schedule`: what its fields are, and that they stay."""

    _rules: ClassVar[dict[str, fields.Rule]] = {}
    _sealed: bool = False
    _hash: int | None = None

    @classmethod
    def _declare(cls) -> None:
        """Make a dataclass of the annotated fields, each with the rule in its type."""
        dataclass(eq=False, repr=False)(cls)
        hints = get_annotations(cls, eval_str=True)  # its own: those of nn.Module would be evaluated for every class
        signature: dict[str, Any] = {"return": None}  # for help(): the rules are left out
        cls._rules = {}
        for name in cls.__dataclass_fields__:  # type: ignore[attr-defined]  # dataclass() has just made them
            rule = fields.rule_of(hints[name])
            if rule is None or name == "schedule":  # the key under which to_dict writes the class
                allowed = "a type of tracelr.fields, such as Scalar or Steps, and a name other than schedule"
                raise ScheduleTypeError(f"{cls.__name__}.{name}", hints[name], allowed, "annotate it so, or rename it")
            cls._rules[name] = rule
            signature[name] = float | Tensor | cls.__base__ if rule.drivable else hints[name].__origin__
            if name in vars(cls):  # a default: on the class, it would hide the tensor that a module keeps under its name
                delattr(cls, name)
        cls.__init__.__annotations__ = signature

    def __new__(cls: type[_Self], *args: Any, **kwargs: Any) -> _Self:
        self = super().__new__(cls)
        Tables.__init__(self)
        return self

    def __post_init__(self) -> None:
        kept = {name: getattr(self, name) for name in self._rules}
        for name, rule in self._rules.items():
            rule.relate(f"{type(self).__name__}.{name}", kept[name], kept)
        self.prepare()
        self._sealed = True

    def prepare(self) -> None:
        """Compute constants of the fields once, outside traced code, and keep them as private attributes."""

    def __eq__(self, other: object) -> bool:
        """Whether both have the same class and fields, and tables on the same device: either can stand for the other.

        A number counts by its bits, a tensor field by its identity, a function by its `identity`.

        >>> from tracelr import Constant
        >>> Constant(0.5) == Constant(0.5), Constant(0.0) == Constant(-0.0)
        (True, False)
        """
        if self is other:
            return True
        if type(self) is not type(other) or hash(self) != hash(other):
            return NotImplemented
        return self.place == other.place and all(same(getattr(self, n), getattr(other, n)) for n in self._rules)

    def __hash__(self) -> int:
        if self._hash is None:
            fields = (hashed(getattr(self, name)) for name in self._rules)
            object.__setattr__(self, "_hash", hash((type(self).__name__, *fields)))
        return self._hash  # type: ignore[return-value]  # set in the line above

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_hash"}  # it holds in this process only

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Module]]:
        """Yield this module and those in it. torch's own would leave out one that equals another, and its tensors."""
        memo = set() if memo is None else memo
        if id(self) in memo or (self in memo and any(one is self for one in memo)):
            return
        if remove_duplicate:
            memo.add(id(self))
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def __repr__(self) -> str:
        parts = (f"{name}={shown(getattr(self, name))}" for name in self._rules)
        return f"{type(self).__name__}({', '.join(parts)})"

    def __setattr__(self, name: str, value: Any) -> None:
        rule = self._rules.get(name)
        if rule is None:
            super().__setattr__(name, value)
            return
        where = f"{type(self).__name__}.{name}"
        if self._sealed:
            fix = f"build a new one: dataclasses.replace(schedule, {name}=...)"
            raise ScheduleTypeError(where, value, "nothing, a schedule is immutable", fix)
        value = rule.parse(where, value)
        if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
            self.register_buffer(name, value, persistent=False)
            return
        super().__setattr__(name, value)
        if rule.table is not None:
            self.keep(name, value, rule.table)

    def to_dict(self) -> dict[str, Any]:
        """Return plain types that `tracelr.from_dict` reads back; a tensor field is written as the number it holds.

        >>> from tracelr import Linear
        >>> Linear(start=0.0, end=1.0, steps=2).to_dict()
        {'schedule': 'Linear', 'start': 0.0, 'end': 1.0, 'steps': 2}
        """
        return plain(self, lambda tensor: float(tensor.detach()))  # type: ignore[no-any-return]  # plain() is untyped

    def fingerprint(self) -> str:
        """Return 16 hex digits that change when the schedule does. The value of a tensor field does not count.

        >>> from tracelr import Constant
        >>> Constant(0.1).fingerprint() == Constant(0.2).fingerprint()
        False
        """
        described = plain(self, lambda _: "tensor")
        return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]
