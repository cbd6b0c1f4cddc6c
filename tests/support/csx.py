"""A training step as Cerebras' compiler makes it, without the accelerator: traced, lowered to CIRH, and read.

The programs that need their package import this file; it needs the package only when it is called.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tracelr.lowering.targets._cirh_interpreter import Function, parse, run

PROGRAM = Path(__file__).parents[1] / "cerebras" / "traced.py"


class Step(NamedTuple):
    """A compiled training step, and the seconds of the processor that tracing and compiling it took."""

    function: Function
    seconds: float


def compiled(folder: Path, names: list[str]) -> Step:
    """Return the training step whose param groups follow `names` (see traced.py); `folder` is an empty one."""
    found = find_spec("cerebras.pytorch")
    assert found is not None
    assert found.origin is not None
    library = Path(found.origin).parent / "lib"
    environment = {**os.environ, "PATH": f"{library}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, str(PROGRAM), *names]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    made = list(folder.rglob("cirh.mlir"))
    if len(made) != 1 or "ClusterConfigError" not in done.stderr:  # what it asks for when the compiler is done
        raise RuntimeError(f"{names}: no step was compiled\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return Step(parse(made[0].read_text()), float(done.stdout.splitlines()[-1]))


def rates_of_the_update(function: Function) -> Iterator[str | None]:
    """Yield for each weight the value of the rate of its update: their optimizer multiplies it by -1 and the gradient.

    It is None where their compiler has multiplied a constant already.
    """
    for k in range(sum("state.model" in attributes for _, attributes in function.inputs.values())):
        ops = function.cut(k)[2]
        by_name = {op.result: op for op in ops}
        found = None
        for op in ops:
            source = by_name.get(op.operands[0]) if op.name == "BroadcastInDim" else None
            if source is not None and source.name == "Mul" and source.types.endswith("tensor<f32>"):
                minus = [one for one in source.operands if one in by_name and "dense<-1.0" in by_name[one].attributes]
                if minus:
                    (found,) = (one for one in source.operands if one not in minus)
        yield found


def counters(function: Function, k: int) -> list[str]:
    """Return the counters of scheduler `k`, by the names of their inputs."""
    return [name for name, (_, attributes) in function.inputs.items() if f'"state.schedulers.{k}.' in attributes]


def walked(function: Function, k: int, steps: int) -> tuple[Any, Any]:
    """Return what scheduler `k` gives in the first steps of a run: for each update, and as the next value after it.

    Its counters start at 0, and each step has those that the compiled step before has returned. Where only one counts, all
    steps are done at once.
    """
    used = list(rates_of_the_update(function))[k] or f"output_values_{k}"
    after, counts = f"output_values_{k}", counters(function, k)
    needed = {name for one in (used, after) for name in function.cut(one)[1]}
    if len(needed) < 2:
        (name,) = needed or {counts[0]}
        return tuple(run(function, np.arange(steps), one, name) for one in (used, after))
    state = dict.fromkeys(counts, np.int64(0))
    places = {name: _place(function, name) for name in counts}
    found: list[tuple[Any, Any]] = []
    once = np.zeros(1, np.int64)
    for _ in range(steps):
        found.append(tuple(run(function, once, one, "", state)[0] for one in (used, after)))  # type: ignore[arg-type]  # two
        state = {name: run(function, once, places[name], "", state)[0] for name in counts}
    first, second = zip(*found, strict=True)
    return np.array(first), np.array(second)


def _place(function: Function, name: str) -> int:
    """Return which result is the next value of an input."""
    return int(function.inputs[name][1].partition("tf.aliasing_output = ")[2].split()[0])
