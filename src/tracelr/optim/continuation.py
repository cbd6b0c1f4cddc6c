"""Continuation: another schedule from a step on, which a scheduler keeps in its state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from tracelr.arithmetic import LAST_STEP
from tracelr.errors import CheckpointError, OptimizerError, ScheduleError
from tracelr.interop.native.read import read_schedule
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Product, Sequential, Shift, Shorten, Sum
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.describe.sampling import value_at

_JOINS = ("jump", "scale", "shift")


@final
class Continuation:
    """A schedule that runs under `key` from step `at` on, joined by `join`; `warm` steps lead to it from the value there."""

    def __init__(self, key: str, at: int, schedule: Schedule, join: str = "jump", warm: int = 0) -> None:
        where = "Scheduler.continue_with"
        if not isinstance(schedule, Schedule):
            raise OptimizerError(f"{where}(schedule)", schedule, "a schedule", "pass Constant(...) for a number")
        if not fields.named(join, _JOINS):
            raise ScheduleError(f"{where}(join)", join, ", ".join(map(repr, _JOINS)), "use one of these names")
        self.key, self.at, self.schedule, self.join = key, min(at, LAST_STEP), schedule, join
        self.warm = fields.integer(f"{where}(warm)", warm, 0, "an int of 0 or more")
        if warm and join != "jump":
            raise ScheduleError(f"{where}(join)", join, '"jump" beside warm', "leave out one of the two")

    def after(self, present: Schedule) -> Schedule:
        """Return `present` up to step `at`, and then the schedule of this continuation."""
        then: Schedule = self.schedule
        if self.warm:
            known = not present.has_tensor_fields
            held = Constant(value_at(present, self.at)) if known else Shift(Shorten(present, self.at), -self.at)
            fading = Product((held, Linear(1.0, 0.0, self.warm)))
            then = Sum((fading, Product((Linear(0.0, 1.0, self.warm), self.schedule))))
        if self.at == 0 and self.join == "jump":
            return then
        return Sequential((present, then), (self.at,), True, self.join)  # type: ignore[arg-type]  # checked above

    def to_dict(self) -> dict[str, Any]:
        """Return plain types, which `from_dict` reads back."""
        return {"key": self.key, "at": self.at, "schedule": self.schedule.to_dict(), "join": self.join, "warm": self.warm}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Continuation:
        """Return the continuation that `to_dict` described, or raise `CheckpointError`."""
        where = 'Scheduler.load_state_dict["continued"]'
        try:
            at = fields.integer(f"{where}.at", plain["at"], 0, "an int of 0 or more")
            schedule = read_schedule(plain["schedule"], f"{where}.schedule")
            return cls(str(plain["key"]), at, schedule, plain["join"], plain["warm"])
        except (KeyError, TypeError, ValueError):
            fix = "use a checkpoint that is not damaged"
            raise CheckpointError(where, plain, "what Scheduler.continue_with wrote", fix) from None
