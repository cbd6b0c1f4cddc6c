"""Mistakes that keep a formula from becoming a graph: one sentence each, with the author's line and what to write instead."""

from __future__ import annotations

import inspect
import math
import random
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tracelr
from tracelr import Constant, Cosine, Linear, Schedule, Scheduler
from tracelr.errors import LoweringError, TraceError
from tracelr.lowering import lower, passes, trace
from tracelr.lowering.spec import OPS, names
from tracelr.lowering.targets import target_names
from tracelr.schedules.fields import Scalar

TABLE = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)

TENSORS = "operations on tensors, which never look at a value"
PURE = "a function of the step alone"
TRUTH = (
    f"given the truth of a tensor; allowed: {TENSORS}; to fix it: write ops.where(step < n, x, y) in place of `if`, `while`, "
    "`assert` and x[mask] = y, and &, | and ~ in place of `and`, `or` and `not`."
)
NUMBER = (
    f"given a Python number made from a tensor; allowed: {TENSORS}; to fix it: compute with ops.integer(step), and look up with "
    "ops.table_lookup(step, milestones, values), in place of int(), float(), .item(), range(), math.cos() and table[step]."
)
NUMPY = (
    f"given a NumPy array made from a tensor; allowed: {TENSORS}; to fix it: use the operations of torch or of ops, not those "
    "of NumPy."
)
SHAPE = (
    f"given a shape that depends on a value; allowed: {TENSORS}; to fix it: keep every element, and write ops.where(mask, x, y) "
    "in place of x[mask]."
)
RANDOM = (
    f"given a random number; allowed: {PURE}; to fix it: multiply by a tracelr.Noise, whose factor depends on its seed and "
    "the step."
)
WRITE = (
    "given a write into a tensor; allowed: operations that make new values; to fix it: write x = x + 1 in place of x += 1, "
    "and ops.where(mask, y, x) in place of x[mask] = y."
)
UNSTEADY = (
    f"given two different values for one step; allowed: {PURE}; to fix it: leave out clocks, counters and random numbers; "
    "for noise use tracelr.Noise."
)
ALL = f"allowed: {names(OPS)}; to fix it:"
ANY_OP = f"{ALL} write it with these ops, or add a row to tracelr.lowering.spec.OPS."
LOOK_UP = f"{ALL} write ops.table_lookup(step, milestones, values), or ops.take(k, table) of a table that prepare() keeps."
QUOTIENT = f"{ALL} write ops.floordiv(i, n) in place of i // n, or ops.floordiv_real(i, n) for a number before rounding."
DTYPES = "allowed: the dtypes i64, f64, f32, i32, b8; to fix it: compute with ops, or in int64, float64 and bool."
SUM = (
    "allowed: i64, i32, b8; to fix it: add the terms one by one with ops.add, because a sum of floats depends on its order."
)
MASKS = "allowed: i64, f64, f32, i32; to fix it: write &, | and ~ of masks, or ops.where(mask, x, y)."
VALUE = (
    "allowed: one float64 number per step, in the step's shape; to fix it: return what the methods of ops give, such as "
    "ops.full(step, c) and ops.integer(i)."
)


@dataclass(frozen=True)
class Case:
    """A schedule with a wrong formula, and its error: of the formula, or of the node that no target has a row for."""

    schedule: Schedule
    origin: str
    node: str
    told: str

    @property
    def message(self) -> str:
        return f"{self.node or f'{type(self.schedule).__name__}.forward'}, {self.origin}: {self.told}"

    @property
    def kind(self) -> type[Exception]:
        return LoweringError if ALL in self.told or self.told.endswith((DTYPES, MASKS, SUM)) else TraceError


ONE: dict[str, Case] = {}
MANY: dict[str, Case] = {}


def wrong(told: str, node: str = "", batch: tuple[str, str] | None = None, line: str = ""):
    """Make a schedule of a function. `batch` is what is told, and of which node, if the steps are many; it is tried then.

    The author's line is the one that begins with `line`, or else the last: its number is looked up here.
    """

    def add(formula):
        formula.__code__ = formula.__code__.replace(co_name="forward")  # as an author calls it
        name = formula.__name__.title().replace("_", "")
        space = {"forward": formula, "__annotations__": {"factor": Scalar}, "__module__": __name__}
        lines, first = inspect.getsourcelines(formula)
        stripped = [" ".join(text.split()) for text in lines]
        at = max(k for k, text in enumerate(stripped) if text.startswith(line))
        if told.endswith((VALUE, UNSTEADY)):
            at = 0
        origin = f"from `{stripped[at]}` (test_trace_errors.py:{first + at})"
        schedule = type(name, (Schedule,), space)(factor=1.0)
        ONE[formula.__name__] = Case(schedule, origin, node, told)
        if batch is not None:
            MANY[formula.__name__] = Case(schedule, origin, *batch)
        return formula

    return add


