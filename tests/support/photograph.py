"""What a change of the code's shape must leave as it was: `photograph.py take FILE`, later `photograph.py compare FILE`.

A photograph records the float32 bits of every row of the table of schedules, of every name of the Cerebras family and of
every published setting, in all three arithmetics; the dumps and the C of every row; the public names and their parameters;
and how many calls a hot step makes. `compare` prints what differs and exits 1.

Dumps and C show the author's source line, which changes with every rename. So each is recorded twice: as it is, and without
source lines, comments and the layout that depends on them. `compare` asks about the first with `--as-is` alone. Fewer calls
are printed and are no difference.

It photographs the checkout it stands in, or another: PYTHONPATH=OTHER/src:OTHER/tests python tests/support/photograph.py ...
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import importlib
import inspect
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parents[2]
FIRST = len(list(filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))))
sys.path[:1] = []  # the folder of this script, whose modules may have the names of another checkout's
sys.path[FIRST:FIRST] = [str(HERE / "src"), str(HERE / "tests")]

import torch  # noqa: E402
from tqdm import tqdm  # noqa: E402

Table = dict[str, dict[str, Any]]
ARITHMETICS = ("float64", "float32", "two_float")
FORMS = ("code", "dot", "json", "mermaid", "svg", "table", "text")
MODULES = (
    "",
    "errors",
    "arithmetic",
    "lowering",
    "lr_scheduler",
    "schedules",
    "weight_decay_scheduler",
)
# (seed, number of random steps), as the tests that run over all rows ask for probes
PROBES = ((1, 400), (1, 40), (2, 1000), (3, 20), (4, 40), (5, 60), (6, 300), (7, 30), (8, 5), (9, 5), (11, 300), (12, 300))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("take", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--as-is", action="store_true", help="ask about dumps and C with their source lines too")
    options = parser.parse_args()
    now = taken()
    if options.verb == "take":
        options.file.write_text(written(now))
        return 0
    before = json.loads(options.file.read_text())
    differing = list(differences(before, now, options.as_is))
    print(*differing, sep="\n", end="\n" if differing else "")
    print(f"{sum(map(len, now.values()))} lines, {len(differing)} differences")
    return int(any(not one.startswith("fewer ") for one in differing))


def taken() -> Table:
    """Return the photograph: for each section, a few words or numbers under each name."""
    torch.set_num_threads(1)
    names = public_names()  # first: what other imports load would show
    checkout = Path(sys.modules["tracelr"].__file__ or "").resolve().parents[2]
    tests = Path(helper("table").__file__ or "").resolve()
    if checkout not in tests.parents:
        raise SystemExit(f"tracelr is of {checkout}, its table of schedules is {tests}: one PYTHONPATH for both")
    print(f"photograph of {checkout}", file=sys.stderr)
    return {
        "names": names,
        "calls": calls(),
        "golden": golden(checkout / "tests"),
        "rows": rows(),
        "family": family(),
        "published": published(checkout / "tests" / "interop" / "data"),
    }


def written(photograph: Table) -> str:
    """Return JSON with a line for each name."""
    sections = []
    for title, section in sorted(photograph.items()):
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(section[name], sort_keys=True)}" for name in sorted(section))
        sections.append(f"{json.dumps(title)}: {{\n{lines}\n}}")
    return "{\n" + ",\n".join(sections) + "\n}\n"


def differences(before: Table, now: Table, as_is: bool) -> Iterator[str]:
    """Yield a line for each thing that differs; of texts as they are, only if they are asked about."""
    for title in sorted({*before, *now}):
        old, new = flat(before.get(title, {})), flat(now.get(title, {}))
        for key in sorted({*old, *new}):
            a, b = old.get(key), new.get(key)
            if a == b or ("as is" in key and not as_is):
                continue
            fewer = title == "calls" and a is not None and b is not None and b < a
            yield f"{'fewer ' if fewer else ''}{title}: {' / '.join(key)}: {shown(a)} -> {shown(b)}"


def flat(value: Any, way: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(value, dict):
        return {way: value}
    return {key: leaf for name in value for key, leaf in flat(value[name], (*way, name)).items()}


def shown(value: Any) -> str:
    return "absent" if value is None else repr(value)


def digest(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()[:16]


def helper(name: str) -> ModuleType:
    """Import a helper of the tests that are photographed."""
    return importlib.import_module(f"support.{name}")


# Names


def public_names() -> Table:
    """Return the names of each public module, with the parameters of what can be called; no modules, nothing of others'."""
    result, seen = {}, set[type]()
    for name in MODULES:
        package = importlib.import_module("tracelr")
        module = getattr(package, name) if name else package
        result[f"tracelr.{name}".rstrip(".")] = dict(described(module, seen))
    return result


