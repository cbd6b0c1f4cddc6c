"""Their schedulers and ours in Cerebras' own compiler: the tables of docs/cerebras.md, measured here.

    make .venv-cerebras/ready
    PYTHONPATH=src .venv-cerebras/bin/python benchmarks/beside_cerebras.py [curves] [sizes]

A training step is traced on the CSX backend and lowered to CIRH. The schedule is cut out of it and interpreted, in float32
of NumPy. "curves" compares it with the exact value of the formula, in mpmath at 300 bits; "sizes" counts its ops.
"""

import re
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mpmath import mp, mpf
from tqdm import tqdm

import tracelr
from tracelr import lowering
from tracelr.arithmetic.two_float import SMALLEST
from tracelr.lowering.targets._cirh_interpreter import Op

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import cerebras.pytorch as cstorch
from support.cerebras_formulas import AT_2000, Call, called
from support.csx import Step, compiled, rates_of_the_update, walked
from support.exact_values import exact
from support.oracle import ulps
from support.table import ROWS

STEPS = 2002
"""Steps 0 to 2001: a run of 2,000 and one step past its end."""


class Distance(NamedTuple):
    """The largest distance from the exact value: in float32 units, and relative to it. `at` is the step of the first."""

    units: float
    relative: float
    at: int

    def __str__(self) -> str:
        return f"{self.units:,.2f}, {self.relative:.1e}" if self.units < 1000 else f"{self.units:,.0f}, {self.relative:.1e}"


def distance(got: Iterable[Any], want: Callable[[int], Any]) -> Distance:
    """Return the distance of the values at steps 0, 1, ...; what is below SMALLEST is left out."""
    units, relative, at = 0.0, 0.0, 0
    for step, value in enumerate(got):
        right = want(step)
        if right and abs(right) < SMALLEST:
            continue
        here = ulps(float(value), right)
        if here > units:
            units, at = here, step
        gap = abs(mpf(float(value)) - right)
        relative = max(relative, float(gap / abs(right)) if right else float(gap and mp.inf))
    return Distance(units, relative, at)


def ours(call: Call) -> tuple[str, Callable[[int], Any]]:
    """Return our call and the exact value of our schedule."""
    if call.ours is not None:
        return call.ours
    schedule = called(call.text, vars(tracelr.lr_scheduler), torch.optim.SGD([torch.zeros(1)], lr=1.0)).schedule
    factor = mpf(0.3) if call.text.startswith("ScalePerParam") else 1  # the group's adjust_learning_rate in traced.py
    return call.text, lambda t: factor * exact(schedule, t).value


def on_the_cpu(call: Call) -> list[float]:
    """Return what their scheduler puts into the group on their CPU backend."""
    group = {"params": [torch.nn.Parameter(torch.zeros(1))], "tags": {"only"}, "adjust_learning_rate": 0.3}
    optimizer = cstorch.optim.SGD([group], lr=0.1, momentum=0.0)
    scheduler = called(call.text, vars(cstorch.optim.lr_scheduler), optimizer, "only")
    found = []
    for _ in range(STEPS):
        found.append(float(optimizer.param_groups[0]["lr"]))
        scheduler.step()
    return found


def step_of(names: list[str]) -> Step:
    with tempfile.TemporaryDirectory() as folder:
        return compiled(Path(folder), names)


def curves() -> None:
    """Print how far each curve is from its exact value."""
    with tempfile.TemporaryDirectory() as folder:
        cstorch.backend("CPU", artifact_dir=folder)
        eager = [on_the_cpu(call) for call in tqdm(AT_2000, "eager", disable=None)]
    step = step_of([f"theirs {call.text}" for call in AT_2000])
    heads = ("call", "theirs, compiled", "theirs, eager", "bits that differ", "ours, compiled", "what differs")
    table(heads)
    for k, call in enumerate(tqdm(AT_2000, "curves", disable=None)):
        made, _ = walked(step.function, k, STEPS)
        text, value = ours(call)
        by_us, _ = walked(step_of([f"ours {text}"]).function, 0, STEPS)
        differing = sum(float(a) != b for a, b in zip(made, eager[k], strict=True))
        row = (distance(made, call.exact), distance(eager[k], call.exact), differing, distance(by_us, value), call.differs)
        table((f"`{call.text}`", *map(str, row)))
    print(f"\none-bit sums in their step: {sum(map(one_bit_sum, step.function.ops.values()))}")


def one_bit_sum(op: Op) -> bool:
    return op.name == "Reduce" and op.types.endswith("i1>") and op.word("reduce_kind") == "ADD"


class Size(NamedTuple):
    ops: int
    tables: int
    entries: int

    def __str__(self) -> str:
        return f"{self.ops}" + (f", {self.tables} of {self.entries}" if self.tables else "")


def size(ops: Iterable[Op]) -> Size:
    """Count the ops, and the tables with their entries; a step of theirs puts a table together from constants of one entry."""
    listed = list(ops)
    entries = [len(op.operands) for op in listed if op.name == "Concat"]
    for op in listed:
        if op.name == "Const" and re.search(r'dense<(\[|"0x)', op.attributes):
            entries += map(int, re.findall(r"tensor<(\d+)x", op.types))
    return Size(sum(op.name not in ("Const", "Concat") for op in listed), len(entries), sum(entries))


def sizes(turns: int = 2) -> None:
    """Print for each class the size of its IR, and what it costs to compile it.

    Of the rows of a class, the one whose text has the most ops stands for it; of those inside another, if there is no other.
    """
    largest: dict[str, tuple[bool, Size, str]] = {}
    for name, row in tqdm(ROWS.items(), "texts", disable=None):
        if row.written:
            alone = size(lowering.targets._cirh_interpreter.parse(lowering.lower(row.schedule, "cirh").text).ops.values())
            for one in row.schedule.modules():
                if isinstance(one, tracelr.Schedule):
                    kind, found = type(one).__name__, (one is row.schedule, alone, name)
                    largest[kind] = max(largest.get(kind, found), found)
    base = min(step_of(["theirs ConstantLR(optimizer, 6e-4)"]).seconds for _ in range(turns))
    table(("class", "row", "ops, tables", "in the compiled step", "seconds to compile"))
    for kind, (_, alone, name) in tqdm(sorted(largest.items()), "steps", disable=None):
        steps = [step_of([name]) for _ in range(turns)]
        function = steps[0].function
        (used,) = rates_of_the_update(function)
        cut = size(function.cut(used or "output_values_0")[2])
        shown = textwrap.shorten(repr(ROWS[name].schedule), 90, placeholder=" ...")
        table((f"`{kind}`", f"`{shown}`", alone, cut, f"{min(step.seconds for step in steps) - base:.2f}"))
    print(f"\na step with ConstantLR of theirs: {base:.2f} s; the difference from it is shown")


def table(cells: Iterable[Any]) -> None:
    """Print a line of a table in Markdown, and the line under its head."""
    texts = [str(cell).replace("|", "\\|") for cell in cells]
    print(f"| {' | '.join(texts)} |", flush=True)
    if texts[0] in ("call", "class"):
        print(f"|{'---|' * len(texts)}")


def main(parts: list[str]) -> None:
    warnings.simplefilter("ignore")
    mp.prec = 300
    torch.set_num_threads(1)
    made = {"curves": curves, "sizes": sizes}
    for part in parts or made:
        made[part]()
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
