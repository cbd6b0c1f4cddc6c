"""Units: converts lengths in epochs, batches, samples, tokens or fractions of the run to steps."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, final

from tracelr.arithmetic import LAST_STEP
from tracelr.errors import ScheduleError, ScheduleTypeError, Unquoted
from tracelr.schedules.fields import integer

UNITS = "ep|ba|sp|tok|dur"
"""The units of a time, as a pattern."""

_TIME = rf"([0-9]{{1,30}}(?:\.[0-9]{{0,30}})?(?:[eE][-+]?[0-9]{{1,2}})?)({UNITS})"  # compiled when it is first used
_COUNT = "an int from 1 to 2**53"
_ALLOWED = f'{_COUNT}, or a time such as "5ep", "10ba", "128sp", "3e4tok" or "0.1dur"'


def is_time(given: object) -> bool:
    """Return whether `given` is a string of a number and a unit.

    >>> is_time("3e4tok"), is_time("3e4")
    (True, False)
    """
    return isinstance(given, str) and re.fullmatch(_TIME, given) is not None


@final
@dataclass(frozen=True)
class Units:
    r"""The number of steps of each unit of time, for `tracelr.load(path, units=Units(...))`.

    .. math:: n = \lceil q\, u \rceil

    with q = the number written and u = the steps of its unit: "ep" is `steps_per_epoch`, "ba" (a batch) one step, "sp" (a
    sample) 1 / `batch_size`, "tok" (a token) 1 / `tokens_per_step`, "dur" (the length of the run) `duration`. `batch_size`
    and `tokens_per_step` count what one optimizer update sees, on all devices and in all accumulated batches. The product is
    exact and rounded **up** to a whole step, so that n steps cover the length and n is at least 1. Raises `ScheduleError`
    that names a unit whose size is None. Source: Composer's time strings; Composer rounds down.

    A reader of a training configuration also uses `duration` as the number of updates of a run that the file gives in epochs
    or not at all; and `samples_per_epoch`, `devices` (data-parallel ranks) and `accumulation` (batches for one update) to
    count the updates of an epoch from the batch size in the file.

    >>> Units(steps_per_epoch=500, tokens_per_step=4096).steps("3e4tok")
    8
    """

    steps_per_epoch: int | None = None
    batch_size: int | None = None
    tokens_per_step: int | None = None
    duration: int | None = None
    samples_per_epoch: int | None = None
    devices: int | None = None
    accumulation: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                object.__setattr__(self, field.name, integer(f"Units.{field.name}", value, 1, f"{_COUNT}, or None"))

    @classmethod
    def of(cls, source: Any, accumulation: int = 1) -> Units:
        """Return the units of a live run: of a Trainer of transformers or Lightning, or of a DataLoader.

        The last, shorter accumulation of an epoch counts as an update, as in both. `accumulation` is how many batches make
        an update, for a DataLoader. Raises `ScheduleTypeError` if the length of the data is not known.

        >>> from torch.utils.data import DataLoader
        >>> Units.of(DataLoader(range(100), batch_size=8), accumulation=4).steps_per_epoch
        4
        """
        where = "Units.of(source)"
        accumulation = integer("Units.of(accumulation)", accumulation, 1, _COUNT)
        duration = None
        loader = source
        if hasattr(source, "get_train_dataloader"):
            loader, accumulation = source.get_train_dataloader(), source.args.gradient_accumulation_steps
            duration = source.args.max_steps if source.args.max_steps > 0 else None
        elif hasattr(source, "num_training_batches"):
            loader, accumulation = range(int(source.num_training_batches)), source.accumulate_grad_batches
            duration = source.max_steps if source.max_steps > 0 else None
        try:
            batches = len(loader)
        except (TypeError, ValueError, OverflowError):
            allowed = "a Trainer of transformers or Lightning, or a DataLoader, whose data has a length"
            raise ScheduleTypeError(where, source, allowed, "pass one, or Units(steps_per_epoch=...)") from None
        updates = max(1, -(-batches // accumulation))
        if duration is None and hasattr(source, "args"):
            duration = math.ceil(source.args.num_train_epochs * updates)
        return cls(steps_per_epoch=updates, duration=duration)

    def steps(self, given: int | str) -> int:
        """Return a time in steps; a number of steps is returned as it is."""
        where = "Units.steps(given)"
        if not isinstance(given, str):
            return integer(where, given, 1, _ALLOWED)
        time = re.fullmatch(_TIME, given)
        if time is None:
            raise ScheduleTypeError(where, given, _ALLOWED, "write a number and its unit, without a space")
        value = math.ceil(Fraction(time[1]) * self._unit(given, time[2]))
        if not 1 <= value <= LAST_STEP:
            words = Unquoted(f"{given!r}, which is {value if value < 10**20 else 'far too many'} steps")
            raise ScheduleError(where, words, "a time of 1 to 2**53 steps", "write one")
        return value

    def _unit(self, given: str, unit: str) -> Fraction:
        """Return the number of steps of `unit`."""
        name = {"ep": "steps_per_epoch", "sp": "batch_size", "tok": "tokens_per_step", "dur": "duration"}.get(unit)
        if name is None:
            return Fraction(1)
        size: int | None = getattr(self, name)
        if size is None:
            allowed = f"a time in a unit that these Units define; {name} is None"
            raise ScheduleError("Units.steps(given)", given, allowed, f"pass Units({name}=...)")
        return Fraction(size) if unit in ("ep", "dur") else Fraction(1, size)
