"""How far each way to compute a schedule is from the exact value: python benchmarks/exactness.py [--seeds N]

Two tables, against mpmath at 300 bits. The first is every class of schedule with random hyper-parameters (rising and
falling, zero ends, rates near 1, lengths from 1 to 2**53), both sides of every place where its formula changes, in each of
tracelr's arithmetics; 260 seeds are two million steps. The second is the curves that the peers have too, side by side.
"""

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from mpmath import mp
from tqdm import tqdm

from tracelr import precision
from tracelr.arithmetic.two_float import SMALLEST

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from rivals import curves
from support.cases import cases
from support.oracle import probes, to_float32, ulps

ARITHMETICS = ("float64", "two_float", "float32")


@dataclass
class Tally:
    """How many values were compared, how many are not the nearest float32, and the largest distance in float32 units.

    `tiny` counts, and `worst` leaves out, what is below SMALLEST.
    """

    values: int = 0
    wrong: int = 0
    tiny: int = 0
    worst: float = 0.0

    def add(self, got: list[float], steps: list[int], exact: list[object]) -> None:
        for rate, want in zip(got, exact, strict=True):
            self.values += 1
            off = rate != to_float32(want)
            if abs(want) >= SMALLEST or not want:  # type: ignore[operator]  # an mpmath number
                self.wrong, self.worst = self.wrong + off, max(self.worst, ulps(rate, want))
            else:
                self.tiny += off

    def __str__(self) -> str:
        more = f" + {self.tiny:,}" if self.tiny else ""
        return f"{self.worst:.4g}, {self.wrong:,}{more}" if self.values else "-"


def classes(seeds: range, names: tuple[str, ...] = ARITHMETICS) -> dict[str, dict[str, Tally]]:
    """Return the tallies of every class of schedule, by arithmetic."""
    found: dict[str, dict[str, Tally]] = defaultdict(lambda: {name: Tally() for name in names})
    for seed in tqdm(seeds, disable=None):
        for case in cases(seed):
            ends = tuple({*case.ends, case.last, max(case.last // 100, 1)})
            steps = [step for step in probes(ends, seed, 60) if step <= 2 * case.last]
            exact = [case.exact(step) for step in steps]
            for name in names:
                with precision(name):
                    got = case.schedule(torch.tensor(steps)).tolist()
                found[case.kind][name].add(got, steps, exact)
    return dict(sorted(found.items()))


def sample(last: int) -> Iterator[int]:
    """Yield about 6,000 steps: both ends densely, each tenth and hundredth from both sides, and random ones."""
    draw, edge = random.Random(0), 500
    yield from range(edge)
    yield from range(last + 1 - edge, last + 1)
    for part in (10, 13, 20, 100):
        yield from (k * (last // part) + d for k in range(1, part) for d in (-1, 0, 1))
    yield from (draw.randrange(last + 1) for _ in range(5000))


def rivals(last: int) -> dict[str, dict[str, Tally]]:
    """Return the tallies of every curve over `last` steps, by the way it is computed."""
    found = {}
    for name, curve in tqdm(curves(last).items(), disable=None):
        steps = torch.tensor(sorted({step for step in sample(last) if 0 <= step <= last}))
        columns = {}
        for arithmetic in ARITHMETICS:
            with precision(arithmetic):
                columns[f"tracelr {arithmetic}"] = curve.ours(steps)
        columns["torch"] = curve.by_torch(steps, last)
        columns["optax"] = curve.by_optax(steps, last)
        columns["keras"] = curve.by_keras(steps, last)
        columns["Cerebras"] = curve.by_cerebras(steps, last)
        exact = [curve.exact(step) for step in steps.tolist()]
        found[name] = {column: Tally() for column in columns}
        for column, values in columns.items():
            if values is not None:
                found[name][column].add(values.tolist(), steps.tolist(), exact)
    return found


def show(first: str, tallies: dict[str, dict[str, Tally]], count: bool = False) -> None:
    """Print a table in Markdown."""
    columns = list(next(iter(tallies.values())))
    heads = [first, *(["values"] if count else []), *columns]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name, cells in tallies.items():
        counted = [f"{next(iter(cells.values())).values:,}"] if count else []
        print(f"| {' | '.join([name, *counted, *map(str, cells.values())])} |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seeds", type=int, default=10, help="sets of random cases (default: 10; 260 are two million steps)"
    )
    parser.add_argument("--lengths", type=int, nargs="*", default=[100_000, 2**31 + 11], help="lengths of the second table")
    options = parser.parse_args()
    mp.prec = 300
    torch.set_num_threads(1)
    print(
        "Cells: largest distance from the exact value in float32 units, and how many values are not the nearest float32\n"
        "(after a plus: of those below 2^-78, whose distance is left out: two_float makes them 0).\n"
    )
    if options.seeds:
        tallies = classes(range(options.seeds))
        show("class", tallies, count=True)
        for name in ARITHMETICS:
            columns = [cells[name] for cells in tallies.values()]
            total, wrong, tiny = (sum(getattr(c, part) for c in columns) for part in ("values", "wrong", "tiny"))
            worst = max(c.worst for c in columns)
            print(f"{name}: {wrong:,} of {total:,} not the nearest float32 (+ {tiny:,}); at most {worst:.10g} units off")
        print()
    for length in options.lengths:
        print(f"{length:,} steps, about 6,000 of them compared:\n")
        show("curve", rivals(length))


if __name__ == "__main__":
    main()
