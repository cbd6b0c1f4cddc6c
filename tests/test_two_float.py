"""The arithmetic of devices without float64: every row against its oracle, one set of bits everywhere, no float64 anywhere."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import row
import torch
from cases import cases
from mpmath import mpf
from oracle import probes, to_float32, ulps
from sweep import default_steps
from table import ROWS, Row
from test_exact import assert_ends_are_exact, steps_of

import tracelr
from tracelr import Schedule, wide
from tracelr.arithmetic import F64, TWO_FLOAT, arithmetic_for
from tracelr.errors import ScheduleError
from tracelr.lowering import lower, passes, trace, verify
from tracelr.lowering.graph import Graph
from tracelr.lowering.spec import dtype_of
from tracelr.lowering.targets import _toolchain, find

EVERY = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)

# The distance from the exact value in float32 units, for values of 2**-100 and more. The worst kernel is off by 2**-37.5 of its
# value, 2**-12.5 units, so that only a value as close as this to the middle of two float32 numbers may go to the wrong one.
BOUND = 0.5 + 2.0**-11
SMALL = mpf(2) ** -100


@pytest.fixture(autouse=True)
def _two_float() -> Iterator[None]:
    with tracelr.precision("two_float"):
        yield


def far(schedule: Schedule, exact: Any, steps: list[int]) -> tuple[int, list[tuple[int, float, float]]]:
    """Return how many values are misrounded, and those that are out of bounds as (step, got, distance)."""
    wrong, out = 0, []
    for step, got in zip(steps, schedule(torch.tensor(steps)).tolist(), strict=True):
        want = exact(step)
        if abs(want) >= SMALL:
            wrong += got != to_float32(want)
            if not ulps(got, want) <= BOUND:
                out.append((step, got, ulps(got, want)))
        elif not abs(got - want) <= mpf(2) ** -124:
            out.append((step, got, float("inf")))
    return wrong, out


@EVERY
def test_every_row_is_within_its_bound(row: Row) -> None:
    wrong, out = far(row.schedule, row.exact, probes(row.ends, seed=11, random_steps=40))
    assert out == []
    assert wrong == 0
    for step, value in row.values.items():
        assert row.schedule(step).item() == torch.tensor(value).item(), step


@EVERY
def test_one_step_at_a_time_and_int32_give_the_same_bits(row: Row) -> None:
    steps = torch.tensor(probes(row.ends, seed=12, random_steps=4)[::25])
    together = row.schedule(steps)
    assert together.dtype == torch.float32
    assert torch.equal(together, torch.stack([row.schedule(step) for step in steps]))
    short = steps[steps < 2**31]
    assert torch.equal(row.schedule(short.to(torch.int32)), row.schedule(short))


@EVERY
def test_monotone_where_the_curve_is_up_to_2_to_the_40(row: Row) -> None:
    if not row.monotone:
        return
    draw = random.Random(13)
    for _ in range(4):
        centre = int(2 ** (40 * draw.random()))
        change = row.schedule(torch.arange(max(centre - 500, 0), centre + 500)).diff() * row.monotone
        assert change.min() >= 0, centre


def misrounded(seed: int, random_steps: int) -> tuple[int, int, list[Any]]:
    total, wrong, out = 0, 0, []
    for case in cases(seed):
        steps = steps_of(case, seed, random_steps)
        some, bad = far(case.schedule, case.exact, steps)
        total, wrong, out = total + len(steps), wrong + some, out + [(case.schedule, *value) for value in bad]
    return total, wrong, out


@pytest.mark.parametrize("seed", range(1))
def test_random_schedules_are_within_the_bound(seed: int) -> None:
    total, wrong, out = misrounded(seed, random_steps=20)
    assert total > 500
    assert out == []
    assert wrong <= 1


@pytest.mark.slow
def test_many_random_schedules_are_within_the_bound() -> None:
    total, wrong = 0, 0
    for seed in range(2000, 2100):
        some, bad, out = misrounded(seed, random_steps=60)
        assert out == []
        total, wrong = total + some, wrong + bad
    assert total > 300_000
    assert wrong <= total * 1e-4


@pytest.mark.parametrize("steps", [1, 7, 2**24 + 3, 2**53])
def test_end_points_are_bit_exact(steps: int) -> None:
    assert_ends_are_exact(steps, 20)


@pytest.mark.parametrize("width", [1, 3, 1000, 2**24 + 1, 2**31 + 11])
def test_no_wrong_stair(width: int) -> None:
    edges = [k * width + d for k in [*range(1, 40), 2**20, 2**20 + 1] for d in (-1, 0, 1)]
    for ours, exact in (
        (tracelr.Exponential(1.0, 0.9999, width, staircase=True), row.exponential(1.0, 0.9999, width, staircase=True)),
        (tracelr.InverseTime(1.0, 0.01, width, staircase=True), row.inverse_time(1.0, 0.01, width, staircase=True)),
    ):
        assert ours(torch.tensor(edges)).tolist() == [to_float32(exact(edge)) for edge in edges]


def test_quotients_and_floors_are_exact() -> None:
    draw = random.Random(14)
    for n in [1, 2, 3, 7, 1000, 2**20, 3 * 2**20, 2**26, 2**31 - 1, 2**53, 2**53 - 1]:
        steps = (
            [draw.randrange(2**53 + 1) for _ in range(200)] + [k * n + d for k in (1, 2, 5) for d in (-1, 0, 1)] + [2**53]
        )
        steps = [step for step in steps if 0 <= step <= 2**53]
        assert TWO_FLOAT.quotient(torch.tensor(steps), n).tolist() == [step // n for step in steps]
    values = torch.tensor([0.0, 0.5, 1.0, -0.5, -1.0, 2.0**24 + 2, 3.999999])
    for low in (0.0, 2.0**-20, -(2.0**-20)):
        got = TWO_FLOAT.floor(TWO_FLOAT.add(TWO_FLOAT.full(values, values), low))
        want = torch.floor(values.double() + low).tolist()
        assert (got.high.double() + got.low).tolist() == want


def test_bounds_cut_where_the_pair_says() -> None:
    x = TWO_FLOAT.add(
        TWO_FLOAT.full(torch.zeros(3), 0.3), TWO_FLOAT.full(torch.zeros(3), torch.tensor([-1e-12, 0.0, 1e-12]))
    )
    for low, high, side in ((0.3, None, 1), (None, 0.3, -1)):
        kept = TWO_FLOAT.clamp(x, low, high)
        away = (kept.high.double() + kept.low.double() - 0.3).tolist()
        assert all(a * side >= -1e-14 for a in away)
        assert any(a * side > 5e-13 for a in away)


# -- which device, which tables -------------------------------------------------------------------------------------------


def test_a_device_without_float64_computes_in_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracelr.arithmetic, "_forced", None)
    assert arithmetic_for(torch.device("mps")) is TWO_FLOAT
    assert arithmetic_for(torch.device("cpu")) is F64
    assert repr(TWO_FLOAT) == "<arithmetic two_float>"
    monkeypatch.setattr(tracelr.arithmetic, "_forced", TWO_FLOAT)  # as the fixture has it


def test_no_table_is_float64_where_no_tensor_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = tracelr.PiecewiseConstant([0.1, 0.7], [3]).then(tracelr.Interpolate([0.1, 0.2], [1, 5]), at=9)
    names = {name for name, _ in schedule.named_buffers()}
    assert {"schedules.0.values_table", "schedules.0.values_high_table", "schedules.0.values_low_table"} <= names
    want = schedule(torch.arange(20))
    monkeypatch.setattr(tracelr.tables, "WITHOUT_FLOAT64", wide.WITHOUT_FLOAT64 | {"meta"})
    made: list[torch.dtype] = []
    real = torch.Tensor.to

    def to(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        moved = real(tensor, *args, **kwargs)
        if moved.device.type == "meta":
            made.append(moved.dtype)
        return moved

    monkeypatch.setattr(torch.Tensor, "to", to)
    schedule.to("meta")
    assert made
    assert torch.float64 not in made
    assert {buffer.dtype for buffer in schedule.buffers()} == {torch.int64, torch.float32}
    schedule.to_empty(device="cpu")
    assert {buffer.dtype for buffer in schedule.buffers()} == {torch.int64, torch.float32, torch.float64}
    assert torch.equal(schedule(torch.arange(20)), want)


def test_a_table_may_hold_what_float32_cannot() -> None:
    schedule = tracelr.MultiStep(1e30, 1e20, [1])
    assert schedule(torch.arange(2)).tolist() == [torch.tensor(1e30).item(), float("inf")]


# -- tensors in fields ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensor_fields_are_read_in_full(dtype: torch.dtype) -> None:
    rate, start = (torch.tensor(v, dtype=dtype) for v in (0.97, 6e-4))
    for ours, exact in (
        (tracelr.Exponential(start, rate, 7), row.exponential(start.item(), rate.item(), 7)),
        (tracelr.Cosine(start, 0.0, 100), row.cosine(start.item(), 0.0, 100)),
        (tracelr.InverseTime(start, rate, 10), row.inverse_time(start.item(), rate.item(), 10)),
        (tracelr.Step(0.1, rate, 10), row.exponential(0.1, rate.item(), 10, staircase=True)),
    ):
        assert far(ours, exact, [*range(300)]) == (0, [])


def test_gradients_are_those_of_float32() -> None:
    start = torch.nn.Parameter(torch.tensor(6e-4))
    rate = torch.nn.Parameter(torch.tensor(0.97))
    schedule = tracelr.Exponential(start, rate, 7) + tracelr.Cosine(start, 0.0, 100)
    value = schedule(50)
    value.backward()
    with torch.no_grad():
        assert torch.equal(value, schedule(50))
    want_start = 0.97 ** (50 / 7) + 0.5
    assert start.grad is not None
    assert start.grad.item() == pytest.approx(want_start, rel=1e-5)
    assert rate.grad is not None
    assert rate.grad.item() == pytest.approx(6e-4 * 50 / 7 * 0.97 ** (50 / 7 - 1), rel=1e-5)
    traced = trace(schedule)  # what is lowered carries none
    assert not any("cos" in str(node.target) for node in traced.nodes)


def test_a_scheduler_that_has_stepped_follows_the_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    wave = tracelr.Sequential([tracelr.Linear(0.0, 1.0, 10), tracelr.Cosine(1.0, 0.1, 1000)], [10], join="shift") * 0.37
    scheduler = tracelr.Scheduler(optimizer, lr=wave)
    used = set()
    for name in ("two_float", "float32", "float64", "two_float"):
        for _ in range(40):
            with tracelr.precision(name):
                optimizer.step()
                scheduler.step()
                assert scheduler.get_last_lr() == [wave(scheduler.last_epoch).item()]
        with tracelr.precision(name):
            used.add(tuple(wave(torch.arange(1, 200)).tolist()))
    assert len(used) == 2  # float32's is another curve


# -- compiled, lowered ----------------------------------------------------------------------------------------------------

FEW = ["linear_down", "piecewise_constant", "cosine"]


@cache
def graph_of(name: str) -> Graph:
    with tracelr.precision("two_float"):
        return passes.run(trace(ROWS[name].schedule))


def steps_for(graph: Any, some: int) -> torch.Tensor:
    return default_steps(graph, seed=15, random=some)


def differing(got: torch.Tensor, want: torch.Tensor, flushed: bool = False) -> int:
    wrong = got.view(torch.int32) != want.view(torch.int32)
    return int((wrong & (want.abs() >= 2.0**-100) if flushed else wrong).sum())


def swept(target: str, names: list[str], some: int, flushed: bool = False) -> dict[str, int]:
    if (reason := find(target).missing()) is not None:
        pytest.skip(f"needs {reason}")
    found = {}
    for name in names:
        schedule, graph = ROWS[name].schedule, graph_of(name)
        assert not any(dtype_of(node) == torch.float64 for node in graph.nodes) or name in ("lambda", "driven")
        steps = steps_for(graph, some)
        if wrong := differing(lower(graph, target).run(steps), schedule(steps), flushed):
            found[name] = wrong
    return found


TARGETS = ["c", "onnx", "stablehlo"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_has_the_bits_of_eager(target: str) -> None:
    # XLA flushes subnormal numbers to zero, and with them the lower parts of what is below 2**-100
    assert swept(target, FEW, 500, flushed=target == "stablehlo") == {}


@pytest.mark.slow
@pytest.mark.parametrize("target", [*TARGETS, "cuda", "hip", "opencl", "pt2"])
def test_every_row_has_the_bits_of_eager_on_a_target(target: str) -> None:
    assert swept(target, [*ROWS], 20_000, flushed=target == "stablehlo") == {}


@pytest.mark.triton
def test_every_row_has_the_bits_of_eager_in_triton() -> None:
    from tracelr.lowering.targets._triton_run import interpret

    if (reason := find("triton").missing()) is not None:
        pytest.skip(f"needs {reason}")
    graphs = {name: graph_of(name) for name in ROWS}
    steps = {name: steps_for(graph, 2000) for name, graph in graphs.items()}
    rates = interpret([(lower(graphs[name], "triton"), steps[name]) for name in ROWS])
    wrong = {n: differing(got, ROWS[n].schedule(steps[n])) for n, got in zip(ROWS, rates, strict=True)}
    assert {name: count for name, count in wrong.items() if count} == {}


def test_verify_compares_in_the_same_arithmetic() -> None:
    report = verify(tracelr.Linear(6e-4, 0.0, 1000), ["c", "pt2"])
    assert report.ok, str(report)
    assert "double" not in lower(tracelr.Linear(6e-4, 0.0, 1000), "c").text


@pytest.mark.skipif(_toolchain.CC.missing() is not None, reason="no C compiler")
@pytest.mark.parametrize(
    ("name", "many"), [("cc", False), *(pytest.param(n, True, marks=pytest.mark.slow) for n in ("cc", "c++", "clang"))]
)
def test_products_that_are_fused_into_sums_change_no_bit(name: str, many: bool) -> None:
    flags = ("-O3", "-mfma", "-mavx2", "-ffp-contract=fast", "-fPIC", "-shared")
    standard, suffix = ("-std=c++17", ".cpp") if name == "c++" else ("-std=gnu11", ".c")
    compiler = _toolchain.Compiler("C", "C", f"TRACELR_TEST_{name}", name, suffix, (standard, *flags))
    if compiler.missing() is not None:
        pytest.skip(f"needs {compiler.missing()}")
    names = [
        "linear_down",
        "cosine",
        "inverse_sqrt",
        "exponential",
        *(["polynomial_warmup", "rex", "k_decay", "tanh"] if many else []),
    ]
    graphs = {n: graph_of(n) for n in names}
    texts = {f"row{k}": lower(graph, "c", name=f"row{k}").text for k, graph in enumerate(graphs.values())}
    open_texts = {
        n: text.replace("const volatile float", "const float") for n, text in texts.items()
    }  # nothing but the form
    assert open_texts != texts
    for function, n in zip(compiler.load_all(open_texts).values(), names, strict=True):
        steps = steps_for(graphs[n], 3000)
        assert differing(function(steps), ROWS[n].schedule(steps)) == 0, n


SLOW = pytest.mark.slow
REST = [("off", False), ("off", True), ("fast", True)]
COMPILED = [
    pytest.param(tracelr.Exponential(6e-4, 0.96, 1000), id="exponential"),
    pytest.param(tracelr.Linear(6e-4, 6e-5, 100_000), id="linear", marks=SLOW),
    pytest.param(tracelr.Cosine(6e-4, 6e-5, 100_000), id="cosine", marks=SLOW),
    pytest.param(tracelr.InverseSqrt(6e-4, 1000), id="inverse_sqrt", marks=SLOW),
    pytest.param(tracelr.Polynomial(6e-4, 6e-5, 100_000, 3.7), id="polynomial", marks=SLOW),
]


@pytest.mark.parametrize(("contract", "batch"), [("fast", False), *(pytest.param(c, b, marks=SLOW) for c, b in REST)])
@pytest.mark.parametrize("schedule", COMPILED)
def test_inductor_has_the_bits_of_eager_with_and_without_contraction(schedule: Schedule, contract: str, batch: bool) -> None:
    if (reason := find("inductor").missing()) is not None:
        pytest.skip(f"needs {reason}")
    steps = torch.cat([torch.arange(0, 120_000, 7), torch.tensor([2**40, 2**53])])
    with torch._inductor.config.patch({"cpp.enable_floating_point_contract_flag": contract}):
        compiled = torch.compile(schedule, fullgraph=True)
        for some in [steps] if batch else steps[:: len(steps) // 20]:
            assert differing(compiled(some), schedule(some)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("target", ["inductor", "aoti"])
def test_torch_s_own_targets(target: str) -> None:
    assert swept(target, ["cosine"], 500) == {}


def test_vmap_over_steps() -> None:
    schedule, steps = tracelr.Cosine(6e-4, 6e-5, 1000), torch.arange(0, 1100, 7)
    assert torch.equal(torch.vmap(schedule)(steps), schedule(steps))


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ScheduleError) as error, tracelr.precision("double"):
        pass
    allowed = "'float64' or 'two_float' or 'float32'"
    assert str(error.value) == f"precision: given 'double'; allowed: {allowed}; to fix it: use one of these names."
