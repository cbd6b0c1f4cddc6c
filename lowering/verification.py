"""verify: run what a target made, at every step where it could differ from eager, and compare bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, final

import torch
from torch import Tensor, nn

from tracelr._torch import alone
from tracelr.arithmetic import LAST_STEP, arithmetic_for, precision
from tracelr.errors import LoweringError
from tracelr.lowering.graph import Graph, trace
from tracelr.lowering.passes import run
from tracelr.lowering.spec import aten, dtype_of
from tracelr.lowering.targets import find, lower, target_names
from tracelr.lowering.targets._arithmetic import arithmetic_of
from tracelr.lowering.targets._target import Artifact, Target

_FEW = 2000


@final
@dataclass(frozen=True)
class Result:
    """One target against eager. `first` is (step, eager, target) at the first step that differs.

    `ran` says what was run if the target's name does not say it: for "cuda" only the host's half.
    """

    target: str
    steps: int
    differing: int
    max_ulp: int
    first: tuple[int, float, float] | None = None
    ran: str = ""


@final
@dataclass(frozen=True)
class Report:
    """The results of all targets that were run, and why each of the others was not: its toolchain, or what it refuses."""

    schedule: str
    results: tuple[Result, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def ok(self) -> bool:
        """Return whether no target differs in any bit, and at least one was run."""
        return bool(self.results) and not any(result.differing for result in self.results)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain types."""
        return {
            "schedule": self.schedule,
            "ok": self.ok,
            "results": [asdict(r) for r in self.results],
            "skipped": dict(self.skipped),
        }

    def __str__(self) -> str:
        rows = [("target", "steps", "differing", "max ulp", "first difference")]
        for r in self.results:
            first = "-" if r.first is None else f"step {r.first[0]}: eager {r.first[1]!r}, {r.target} {r.first[2]!r}"
            rows.append((r.target, str(r.steps), str(r.differing), str(r.max_ulp), first))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines += [f"{r.target} ran here: {r.ran}" for r in self.results if r.ran]
        lines += [f"{name} not run: {reason}" for name, reason in self.skipped]
        verdict = "same bits as eager" if self.ok else "no target was run" if not self.results else "NOT the bits of eager"
        return "\n".join([f"{self.schedule}: {verdict}", *lines])


@alone()
def verify(
    schedule: nn.Module,
    targets: Sequence[str] | str | None = None,
    steps: Tensor | None = None,
    seed: int = 0,
    tell: Callable[[str], object] | None = None,
) -> Report:
    """Run `schedule` on each of `targets` and compare with eager, bit for bit; NaN equals NaN.

    Eager computes in the same arithmetic as the target: in float64, or in "two_float" for a target without float64.

    `targets` is a list of names, or "all", the default: all that can run here, and the report lists why the others cannot.
    `steps` defaults to what `default_steps` chooses, which is the same for the same `seed`. `tell` is called with the name
    of each target before it is run. Raises `LoweringError` for an unknown target, and for a target of a list that cannot run
    here or refuses the schedule.

    >>> from tracelr import Constant
    >>> verify(Constant(0.5), targets=["c"], steps=torch.arange(10)).ok
    True
    """
    if isinstance(schedule, Graph):
        raise LoweringError("verify(schedule)", schedule, "a schedule, which eager is run on", "pass the schedule")
    graph = run(trace(schedule))
    steps = default_steps(graph, seed) if steps is None else steps.reshape(-1)
    eager: dict[str, Tensor] = {}
    results, skipped = [], []
    every = targets in (None, "all")
    for name in target_names() if every else [targets] if isinstance(targets, str) else targets or []:
        target = find(name)
        if every and (reason := target.missing()) is not None:
            skipped.append((name, f"it needs {reason}"))
            continue
        if tell is not None:
            tell(name)
        try:
            other = lowered(schedule, graph, name).run(steps)
        except LoweringError as error:
            if not every:
                raise
            skipped.append((name, str(error)))
        else:
            arithmetic = arithmetic_of(target)
            if arithmetic not in eager:
                with torch.no_grad(), precision(arithmetic):
                    eager[arithmetic] = schedule(steps)
            results.append(replace(compare(name, steps, eager[arithmetic], other), ran=what_ran(target)))
    return Report(graph.title, tuple(results), tuple(skipped))