def helper(step: Tensor) -> float:
    return 1.0 if step > 3 else 2.0


INDEX = ("aten.index.Tensor at node 'index'", f"given aten.index.Tensor; {LOOK_UP}")


# (a) an op that no row has


@wrong(f"given aten.erf.default; {ANY_OP}", "aten.erf.default at node 'erf'")
def no_row(self, step, ops):
    return torch.erf(ops.full(step, 0.5))


@wrong(f"given aten.div.Tensor_mode; {QUOTIENT}", "aten.div.Tensor_mode at node 'div'")
def divides_integers(self, step, ops):
    return (step // 7).double()


@wrong(
    f"given aten.bucketize.Tensor; {ALL} write ops.bucketize(step, milestones).", "aten.bucketize.Tensor at node 'bucketize'"
)
def bucketizes(self, step, ops):
    return torch.bucketize(step, torch.tensor([1, 2, 3])).double()


@wrong(f"given aten.fmod.Scalar; {ALL} write i.remainder(n).", "aten.fmod.Scalar at node 'fmod'")
def truncates(self, step, ops):
    return torch.fmod(step, 3).double()


@wrong(f"given aten.gather.default; {LOOK_UP}", "aten.gather.default at node 'gather'")
def gathers(self, step, ops):
    return torch.gather(TABLE, 0, step.clamp(0, 2).reshape(-1)).reshape(step.shape)


@wrong(f"given aten.complex.default; {ANY_OP}", "aten.complex.default at node 'complex_1'")
def is_complex(self, step, ops):
    return torch.complex(ops.integer(step), ops.integer(step)).abs()


# (b) a dtype that no graph has


@wrong(f"given float16[]; {DTYPES}", "aten._to_copy.default at node '_to_copy'")
def computes_in_halves(self, step, ops):
    return (step.half() * 2).double()


@wrong(f"given uint8[]; {DTYPES}", "aten._to_copy.default at node '_to_copy'")
def computes_in_bytes(self, step, ops):
    return step.to(torch.uint8).double()


@wrong(f"given int16[]; {DTYPES}", "aten._to_copy.default at node '_to_copy'")
def computes_in_int16(self, step, ops):
    return step.to(torch.int16).double()


@wrong(f"given complex128[]; {DTYPES}", "aten._to_copy.default at node '_to_copy'")
def computes_in_complex(self, step, ops):
    return step.to(torch.complex128).real + ops.full(step, 0.0)


@wrong(f"given b8[] as operand 0; {MASKS}", "aten.mul.Tensor at node 'mul'")
def multiplies_masks(self, step, ops):
    return ((step > 3) * (step < 8)).double()


# (c) a Python condition on the step


@wrong(TRUTH, line="if step", batch=("", TRUTH))
def branches(self, step, ops):
    if step > 3:
        return ops.full(step, 1.0)
    return ops.full(step, 2.0)


@wrong(TRUTH, line="while")
def loops(self, step, ops):
    while step > 3:
        step = step - 3
    return ops.integer(step)


@wrong(TRUTH, line="assert")
def asserts(self, step, ops):
    assert step >= 0
    return ops.integer(step)


@wrong(TRUTH)
def says_and(self, step, ops):
    return torch.where(step > 3 and step < 5, ops.full(step, 1.0), ops.full(step, 2.0))


@wrong(TRUTH)
def chains(self, step, ops):
    return torch.where(3 < step < 5, ops.full(step, 1.0), ops.full(step, 2.0))


@wrong(TRUTH)
def takes_bool(self, step, ops):
    return ops.full(step, 1.0) * bool(step)


@wrong(TRUTH)
def branches_on_the_largest(self, step, ops):
    return ops.full(step, 1.0 if step.max() > 3 else 2.0)


@wrong(TRUTH, line="if step")
def hides_it(self, step, ops):
    try:
        if step > 3:
            return ops.full(step, 1.0)
    except Exception:
        pass
    return ops.full(step, 2.0)


# (d) a Python number made of the step


@wrong(NUMBER, batch=("", NUMBER))
def takes_item(self, step, ops):
    return ops.full(step, 1.0) * step.item()


@wrong(NUMBER, batch=("", NUMBER))
def takes_int(self, step, ops):
    return ops.full(step, 1.0) * int(step)


@wrong(NUMBER)
def takes_float(self, step, ops):
    return ops.full(step, 1.0) * float(step)


@wrong(NUMBER, line="for")
def counts_with_range(self, step, ops):
    x = ops.full(step, 1.0)
    for _ in range(step):
        x = ops.mul(x, 2.0)
    return x


@wrong(NUMBER, batch=("", NUMBER))
def indexes_a_list(self, step, ops):
    return ops.full(step, [1.0, 2.0, 3.0][step.clamp(0, 2)])


@wrong(NUMBER)
def formats(self, step, ops):
    return ops.full(step, float(f"{step:d}"))


# (e) a shape that depends on a value


@wrong(SHAPE)
def takes_nonzero(self, step, ops):
    return step.reshape(-1).nonzero().sum().double()


@wrong(SHAPE)
def selects(self, step, ops):
    return torch.masked_select(step, step > 3).sum().double()


@wrong(SHAPE, line="return")
def indexes_by_a_mask(self, step, ops):
    some = step.reshape(-1)
    return some[some > 3].sum().double()


@wrong(SHAPE)
def takes_unique(self, step, ops):
    return torch.unique(step).sum().double()


@wrong(NUMBER, batch=("", NUMBER))
def makes_as_many(self, step, ops):
    return torch.ones(step).sum().double()


# (f) look-ups by a tensor, NumPy, math


@wrong(NUMBER, batch=INDEX)
def indexes_a_table(self, step, ops):
    return TABLE[step.clamp(0, 2)]


@wrong(NUMBER)
def takes(self, step, ops):
    return torch.take(TABLE, step.clamp(0, 2))


@wrong(NUMPY)
def calls_numpy(self, step, ops):
    return torch.from_numpy(np.asarray(step.numpy() * 1.0))


@wrong(NUMBER)
def calls_math(self, step, ops):
    return ops.full(step, math.cos(step))


# (g) writes, tensors from outside


@wrong(WRITE, line="step +=")
def writes_to_the_step(self, step, ops):
    step += 1
    return ops.integer(step)


@wrong(WRITE, line="x *=")
def writes_to_a_number(self, step, ops):
    x = ops.integer(step)
    x *= 2
    return x


@wrong(TRUTH, line="x[", batch=("", WRITE))
def writes_by_a_mask(self, step, ops):
    x = ops.integer(step)
    x[step > 3] = 1.0
    return x


@wrong(WRITE, line="TABLE.add_")
def writes_to_a_constant(self, step, ops):
    TABLE.add_(1)
    return ops.mul(ops.full(step, 1.0), TABLE[0])


@wrong(f"given aten.select.int; {LOOK_UP}", "aten.select.int at node 'select'")
def reads_an_entry(self, step, ops):
    return ops.mul(ops.integer(step), TABLE[1])


@wrong(f"given f64[3] as operand 0; {SUM}", "aten.sum.dim_IntList at node 'sum_1'")
def sums_floats(self, step, ops):
    return ops.mul(ops.integer(step), TABLE.sum())


# (h) a value that is not the step's


@wrong(RANDOM)
def is_random(self, step, ops):
    return ops.full(step, 1.0) * torch.rand(())


@wrong(RANDOM)
def drops_out(self, step, ops):
    return torch.nn.functional.dropout(ops.full(step, 1.0), 0.5)


@wrong(UNSTEADY)
def is_random_in_python(self, step, ops):
    return ops.full(step, random.random())


@wrong(UNSTEADY)
def reads_the_clock(self, step, ops):
    return ops.full(step, time.perf_counter())


# (i) a value of the wrong kind


@wrong(f"given 1.0; {VALUE}")
def gives_a_float(self, step, ops):
    return 1.0


@wrong(f"given None; {VALUE}")
def gives_nothing(self, step, ops):
    ops.full(step, 1.0)


@wrong(f"given (1.0, 2.0); {VALUE}")
def gives_a_pair(self, step, ops):
    return 1.0, 2.0


@wrong(f"given float32 of shape [3] on cpu for steps of shape [3]; {VALUE}")
def gives_float32(self, step, ops):
    return torch.full_like(step, 0.1, dtype=torch.float32)


@wrong(f"given int64 of shape [3] on cpu for steps of shape [3]; {VALUE}")
def gives_integers(self, step, ops):
    return step * 2


@wrong(f"given float64 of shape [] on cpu for steps of shape [3]; {VALUE}")
def gives_one_for_all(self, step, ops):
    return torch.ones((), dtype=torch.float64)


def sentence(case: Case, batch: bool) -> None:
    with pytest.raises(case.kind) as caught:
        passes.run(trace(case.schedule, batch))
    assert str(caught.value) == case.message
    assert "\n" not in case.message


@pytest.mark.parametrize("name", ONE)
def test_the_error_of_a_mistake_is_one_sentence(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    sentence(ONE[name], batch=False)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", MANY)
def test_the_error_of_a_mistake_is_one_sentence_for_a_batch(name: str) -> None:
    sentence(MANY[name], batch=True)


def test_torchs_own_error_is_the_cause() -> None:
    with pytest.raises(TraceError) as caught:
        trace(ONE["branches"].schedule)
    assert type(caught.value.__cause__).__name__ == "GuardOnDataDependentSymNode"


@pytest.mark.parametrize("name", ["branches", "is_random", "gives_nothing", "is_random_in_python"])
def test_the_error_of_a_mistake_in_a_child_names_the_child(name: str) -> None:
    case = ONE[name]
    with pytest.raises(TraceError) as caught:
        trace(2.0 * Constant(1.0).then(case.schedule, at=5))
    assert str(caught.value) == case.message


class Driven(Schedule):
    """Wrong on purpose, and its field may be a schedule: the formula then reads it through a view."""

    factor: Scalar

    def forward(self, step, ops):
        return ops.full(step, self.factor) * (1.0 if step > 3 else 2.0)


class CallsAHelper(Schedule):
    """Wrong on purpose, in a function of the author's own."""

    factor: Scalar

    def forward(self, step, ops):
        return ops.full(step, helper(step))


@pytest.mark.parametrize(
    ("schedule", "function", "at"),
    [(Driven(Linear(0.0, 1.0, 9)), Driven._formula, 1), (CallsAHelper(1.0), helper, 1)],
    ids=["driven", "helper"],
)
def test_the_line_is_found_through_views_and_functions(schedule: Schedule, function, at: int) -> None:
    lines, first = inspect.getsourcelines(function)
    with pytest.raises(TraceError) as caught:
        trace(schedule)
    where = f"from `{lines[at].strip()}` (test_trace_errors.py:{first + at})"
    assert str(caught.value) == f"{type(schedule).__name__}.forward, {where}: {TRUTH}"


TYPED = """
class {name}(Schedule):
    factor: Scalar
    def forward(self, step, ops):
        return {formula}
"""


@pytest.mark.parametrize(
    ("name", "formula", "message"),
    [
        ("TypedBranch", "ops.full(step, 1.0 if step > 3 else 2.0)", f"TypedBranch.forward, from <stdin>:5: {TRUTH}"),
        (
            "TypedOp",
            "torch.erf(ops.full(step, 0.5))",
            f"aten.erf.default at node 'erf', from <stdin>:5: given aten.erf.default; {ANY_OP}",
        ),
        ("TypedNone", "None", f"TypedNone.forward, from <stdin>:4: given None; {VALUE}"),
    ],
)
def test_the_error_of_a_class_without_a_source_file_names_its_place(name: str, formula: str, message: str) -> None:
    space = {"Schedule": Schedule, "Scalar": Scalar, "torch": torch, "__name__": __name__}
    exec(compile(TYPED.format(name=name, formula=formula), "<stdin>", "exec"), space)
    with pytest.raises((TraceError, LoweringError)) as caught:
        passes.run(trace(space[name](1.0)))  # type: ignore[operator]  # what exec made
    assert str(caught.value) == message


class IsMistaken(Schedule):
    """Wrong on purpose."""

    factor: Scalar

    def forward(self, step, ops):
        return ops.full(step, self.absent)


def test_an_error_that_has_nothing_to_do_with_tracing_is_raised_as_it_is() -> None:
    with pytest.raises(AttributeError, match="absent"):
        trace(IsMistaken(1.0))


class Prints(Schedule):
    """A correct schedule that prints."""

    factor: Scalar

    def forward(self, step, ops):
        print("here")
        return ops.full(step, self.factor)


def test_a_print_is_seen_once_and_is_not_in_the_graph(capsys: pytest.CaptureFixture[str]) -> None:
    assert trace(Prints(2.0))(3) == 2.0
    assert capsys.readouterr().out == "here\n"


class OneForAll(nn.Module):
    """Wrong on purpose, and no schedule."""

    def forward(self, step):
        return torch.ones(())


def test_a_module_without_the_steps_shape_is_refused() -> None:
    with pytest.raises(TraceError) as caught:
        trace(OneForAll(), batch=True)
    assert str(caught.value) == (
        "OneForAll.forward: given a value of type f32[] for a step of type i64[N]; allowed: one value per step, in the "
        "step's shape; to fix it: make constants with ops.full(step, c)."
    )


def bound() -> Scheduler:
    return Scheduler(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1), lr=Constant(0.1))


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        (0.1, "pass the schedule itself"),
        (None, "pass the schedule itself"),
        (helper, "make it a schedule: tracelr.Lambda(function)"),
        (Cosine, "build one first: Cosine(...)"),
        ("params.yaml", "read it first: tracelr.load(path), or tracelr.from_dict(mapping)"),
        (Path("params.yaml"), "read it first: tracelr.load(path), or tracelr.from_dict(mapping)"),
        ({"schedule": "Constant"}, "read it first: tracelr.load(path), or tracelr.from_dict(mapping)"),
        (bound(), "pass the schedule that it was given, or tracelr.from_torch(scheduler)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_error_of_an_argument_that_is_not_a_schedule_says_what_to_pass(given: object, fix: str) -> None:
    for call in (trace, lambda it: lower(it, "c")):
        with pytest.raises(TraceError) as caught:
            call(given)
        assert str(caught.value) == (
            f"trace(schedule): given {tracelr.errors.show(given)}; allowed: a tracelr schedule; to fix it: {fix}."
        )


def test_the_advice_for_integer_division_works() -> None:
    for make in (lambda ops, step: ops.integer(ops.floordiv(step, 7)), lambda ops, step: ops.floordiv_real(step, 7)):
        space = {
            "forward": lambda self, step, ops, make=make: make(ops, step),
            "__annotations__": {},
            "__module__": __name__,
        }
        schedule = type("Advised", (Schedule,), space)()
        assert passes.run(trace(schedule))(50) == schedule(50) == 7.0


NAMES = "lr, or lr with a number or _words after it, such as lr2 or lr_decoder, 63 characters of ASCII at most"
ANY = 'pass a name such as "lr_decoder"'


@pytest.mark.parametrize("target", target_names())
def test_a_name_begins_with_lr(target: str) -> None:
    graph = trace(Constant(0.5))
    for name, fix in [
        *((name, f'pass "lr_{name}"') for name in ("rate", "double", "main", "threadIdx", "def", "1a", "a" * 60)),
        *(
            (name, ANY)
            for name in ("", "a b", "n\u00e4ive", "\uff41", "lr;", "lr*/", "lr\n", "_lr", "__lr", "a.b", 'a"b', "a" * 61)
        ),
        *((name, f'pass "lr_{name}"') for name in ("v_x", "my_lr", "lrint", "LR", "Lr")),
        *((name, ANY) for name in ("lr_", "lr__x", "lr\u0663", None, 3)),
    ]:
        with pytest.raises(LoweringError) as caught:
            lower(graph, target, name=name)  # type: ignore[arg-type]  # wrong on purpose
        given = tracelr.errors.show(name)
        assert str(caught.value) == f"lower(name): given {given}; allowed: {NAMES}; to fix it: {fix}."


@pytest.mark.parametrize("target", ["c", "cuda", "hip", "onnx", "opencl", "stablehlo", "triton"])
def test_a_target_without_a_row_says_which_target_and_line(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module(f"tracelr.lowering.targets.{target}")
    table = module.DIALECT.ops if hasattr(module, "DIALECT") else module.OPS
    monkeypatch.delitem(table, torch.ops.aten.sin.default)
    with pytest.raises(LoweringError) as caught:
        lower(Linear(0.0, 1.0, 9).then(Cosine(1.0, 0.0, 9)), target)
    lines, first = inspect.getsourcelines(Cosine._formula)
    assert str(caught.value) == (
        f"aten.sin.default at node 'sin', from `{lines[-1].strip()}` (cosine.py:{first + len(lines) - 1}), in the target "
        f"{target}: given aten.sin.default; allowed: {names(table)}; to fix it: write it so, or add a row to the target's OPS."
    )