def described(module: ModuleType, seen: set[type]) -> Iterator[tuple[str, Any]]:
    """Yield each name, with the members of a class where it is met first."""
    for name in dir(module):
        value = getattr(module, name)
        ours = (getattr(value, "__module__", None) or "tracelr").startswith("tracelr")
        if name.startswith("_") or name == "TYPE_CHECKING" or isinstance(value, ModuleType) or not ours:
            continue
        if not inspect.isclass(value):
            yield name, parameters(value)
        elif value in seen:
            yield name, "class"
        else:
            seen.add(value)
            yield name, {**members(value), "()": parameters(value)}


def members(kind: type) -> dict[str, Any]:
    schedule = sys.modules["tracelr"].Schedule
    others = [base for base in kind.__mro__[1:] if not base.__module__.startswith("tracelr") or base is schedule]
    known = {name for base in others for name in dir(base)}
    return {
        name: parameters(getattr(kind, name, None)) for name in dir(kind) if not name.startswith("_") and name not in known
    }


def parameters(value: Any) -> str:
    try:
        return ", ".join(inspect.signature(value).parameters)
    except (TypeError, ValueError):
        return type(value).__name__


# Calls


def calls() -> Table:
    """Return how many calls of Python's and of C's functions are made by what a training loop does again and again."""
    from tracelr import Constant, Cosine, Linear, Scheduler, fuse

    rate = Linear(0.0, 1e-2, 5).then(Cosine(1e-2, 1e-4, 600_000))
    result = {}
    for kind, lr in (("float", 0.1), ("tensor", torch.tensor(0.1))):
        for groups in (1, 8):
            result[f"eager step, {kind} rate, {groups} groups"] = counted(Scheduler(adamw(groups, lr), lr=rate).step)
    step = torch.tensor(7)
    result |= {f"schedule of {name}": counted(lambda at=at: rate(at)) for name, at in (("an int", 7), ("a tensor", step))}
    for name, schedule in (("a schedule", rate), ("a constant rate", Constant(1e-2))):
        optimizer = adamw(1, torch.tensor(0.1))
        update = fuse(optimizer, Scheduler(optimizer, lr=schedule), backend="eager")
        for _ in range(3):
            update()
        result[f"fused update, {name}"] = {"python": counted(update)["python"]}  # of C's, most are the update's own
    return result


def adamw(groups: int, lr: Any) -> torch.optim.Optimizer:
    weights = [torch.nn.Parameter(torch.ones(2)) for _ in range(groups)]
    for weight in weights:
        weight.grad = torch.ones(2)
    clone = lr.clone if isinstance(lr, torch.Tensor) else lambda: lr
    optimizer = torch.optim.AdamW([{"params": [weight], "lr": clone()} for weight in weights])
    optimizer.step()
    return optimizer


def counted(function: Callable[[], object], times: int = 9) -> dict[str, int]:
    """Return the calls inside one call of `function`, its own too: what most of a few hot calls made."""
    for _ in range(20):
        function()
    every = []
    gc.collect()
    gc.disable()
    for _ in range(times):
        seen = Counter[str]()

        def note(frame: Any, event: str, argument: Any, seen: Counter[str] = seen) -> None:
            seen[event] += 1

        sys.setprofile(note)
        function()
        sys.setprofile(None)
        every.append((seen["call"], seen["c_call"] - 1))  # less sys.setprofile itself
    gc.enable()
    python, c = Counter(every).most_common(1)[0][0]
    return {"python": python, "c": c}


# Bits and texts


def golden(tests: Path) -> Table:
    folder = tests / "lowering" / "golden"
    files = sorted(path for path in folder.iterdir() if path.suffix[1:] in FORMS)
    return {path.name: both(path.read_text(encoding="utf-8"), path.suffix[1:]) for path in files}