def lowered(schedule: nn.Module, graph: Graph, name: str) -> Artifact:
    """Lower `schedule` to the target called `name`, from `graph`, of the arithmetic in force, if it takes that."""
    target = find(name)
    return lower(graph if target.bits and arithmetic_of(target) == arithmetic_for(None).name else schedule, name)


def what_ran(target: Target) -> str:
    """Return what `Artifact.run` runs here, and in which arithmetic, if that is not the one in force."""
    arithmetic = arithmetic_of(target)
    other = "" if arithmetic == arithmetic_for(None).name else f"in {arithmetic}, as eager"
    return "; ".join(filter(None, [other, target.runs()]))


def default_steps(graph: Graph, seed: int = 0, random: int = 20_000) -> Tensor:
    """Return the steps at which a target is compared: where the curve changes its formula, and random ones.

    The first are the integers of the graph (what a step is compared with, clamped to, subtracted or divided by, and the
    tables), and, while these are few, their sums, where nested schedules change. Each comes with both its neighbours. Then
    powers of two up to 2**53, steps past the end, and negative ones.
    """
    constants = sorted(c for c in _integers(graph) if 0 < c < LAST_STEP)
    ends = set(constants)
    for _ in range(3):  # a schedule three deep changes at the sum of three of its numbers
        if len(ends) + len(constants) > _FEW + 1:  # the number of sums is at least this, less one
            break
        sums = {a + b for a in ends for b in constants}
        if len(ends | sums) > _FEW:
            break
        ends |= sums
    last = max([*constants, 1000])
    ends |= {0, LAST_STEP, 2 * last, 10 * last, 2**62} | {2**k for k in range(54)}
    near = {end + d for end in ends for d in (-1, 0, 1)} | {-last, -(2**31), -LAST_STEP, -(2**63), 2**63 - 1}
    generator = torch.Generator().manual_seed(seed)
    even = torch.rand(random // 2, dtype=torch.float64, generator=generator) * min(2 * last, LAST_STEP)
    log = torch.exp2(torch.rand(random - random // 2, dtype=torch.float64, generator=generator) * 53)
    return torch.cat([torch.tensor(sorted(near)), even.to(torch.int64), log.to(torch.int64)])


def _integers(graph: Graph) -> Iterable[int]:
    for node in graph.nodes:
        if dtype_of(node) == torch.int64 and node.target == aten.full.default:
            yield int(node.args[1])  # type: ignore[arg-type]  # fx: of any kind
        elif dtype_of(node) == torch.int64 and node.op == "get_attr":
            yield from graph.tensor(node).flatten().tolist()


def compare(name: str, steps: Tensor, eager: Tensor, other: Tensor) -> Result:
    """Return how the rates `other`, of the target called `name`, differ from those of eager at `steps`; NaN equals NaN."""
    same = (eager.view(torch.int32) == other.view(torch.int32)) | (eager.isnan() & other.isnan())
    wrong = (~same).nonzero().flatten()
    if not len(wrong):
        return Result(name, len(steps), 0, 0)
    ulps = (_ordinal(eager[wrong]) - _ordinal(other[wrong])).abs().max()
    at = wrong[0]
    return Result(name, len(steps), len(wrong), int(ulps), (int(steps[at]), float(eager[at]), float(other[at])))


def _ordinal(rates: Tensor) -> Tensor:
    """Number the floats in order, so that neighbours differ by 1 and both zeros are 0."""
    bits = rates.view(torch.int32).to(torch.int64)
    return torch.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
