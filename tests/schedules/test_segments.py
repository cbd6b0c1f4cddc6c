"""Laws of segments, for every row of the table: where they begin, what their curves are, and what they lead to."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from support.oracle import probes
from support.row import Row
from support.table import ROWS

from tracelr import Clamp, Constant, Cosine, Linear, Schedule, Sequential, Shift, Shorten, Stretch
from tracelr.arithmetic import LAST_STEP, Arithmetic, Real
from tracelr.schedules.base import REGISTRY
from tracelr.schedules.describe.segments import Segment
from tracelr.schedules.fields import Scalar, Steps

every_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


def steps_of(segment: Segment, row: Row) -> torch.Tensor:
    """Return the first and last steps of a segment, its middle, and those around every bound and power of two in it."""
    stop = LAST_STEP + 1 if segment.until is None else segment.until
    found = {segment.first, segment.first + 1, (segment.first + stop) // 2, stop - 1}
    found |= set(probes((*row.ends, stop - 1), seed=segment.first, random_steps=20))
    return torch.tensor(sorted(step for step in found if segment.first <= step < stop))


@every_row
def test_segments_begin_at_0_and_leave_no_gap(row: Row) -> None:
    found = row.schedule.segments()
    assert found[0].first == 0
    assert found[-1].until is None
    for before, after in pairwise(found):
        assert before.first < before.until == after.first  # type: ignore[operator]  # only the last has no end


@every_row
def test_a_curve_has_the_bits_of_the_schedule_inside_its_segment(row: Row) -> None:
    for segment in row.schedule.segments():
        steps = steps_of(segment, row)
        assert torch.equal(segment.curve(steps), row.schedule(steps)), segment


@every_row
def test_a_flat_segment_has_one_value_and_leads_to_it(row: Row) -> None:
    for segment in row.schedule.segments():
        if segment.flat:
            start = segment.curve(segment.first)
            assert torch.equal(segment.curve(steps_of(segment, row)), start.expand(len(steps_of(segment, row))))
            assert segment.until is None or segment.curve(segment.until) == start, segment


@every_row
def test_a_curve_leads_to_its_left_limit(row: Row) -> None:
    """The last move, to the step `until`, is like those before it: 2.42 times the one before, at the end of a square root.

    Waves are left out, because they may jump at any step.
    """
    for segment in row.schedule.segments():
        if segment.until is None or segment.period is not None or segment.until - segment.first < 4:
            continue
        values = segment.curve(torch.arange(max(segment.first, segment.until - 5000), segment.until + 1)).double()
        moves = values.diff().abs()
        assert moves[-1] <= 3 * moves[:-1].max() + 1e-12, segment


UP = Linear(0.0, 1.0, 10).then(Constant(0.25))  # leads to 1.0 at step 10, where it jumps


@pytest.mark.parametrize(
    ("schedule", "at", "limit"),
    [
        (UP, 10, 1.0),
        (Shift(UP, 3), 13, 1.0),
        (Shift(UP, -3), 7, 1.0),
        (Stretch(UP, 3), 30, 1.0),
        (Stretch(UP, 1, 5), 2, 1.0),
        (Shorten(UP, 20), 10, 1.0),
        (Shorten(UP, 4), 4, 0.4),
        (2.0 * UP, 10, 2.0),
        (UP + UP, 10, 2.0),
        (UP * Linear(1.0, 0.0, 20), 10, 0.5),
        (Clamp(UP, high=0.75), 10, 0.75),
        (Constant(7.0).then(UP, at=5), 15, 1.0),
        (Sequential([UP, Constant(7.0)], [4]), 4, 0.4),
        (Sequential([Constant(7.0), UP], [5], reset=False), 10, 1.0),
        (Sequential([Linear(0.0, 1.0, 10), Constant(7.0)], [40], reset="rescale"), 40, 1.0),
        (Sequential([Cosine(1.0, 0.5, 10), Linear(2.0, 1.0, 10)], [10], join="scale"), 10, 0.5),
    ],
)
def test_the_limit_at_a_jump_is_that_of_the_segment_that_ends(schedule: Schedule, at: int, limit: float) -> None:
    (segment,) = (one for one in schedule.segments() if one.until == at)
    assert segment.curve(at).item() == torch.tensor(limit).item()


def test_a_class_without_own_segments_has_one_as_long_as_it_lasts() -> None:
    class Falls(Schedule):
        start: Scalar
        steps: Steps

        def forward(self, step: torch.Tensor, ops: Arithmetic) -> Real:
            return ops.ramp(step, self.steps, self.start, 0.0)

    class GoesOn(Schedule):
        steps: Steps

        def forward(self, step: torch.Tensor, ops: Arithmetic) -> Real:
            return ops.ratio(step, self.steps)

    class NeverEnds(Schedule):
        start: Scalar

        def forward(self, step: torch.Tensor, ops: Arithmetic) -> Real:
            return ops.mul(ops.integer(step), self.start)

    for kind in (Falls, GoesOn, NeverEnds):
        del REGISTRY[kind.__name__]

    def spans(schedule: Schedule) -> list[tuple[int, int | None, str]]:
        assert all(segment.curve is schedule for segment in schedule.segments())
        return [segment[:3] for segment in schedule.segments()]

    assert spans(Falls(1.0, 8)) == [(0, 8, "as Falls"), (8, None, "")]
    assert spans(GoesOn(8)) == [(0, 8, "as GoesOn"), (8, None, "as GoesOn")]
    assert spans(NeverEnds(1.0)) == [(0, None, "as NeverEnds")]
    driven = "as Falls, its start being driven"
    assert spans(Falls(Constant(1.0), 8)) == [(0, 8, driven), (8, None, "")]
