"""Assignment: which schedule drives which hyper-parameter of which param groups."""

from __future__ import annotations

from typing import NamedTuple, final

from tracelr.schedule import Schedule


@final
class Assignment(NamedTuple):
    """One schedule for one hyper-parameter of some param groups; `Scheduler(optimizer, assignments)` takes a list of them.

    `key` is the key of the param group that is set, such as "lr" or "weight_decay". `tags` picks the groups: those whose
    own "tags" (a name, or a list of names) has one of them; None picks every group. `factor` names a key of the group whose
    number the value is multiplied by (1 where the group has none), as layer-wise decay and muP need; None multiplies by
    nothing.

    >>> from tracelr import Cosine
    >>> Assignment("weight_decay", ("decayed",), Cosine(start=0.04, end=0.4, steps=125_000))
    Assignment(key='weight_decay', tags=('decayed',), schedule=Cosine(start=0.04, end=0.4, steps=125000), factor=None)
    """

    key: str
    tags: tuple[str, ...] | None
    schedule: Schedule
    factor: str | None = None
