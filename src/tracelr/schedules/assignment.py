"""Assignment: which schedule drives which hyper-parameter of which param groups."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias, final

from tracelr.errors import printable
from tracelr.schedules.base import Schedule


@final
class Assignment(NamedTuple):
    """One schedule for one hyper-parameter of some param groups; `Scheduler(optimizer, assignments)` takes a list of them.

    `key` is the key of the param group that is set: "lr", "weight_decay", or any other that holds a number; "betas[0]" is
    the first of the numbers under "betas". `tags` picks the groups with one of these tags under their key "tags", which is a
    name or a list of names; None in the tuple picks the groups without tags, and None in place of the tuple picks every
    group. `factor` names a key of the group; the value is multiplied by the number under it, as layer-wise decay and muP
    need, or by 1 if this group has no such key or `factor` is None. A `factor` that is `key` itself stands for the number
    that the group was made with.

    >>> from tracelr import Cosine
    >>> Assignment("weight_decay", ("decayed",), Cosine(start=0.04, end=0.4, steps=125_000))
    Assignment(key='weight_decay', tags=('decayed',), schedule=Cosine(start=0.04, end=0.4, steps=125000), factor=None)
    """

    key: str
    tags: tuple[str | None, ...] | None
    schedule: Schedule
    factor: str | None = None

    def __str__(self) -> str:
        groups = "every group"
        if self.tags is not None:
            groups = " or ".join("groups without tags" if tag is None else f"groups with {tag!r}" for tag in self.tags)
        return printable(f"{self.key} of {groups}" + (f", times its {self.factor}" if self.factor else ""))

    def to_dict(self) -> dict[str, Any]:
        """Return plain types; `tracelr.from_dict({"assignments": [...]})` reads a list of them back.

        >>> from tracelr import Constant
        >>> Assignment("lr", ("a", None), Constant(0.1)).to_dict()
        {'key': 'lr', 'tags': ['a', None], 'schedule': {'schedule': 'Constant', 'value': 0.1}, 'factor': None}
        """
        tags = None if self.tags is None else list(self.tags)
        return {"key": self.key, "tags": tags, "schedule": self.schedule.to_dict(), "factor": self.factor}


Loaded: TypeAlias = Schedule | list[Assignment]
"""What a file describes: a schedule if every group has the same rate, otherwise assignments."""
