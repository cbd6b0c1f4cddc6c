"""Eight threads at once: evaluation, precision, tracing and lowering give each thread what it would get alone."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from itertools import cycle

import pytest
import torch
from support.table import ROWS
from torch import Tensor

import tracelr
from tracelr import Cosine, Linear, Schedule, Scheduler, lowering, precision
from tracelr.arithmetic import forced
from tracelr.optim.groups import rate_of

SECONDS = 60.0 if os.environ.get("HOSTILE_EXAMPLES") else 1.0
RATE = Cosine(start=3e-4, end=1e-5, steps=99_991)
STEPS = torch.arange(0, 99_991, 7)
NAMES = ("float64", "two_float", "float32")
ALONE: dict[str, Tensor] = {}
for _name in NAMES:
    with precision(_name):
        ALONE[_name] = RATE(STEPS)


def in_threads(*works: Callable[[int], object], seconds: float = SECONDS, count: int = 8) -> None:
    """Call the works again and again in `count` threads at once, and raise what any of them raised."""
    failed, until = list[BaseException](), time.monotonic() + seconds

    def repeat(k: int, work: Callable[[int], object]) -> None:
        try:
            work(k)
            while time.monotonic() < until and not failed:
                work(k)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=repeat, args=one) for one in zip(range(count), cycle(works), strict=False)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    if failed:
        raise failed[0]


def test_the_three_precisions_differ() -> None:
    assert not torch.equal(ALONE["float64"], ALONE["float32"])


def test_each_thread_has_its_own_precision() -> None:
    def forces(k: int) -> None:
        name = NAMES[k % 3]
        with precision(name):
            assert torch.equal(RATE(STEPS), ALONE[name])
            with precision(NAMES[(k + 1) % 3]):
                pass
            assert torch.equal(RATE(STEPS), ALONE[name])
        assert forced() is None

    def leaves_it(_: int) -> None:
        assert torch.equal(RATE(STEPS), ALONE["float64"])

    in_threads(forces, forces, forces, leaves_it)


def test_blocks_that_overlap_leave_nothing_behind() -> None:
    first, second = precision("float32"), precision("two_float")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.equal(RATE(STEPS), ALONE["two_float"])
    second.__exit__(None, None, None)
    assert forced() is None


def test_each_task_of_asyncio_has_its_own_precision() -> None:
    async def forces(name: str) -> None:
        with precision(name):
            for _ in range(3):
                await asyncio.sleep(0)
                assert torch.equal(RATE(STEPS), ALONE[name])

    async def leaves_it() -> None:
        for _ in range(5):
            await asyncio.sleep(0)
            assert torch.equal(RATE(STEPS), ALONE["float64"])

    async def together() -> None:
        await asyncio.gather(leaves_it(), *map(forces, NAMES), leaves_it())

    asyncio.run(together())
    assert forced() is None


def test_a_compiled_region_follows_the_precision_of_its_thread() -> None:
    compiled = torch.compile(RATE, backend="aot_eager", fullgraph=True)
    got: dict[str, Tensor] = {}

    def beside(name: str) -> None:
        with precision(name):
            got[name] = compiled(STEPS)

    with precision("float32"):
        assert torch.equal(compiled(STEPS), ALONE["float32"])
        for name in NAMES:
            thread = threading.Thread(target=beside, args=(name,))
            thread.start()
            thread.join()
        outside = threading.Thread(target=lambda: got.update(outside=compiled(STEPS)))
        outside.start()
        outside.join()
        assert torch.equal(compiled(STEPS), ALONE["float32"])
    assert torch.equal(compiled(STEPS), ALONE["float64"])
    assert torch.equal(got.pop("outside"), ALONE["float64"])
    assert all(torch.equal(values, ALONE[name]) for name, values in got.items())


def test_every_schedule_is_evaluated_from_eight_threads() -> None:
    steps = torch.tensor([0, 1, 2, 7, 1000, 2**31, 2**53])
    rows = [row.schedule for row in ROWS.values() if not row.schedule.has_tensor_fields]
    alone = [one(steps) for one in rows]

    def evaluates(k: int) -> None:
        for one, want in list(zip(rows, alone, strict=True))[k::8]:
            assert torch.equal(one(steps).nan_to_num(7.0), want.nan_to_num(7.0))
            assert hash(one) == hash(one)

    in_threads(evaluates, seconds=0.1)


@pytest.mark.parametrize("tensors", [False, True])
@pytest.mark.parametrize("jump", [1, 4096, 0])
def test_no_step_of_eight_threads_is_lost(jump: int, tensors: bool) -> None:
    rate = torch.tensor(0.1) if tensors else 0.1
    optimizer = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for _ in range(3)])
    scheduler = Scheduler(optimizer, lr=[Cosine(1.0, 0.0, k) for k in (10**8, 2 * 10**8, 3 * 10**8)])
    optimizer.step()
    total, until = 0, time.monotonic() + SECONDS / 2

    def steps(by: int) -> None:
        for _ in range(5):
            scheduler.step(increment=by)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            while time.monotonic() < until:
                increments = [jump or 100 + (total + 53 * k) % 997 for k in range(8)]
                list(pool.map(steps, increments))
                total += 5 * sum(increments)
                assert scheduler.last_epoch == total
                assert scheduler.get_last_lr() == [rate_of(group) for group in optimizer.param_groups]
                assert scheduler.get_last_lr() == scheduler.peek(total)
    finally:
        sys.setswitchinterval(before)


def test_a_logging_thread_sees_rates_of_one_step() -> None:
    optimizer = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(3)], lr=0.1)
    scheduler = Scheduler(optimizer, lr=Linear(1.0, 0.0, 10**7))
    optimizer.step()
    for _ in range(3):
        scheduler.step()

    def steps(_: int) -> None:
        optimizer.step()
        scheduler.step()

    def reads(_: int) -> None:
        first, *others = scheduler.get_last_lr()
        assert others == [first, first]
        state = scheduler.state_dict()
        assert state["_last_lr"] == scheduler.peek(state["last_epoch"])
        assert "Linear(start=1, end=0" in repr(scheduler).replace(".0", "")

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        in_threads(steps, *[reads] * 7)
    assert not said


def test_tracing_leaves_the_process_as_it_was() -> None:
    schedule: Schedule = Linear(0.0, 1.0, 10).then(Cosine(1.0, 0.0, 90))
    text = lowering.lower(schedule, "c").text
    log = logging.getLogger("torch.fx.experimental.symbolic_shapes")
    before = (sys.stderr, sys.stdout, log.disabled, list(log.filters), list(warnings.filters), sys.getrecursionlimit())
    said = io.StringIO()
    with redirect_stderr(said):

        def traces(_: int) -> None:
            assert lowering.lower(schedule, "c").text == text

        def speaks(k: int) -> None:
            sys.stderr.write(f"thread {k}\n")  # in one piece
            time.sleep(0.001)

        in_threads(traces, traces, traces, speaks, seconds=min(SECONDS, 10.0))
    assert {line for line in said.getvalue().splitlines() if line} == {"thread 3", "thread 7"}
    after = (sys.stderr, sys.stdout, log.disabled, list(log.filters), list(warnings.filters), sys.getrecursionlimit())
    assert before == after


def test_parsing_and_drawing_in_eight_threads() -> None:
    def draws() -> tuple[str, str | None]:
        schedule = tracelr.parse("linear(0, 3e-4, 200) | cosine(3e-4, 3e-5, 900)")
        return repr(schedule), schedule._repr_svg_()

    alone = draws()

    def again(_: int) -> None:
        assert draws() == alone

    in_threads(again, seconds=0.5)
