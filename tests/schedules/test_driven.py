"""Fields that are schedules: their values, step by step, and their gradients."""

from __future__ import annotations

import torch
from support.table import ROWS

from tracelr import WSD, Constant, Linear, Ramp, Shift
from tracelr.arithmetic import F64


def test_a_driven_field_has_the_value_of_its_schedule_at_the_same_step() -> None:
    peak = Linear(0.5, 1.0, 30)
    for schedule in (
        WSD(9.0, 10, 10, 20).drive(peak=peak),
        WSD(peak, 10, 10, 20),
        WSD(1.0, 10, 10, 20).drive(peak=peak, start=peak) * 1.0 - WSD(0.0, 10, 10, 20).drive(start=peak),
    ):
        want = [WSD(float(peak.wide(torch.tensor(t), F64)), 10, 10, 20)(t).item() for t in range(60)]
        torch.testing.assert_close(schedule(torch.arange(60)).tolist(), want, rtol=1e-7, atol=0)
    late = Shift(Linear(0.0, 0.0, 1).drive(start=Ramp(1.0, 0.0, 4, "square")), by=3)  # what drives a field is shifted too
    assert late(torch.tensor([3, 4])).tolist() == [1.0, 0.0]


def test_every_scalar_field_of_every_schedule_can_be_driven() -> None:
    at = torch.cat([torch.arange(100), torch.tensor([2**40])])
    for row in ROWS.values():
        schedule = row.schedule
        for name, rule in schedule._rules.items():
            if rule.drivable and isinstance(getattr(schedule, name), float):
                same_again = schedule.drive(**{name: Constant(getattr(schedule, name))})
                assert torch.equal(same_again(at), schedule(at)), (schedule, name)
                assert same_again.fingerprint() != schedule.fingerprint()
                assert same_again.length == schedule.length


def test_a_gradient_reaches_what_drives_a_field() -> None:
    peak = torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
    schedule = Linear(0.0, 0.0, 4).drive(end=Constant(peak))
    assert schedule.has_tensor_fields
    (grad,) = torch.autograd.grad(schedule(3), peak)
    assert grad.item() == 0.75
