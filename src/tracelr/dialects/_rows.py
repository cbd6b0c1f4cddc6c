"""Tables of foreign names: what builds our schedule, and which key of an entry gives each of the builder's parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, final

from tracelr.dialects._values import Place, only
from tracelr.errors import ScheduleError, ScheduleTypeError, Words
from tracelr.schedule import Schedule


@final
class Key:
    """A value of an entry: how it is read, and the names it goes by. Without an optional one the builder's default holds.

    `names` are those of the older files, where a thing may have several; `lr` and `wd` are its one name in the classes of
    learning rates and of weight decays. Without `newer` the classes do not have it.
    """

    def __init__(
        self,
        read: Callable[[Place, object], Any],
        *names: str,
        lr: str = "",
        wd: str = "",
        optional: bool = False,
        newer: bool = True,
    ) -> None:
        lr = lr or names[0]
        self.read, self.optional = read, optional
        self.names = {"older": names, "lr": (lr,) if newer else (), "weight_decay": (wd or lr,) if newer else ()}


@final
class Row:
    """A scheduler: what builds it, which key gives each of the builder's parameters, and keys that say nothing.

    `length` says how long it runs before another one follows, where that is none of the parameters.
    """

    def __init__(
        self, build: Callable[..., Schedule], *, unused: tuple[str, ...] = (), length: Key | None = None, **keys: Key
    ) -> None:
        self.build, self.unused, self.keys, self.length = build, unused, keys, length


class Given(NamedTuple):
    """A parameter of a builder that an entry gives: its place there, and its value."""

    where: Place
    value: Any


def once(where: Place, key: Key, entry: Mapping[Any, Any], style: str, beside: str = "") -> list[str]:
    """Return the names of `key` that `entry` has: one at most, not counting the one that may stand beside another."""
    names = [known for known in key.names[style] if known in entry]
    if len([known for known in names if known != beside]) > 1:
        raise where.refuse(Words(" and ".join(names)), "one of them", "remove one: they are names of the same thing")
    return names


def given(
    where: Place,
    name: str,
    row: Row,
    entry: Mapping[Any, Any],
    style: str,
    beside: Mapping[Key, str],
    others: Collection[str],
) -> dict[str, Given]:
    """Return what `entry` gives for the parameters of the row's builder; `others` are keys it may have besides."""
    keys = {field: key for field, key in row.keys.items() if key.names[style]}
    length = row.length.names[style] if row.length else ()
    only(
        where,
        entry,
        list(dict.fromkeys([*(known for key in keys.values() for known in key.names[style]), *length, *others])),
    )
    found = {}
    for field, key in keys.items():
        names = once(where, key, entry, style, beside.get(key, ""))
        if not names and not key.optional:
            known = key.names[style]
            required = ", ".join(k.names[style][0] for k in keys.values() if not k.optional)
            fix = ("add one of " if len(known) > 1 else "add ") + ", ".join(known)
            raise where.refuse(Words(f"{name} without {known[0]}"), f"the keys {required}", fix)
        for one in names[:1]:
            found[field] = Given(where / one, key.read(where / one, entry[one]))
    return found


def built(where: Place, row: Row, found: Mapping[str, Given]) -> Schedule:
    """Return the schedule; an error of its own becomes one of the place that its field came from."""
    try:
        return row.build(**{field: part.value for field, part in found.items()})
    except (ScheduleError, ScheduleTypeError) as error:
        blamed = re.match(r"\w+\.(\w+)", str(error))
        place = found[blamed[1]].where if blamed and blamed[1] in found else where
        raise place.forward(error) from None
