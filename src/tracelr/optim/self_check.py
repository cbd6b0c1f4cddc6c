"""The self check compares, bit for bit, what a device or a compiler computes with the host, before training starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import cache
from typing import Any

import torch
from torch import Tensor

from tracelr import _torch
from tracelr.arithmetic import LAST_STEP, arithmetic_for
from tracelr.errors import DeviceError, Unquoted, show
from tracelr.optim.compiling import deep_recursion, with_own_code
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.polynomial import Polynomial

_STEPS = 1000
_BOUNDARIES = 300
_passed: set[tuple[str, ...]] = set()


@cache
def probe() -> tuple[Schedule, ...]:
    """Return schedules whose operations an inexact backend rounds wrongly first, such as a division, a root or a power."""
    return (
        Linear(1e-3, 1e-5, 997),
        InverseSqrt(3e-4, 7),
        Polynomial(1.0, 0.1, 991, power=0.9),
        Cosine(1e-2, 1e-5, 983),
        Exponential(0.1, 0.37, 101),
    )


def check_device(name: str, schedules: Sequence[Schedule], device: torch.device) -> None:
    """Raise `DeviceError` if eager kernels on `device` give other values than the host. Messages begin with `name`."""

    def run(every: Sequence[Schedule], steps: Tensor) -> Tensor:
        return torch.stack([schedule(steps) for schedule in every])

    _check(name, f"eager kernels on {device}", schedules, device, run)


def check_compiled(name: str, schedules: Sequence[Schedule], device: torch.device, options: dict[str, Any]) -> None:
    """Raise `DeviceError` if `torch.compile` with `options` gives other values than the host, one step per call."""

    def run(every: Sequence[Schedule], steps: Tensor) -> Tensor:
        def values(step: Tensor) -> Tensor:
            return torch.stack([schedule(step) for schedule in every])

        graph = torch.compile(with_own_code(values), **options | {"fullgraph": True})
        step = torch.zeros((), dtype=torch.int64, device=steps.device)
        _torch.mark_static(step)
        with deep_recursion(every):
            return torch.stack([graph(step.fill_(at)).clone() for at in steps.tolist()], dim=1)

    backend = options.get("backend", "inductor")
    title = backend if isinstance(backend, str) else getattr(backend, "__name__", type(backend).__name__)
    more = {key: value for key, value in options.items() if key != "backend"}
    _check(name, f"{title} on {device}" + (f" with {show(more)}" if more else ""), schedules, device, run)


def _check(
    name: str,
    backend: str,
    schedules: Sequence[Schedule],
    device: torch.device,
    run: Callable[[Sequence[Schedule], Tensor], Tensor],
) -> None:
    ops = arithmetic_for(device)
    if ops.name == "float32":  # this mode promises no bits
        return
    keys = [(backend, ops.name, schedule.fingerprint()) for schedule in (*probe(), *schedules)]
    if _passed.issuperset(keys):
        return
    every = [_copy(schedule) for schedule in (*probe(), *schedules)]
    steps = torch.tensor(_steps(schedules))
    with torch.no_grad():
        host = torch.stack([ops.round(schedule.to("cpu").wide(steps, ops)) for schedule in every])
        got = run([schedule.to(device) for schedule in every], steps.to(device)).cpu()
    wrong = (got.view(torch.int32) != host.view(torch.int32)).nonzero()
    if len(wrong):
        k, n = wrong[0].tolist()
        wanted, found = (f"{_bits(value):#010x} ({value.item():.9g})" for value in (host[k, n], got[k, n]))
        given = Unquoted(f"{found} from {backend}, for {show(every[k])} at step {steps[n]}, and {len(wrong) - 1} more")
        fix = 'evaluate inside tracelr.precision("two_float") or another, change the backend\'s options, or pass check=False'
        raise DeviceError(f"{name}(check)", given, f"{wanted}, as the host computes it", fix, limit=600)
    _passed.update(keys)


def _copy(schedule: Schedule) -> Schedule:
    tensors = {id(held): held.detach().clone() for held in (*schedule.buffers(), *schedule.parameters())}
    return deepcopy(schedule, tensors)  # deepcopy refuses a tensor that is the result of other operations


def _bits(value: Tensor) -> int:
    return int(value.view(torch.int32)) & 0xFFFFFFFF  # of a float32, whose value reads as 0 where subnormals are flushed


def _steps(schedules: Sequence[Schedule]) -> list[int]:
    """Return the steps of the probe, and those next to every number of steps in the fields of the schedules."""
    every = sorted({step for schedule in schedules for step in _boundaries(schedule)})
    chosen = every[:: max(1, len(every) // _BOUNDARIES)]
    return sorted({*range(_STEPS), *chosen, LAST_STEP})


def _boundaries(schedule: Schedule) -> Iterator[int]:
    """Yield the steps next to each integer field and to each sum of two, because a child starts to count at a milestone."""
    held: set[int] = {0}
    for module in schedule.modules():
        for field in getattr(module, "_rules", ()):
            value = getattr(module, field)
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, int) and not isinstance(one, bool):
                    held.add(one)
    few = sorted(held)[:100]
    for step in held | {a + b for a in few for b in few}:
        yield from (near for near in (step - 1, step, step + 1) if 0 <= near <= LAST_STEP)
