"""A whole of parts that say where they stand and how long they run: what other vocabularies list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

from tracelr.compose.around import lift
from tracelr.compose.pointwise import Product
from tracelr.compose.sequential import Sequential
from tracelr.errors import ScheduleError, Words, explain
from tracelr.schedule import Schedule


@final
class Part(NamedTuple):
    """A part of a whole: its place, for errors, its schedule, how many steps it runs, whether its own time starts at 0."""

    where: str
    schedule: Schedule
    runs: int | None = None
    reset: bool = True


def in_turn(parts: Sequence[Part], milestones: Sequence[int] | None = None) -> Schedule:
    """Return the parts one after another; without `milestones`, each but the last runs for its own length.

    >>> from tracelr import Constant, Linear
    >>> in_turn([Part("first", Linear(0.0, 1.0, 4), 4), Part("second", Constant(1.0))]).milestones
    (4,)
    """
    if milestones is None:
        milestones = []
        for part in parts[:-1]:
            if part.runs is None:
                given, allowed = Words(f"{part.schedule} without a length"), "a length for every one but the last"
                raise ScheduleError(explain(part.where, given, allowed, "pass its total_iters, or pass milestones"))
            milestones.append(part.runs + sum(milestones[-1:]))
    resets = [part.reset for part in parts]
    return Sequential([part.schedule for part in parts], milestones, all(resets) or resets)


def chained(parts: Sequence[Part]) -> Schedule:
    r"""Return the first part times what each other one has become of its first value.

    .. math:: f(t) = f_0(t) \prod_{k > 0} \frac{f_k(t)}{f_k(0)}

    >>> from tracelr import Linear, Step
    >>> chained([Part("first", Linear(1.0, 0.0, 4)), Part("second", Step(3.0, 0.5, 2))])(2)
    tensor(0.2500)
    """
    for part in parts[1:]:
        if not part.schedule.has_tensor_fields and part.schedule(0) == 0:
            given, allowed = Words(f"{part.schedule}, which is 0 at step 0"), "any other value there: it is divided by it"
            raise ScheduleError(explain(part.where, given, allowed, "put it first: the first one is not divided"))
    # Joined at step 0 to a constant 1: f(t) / f(0), also where f(0) hangs on a tensor.
    relative = [Sequential((lift(1.0), part.schedule), (0,), join="scale") for part in parts[1:]]
    return Product((parts[0].schedule, *relative)) if relative else parts[0].schedule