def rows() -> Table:
    from tracelr.lowering import dump, lower, stages, trace

    result = {}
    for name, row in tqdm(sorted(helper("table").ROWS.items()), disable=None):
        *_, (_, graph) = stages(trace(row.schedule))  # once: a trace costs more than all that is made of it
        dumps = {}
        for form in FORMS:
            try:
                dumps[form] = both(dump(graph, form), form)
            except ValueError:
                dumps[form] = None
        result[name] = {"bits": bits(row.schedule, steps(row)), "dump": dumps, "c": both(lower(graph, "c").text, "c")}
    return result


def steps(row: Any) -> list[int]:
    """Return the steps at which the tests look at a row."""
    probes = helper("oracle").probes
    chosen = {step for seed, many in PROBES for step in probes(row.ends, seed=seed, random_steps=many)}
    generator = torch.Generator().manual_seed(3)
    any_size = torch.exp2(torch.rand(20_000, dtype=torch.float64, generator=generator) * 53).long()
    return sorted({*chosen, *row.values, *any_size.tolist(), -1, -(2**40), -(2**63), 2**53 + 1, 2**60, 2**62, 2**63 - 1})


def bits(schedule: Any, at: Iterable[int]) -> dict[str, str]:
    from tracelr import precision

    chosen = torch.tensor(list(at))
    result = {"steps": digest(chosen.numpy().tobytes())}
    for arithmetic in ARITHMETICS:
        with torch.no_grad(), precision(arithmetic):
            result[arithmetic] = digest(schedule(chosen).view(torch.int32).numpy().tobytes())
    return result


def family() -> Table:
    """Return the bits of the Cerebras family's names."""
    from tracelr import lr_scheduler

    result = {}
    for k, case in enumerate(helper("cerebras_formulas").CASES):
        scheduler = getattr(lr_scheduler, case.rate)(adamw(1, 0.1), **case.words)
        walk = {end + d for end in case.ends for d in (-1, 0, 1)} | {*range(0, 3000, 7), 10**5, 10**6}
        result[f"{k:03} {case.rate}"] = bits(scheduler.schedule, sorted(walk))
    return result


def published(folder: Path) -> Table:
    """Return the bits of the published settings of the Cerebras Model Zoo."""
    from tracelr import Schedule, from_dict

    result = {}
    walk = [*range(0, 10_000, 97), *range(10_000, 1_000_000, 9973), 10**7, 10**9]
    for file in ("learning_rates", "schedulers"):
        settings = json.loads((folder / f"cerebras_{file}.json").read_text())["rows"]
        for k, setting in enumerate(settings):
            spec = setting["spec"]
            read = from_dict({"optimizer": {"learning_rate": spec}} if file == "learning_rates" else {"schedulers": spec})
            for n, one in enumerate([read] if isinstance(read, Schedule) else [each.schedule for each in read]):
                result[f"{file} {k:03} {n}"] = bits(one, walk)
    return result


def both(text: str, form: str) -> dict[str, str]:
    text = text.rstrip("\n")
    return {"as is": digest(text), "without source lines": digest(bare(text, form))}


def bare(text: str, form: str) -> str:
    """Return what a text says without the author's source lines, comments, and the layout that depends on them."""
    match form:
        case "c":
            text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        case "code" | "text":
            text = re.sub(r"  # .*", "", text)
        case "table":
            width = next(line for line in text.splitlines() if line.startswith("---")).rindex("  ") + 2
            text = "\n".join(line if "  " not in line else line[:width] for line in text.splitlines())
        case "json":
            graph = json.loads(text)
            for node in graph["nodes"]:
                node.pop("source", None)
            return json.dumps(graph, sort_keys=True)
        case "mermaid":
            text = re.sub(r'("[^"\n]*?<br/>[^"\n]*?)<br/>[^"\n]*"', r'\1"', text)
        case "dot":
            text = re.sub(r'"(?:[^"\\\n]|\\.)*"', lambda label: r"\n".join(label[0].strip('"').split(r"\n")[:2]), text)
        case "svg":
            kept = re.findall(r'<text class="(?!line")[^"]*"[^>]*>(.*?)</text>', text)
            return "".join(kept)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


if __name__ == "__main__":
    raise SystemExit(main())
