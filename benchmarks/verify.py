"""Each schedule on each target against eager, bit for bit, as one table: python benchmarks/verify.py [TARGET ...]

The schedules are every row of tests/support/table.py and the four names of the first release, bound to an optimizer. The
steps are those of `verify`: boundaries, powers of two, past the end, random ones. A target without float64 has tests of its
own. The exit code is 1 if a bit differs.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

from tracelr import Schedule, lowering, lr_scheduler
from tracelr.lowering.graph import Graph
from tracelr.lowering.passes import run
from tracelr.lowering.targets import find, lower
from tracelr.lowering.targets._clike.compiler import CC, CXX
from tracelr.lowering.targets.cuda import HostAndDevice
from tracelr.lowering.verification import Result, compare, default_steps

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
FIRST_RELEASE: dict[str, dict[str, object]] = {
    "Constant": {"val": 0.1},
    "Exponential": {"learning_rate": 0.1, "decay_steps": 1000, "decay_rate": 0.96},
    "PiecewiseConstant": {"learning_rates": [0.1, 0.001, 0.0001], "milestones": [1000, 2000]},
    "Polynomial": {"learning_rate": 0.1, "end_learning_rate": 0.001, "decay_steps": 5000, "power": 1.0},
}


def schedules() -> dict[str, Schedule]:
    """Return the rows of the table, and the schedulers of the first release by name."""
    from support import table

    found = {name: row.schedule for name, row in table.ROWS.items()}
    for name, words in FIRST_RELEASE.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        found[f"lr_scheduler.{name}"] = getattr(lr_scheduler, name)(optimizer, **words).schedule
    return found


def functions(target: str, graphs: dict[str, Graph]) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return each graph as a function of steps; where a compiler takes many at once, by one call of it."""
    if target in ("c", "cuda", "hip"):
        emitter = find(target)
        compiler = CXX if isinstance(emitter, HostAndDevice) else CC
        names = {f"lr{k}": name for k, name in enumerate(graphs)}
        loaded = compiler.load_all({each: lower(graphs[name], target, each).text for each, name in names.items()})
        return {names[each]: function for each, function in loaded.items()}
    return {name: lower(graph, target).run for name, graph in graphs.items()}


def verify(target: str, graphs: dict[str, Graph], steps: dict[str, Tensor], eager: dict[str, Tensor]) -> list[Result]:
    if target == "triton":
        from tracelr.lowering.targets._triton.run import Kernel, interpret

        kernels = [lower(graph, target) for graph in graphs.values()]
        runs = [(kernel, steps[name]) for kernel, name in zip(kernels, graphs, strict=True) if isinstance(kernel, Kernel)]
        return [compare(name, steps[name], eager[name], it) for name, it in zip(graphs, interpret(runs), strict=True)]
    made = functions(target, graphs)
    return [compare(name, steps[name], eager[name], function(steps[name])) for name, function in made.items()]


def main(targets: list[str]) -> int:
    torch.set_num_threads(1)
    rows = schedules()
    graphs = {name: run(lowering.trace(schedule)) for name, schedule in rows.items()}
    steps = {name: default_steps(graph) for name, graph in graphs.items()}
    with torch.no_grad():
        eager = {name: schedule(steps[name]) for name, schedule in rows.items()}
    print("| target | schedules | steps | differing bits | max ULP | seconds | what ran |\n|---|---|---|---|---|---|---|")
    wrong = 0
    for target in targets or [name for name in lowering.target_names() if "float64" in find(name).arithmetics]:
        if (absent := find(target).missing()) is not None:
            print(f"| `{target}` | - | - | - | - | - | not run: it needs {absent} |", flush=True)
            continue
        start = perf_counter()
        results = verify(target, graphs, steps, eager)
        seconds, tried = perf_counter() - start, sum(r.steps for r in results)
        differing, ulp = sum(r.differing for r in results), max(r.max_ulp for r in results)
        ran = find(target).runs() or "all of it"
        print(f"| `{target}` | {len(results)} | {tried:,} | {differing} | {ulp} | {seconds:.0f} | {ran} |", flush=True)
        for result in results:
            if result.differing:
                print(f"{target}, {result.target}: {result}", file=sys.stderr)
        wrong += differing
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
