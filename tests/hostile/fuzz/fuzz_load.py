"""Coverage-guided fuzzing of `load` and `from_dict`: `python tests/hostile/fuzz/fuzz_load.py [SECONDS] [libFuzzer options]`.

Allowed is a schedule that evaluates, or a `ConfigError` that says what was given, what is allowed and how to fix it. Anything
else ends the run and leaves the input in `crash-...`; `python tests/hostile/fuzz/fuzz_load.py 0 crash-...` runs that one again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris
import torch

with atheris.instrument_imports(include=["tracelr"]):
    import tracelr
    from tracelr.errors import ConfigError
    from tracelr.interop import load as config
    from tracelr.interop._tools.checks import Place
    from tracelr.interop._tools.yaml import mapping as mapping_of
    from tracelr.interop.cerebras import read_trainer
    from tracelr.interop.cerebras import spellings as cerebras
    from tracelr.interop.huggingface import scheduler_types as huggingface_types
    from tracelr.interop.keras import read as keras
    from tracelr.interop.readers import READERS
    from tracelr.schedules.base import REGISTRY, Schedule

ROOT = Path(__file__).parents[3]
STEPS = torch.tensor([0, 1, 7, 1000, 2**31, 2**53])
VALUES = [
    *(0, 1, -1, 2, 10, 1000, 2**31, 2**53, 2**53 + 1, 2**63, 10**40, True, False, None),
    *(0.0, -0.0, 0.5, 1.0, 1e-3, 0.1, 1e38, 1e39, 1e-45, 1e300, 5e-324, float("nan"), float("inf"), -float("inf")),
    *(
        "",
        "1",
        "1e5",
        "1e-400",
        "0x10",
        "1:30",
        "5ep",
        "0.1dur",
        "lr",
        "linear",
        "cosine",
        "rescale",
        "\0",
        "*/",
        "</script>",
    ),
    *([], {}, [1], [1, 2], [0.1, 0.2], [[1]], {"1000": 0.1}, {1000: 0.1}),
]


def names() -> list[str]:
    """Return every name and key that a reader knows."""
    found = {
        *REGISTRY,
        *keras.CLASSES,
        *read_trainer.KINDS,
        *cerebras.OLDER_CURVES,
        *huggingface_types.TYPES,
    }
    for kind in REGISTRY.values():
        found |= {"schedule", *kind._rules}
    for build in keras.CLASSES.values():
        found |= set(build.__annotations__)
    for spelling in cerebras.SPELLINGS["older"].items():
        found |= {spelling[0], *spelling[1]}
    for reader in READERS.values():
        found |= keys(mapping_of(reader.EXAMPLE.encode(), Place("example")))
    found |= {key for kind in huggingface_types.TYPES.values() for key in kind.keys}
    found |= {"assignments", "key", "tags", "factor", "main_scheduler", "disable_lr_steps_reset", "param_group_tags"}
    return sorted(found - {"return"})


def keys(value: Any) -> set[str]:
    """Return the keys, at any depth, of a sample."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    return {*value}.union(*map(keys, value.values())) if isinstance(value, dict) else set()


def corpus(folder: Path) -> None:
    """Write the samples of the readers, the examples, and a schedule of every class, as `load` reads them."""
    texts = [reader.EXAMPLE for reader in READERS.values()] + [path.read_text() for path in ROOT.glob("examples/*.yaml")]
    sys.path.insert(0, str(ROOT / "tests"))
    from support.table import ROWS

    texts += [json.dumps(row.schedule.to_dict()) for row in ROWS.values()]
    texts += [
        "a: &a {b: 1}\nschedule: *a",
        "schedule: !!python/name:os.x",
        "? [a]\n: {<<: *b}",
        "schedule: !!binary aGVsbG8=",
    ]
    for k, text in enumerate(texts):
        (folder / f"file{k}").write_bytes(b"\0" + text.encode())
        (folder / f"built{k}").write_bytes(b"\1" + bytes((k * 37 + j * 101) % 256 for j in range(256)))


class Builder:
    """Makes mappings out of the names that the readers know, as the fuzzer's bytes choose."""

    def __init__(self, data: bytes) -> None:
        self.choose = atheris.FuzzedDataProvider(data)

    def value(self, depth: int) -> Any:
        kind = self.choose.ConsumeIntInRange(0, 7)
        if kind <= 2 or depth > 5:
            return VALUES[self.choose.ConsumeIntInRange(0, len(VALUES) - 1)]
        if kind == 3:
            return NAMES[self.choose.ConsumeIntInRange(0, len(NAMES) - 1)]
        if kind == 4:
            return [self.value(depth + 1) for _ in range(self.choose.ConsumeIntInRange(0, 3))]
        if kind == 5:
            return self.known(depth + 1)
        return {self.key(): self.value(depth + 1) for _ in range(self.choose.ConsumeIntInRange(0, 5))}

    def key(self) -> Any:
        return NAMES[self.choose.ConsumeIntInRange(0, len(NAMES) - 1)]

    def known(self, depth: int) -> Any:
        """Return a mapping in the native format, with values that are nearly right."""
        kind = [*REGISTRY.values()][self.choose.ConsumeIntInRange(0, len(REGISTRY) - 1)]
        return {"schedule": kind.__name__} | {name: self.value(depth) for name in kind._rules}

    def sample(self) -> Any:
        """Return a sample of a reader in which some values are others."""
        readers = [*READERS.values()]
        example = mapping_of(readers[self.choose.ConsumeIntInRange(0, len(readers) - 1)].EXAMPLE.encode(), Place("example"))
        return self.changed(example, 0)

    def changed(self, value: Any, depth: int) -> Any:
        if self.choose.ConsumeIntInRange(0, 9) == 0:
            return self.value(depth)
        if isinstance(value, dict):
            changed = {k: self.changed(v, depth + 1) for k, v in value.items()}
            return changed | ({self.key(): self.value(depth + 1)} if self.choose.ConsumeBool() else {})
        return [self.changed(part, depth + 1) for part in value] if isinstance(value, list) else value


def check(make: Any) -> None:
    try:
        found = make()
    except ConfigError as error:
        said = str(error)
        complete = said.count("; allowed: ") and said.count("; to fix it: ")
        if not complete or not said.split("\n")[0].isprintable():
            raise AssertionError(f"an incomplete message: {said!r}") from error
        return
    for schedule in [found] if isinstance(found, Schedule) else [one.schedule for one in found]:
        value = schedule(STEPS)
        if value.shape != STEPS.shape or value.dtype != torch.float32:
            raise AssertionError(f"{schedule} gives {value}")
        if repr(config.from_dict(schedule.to_dict())) != repr(schedule):
            raise AssertionError(f"{schedule} is not what comes back")


def one(data: bytes) -> None:
    """Run one input. Its first byte says whether the other bytes are a file, or build a mapping."""
    if data[:1] and data[0] % 2:
        builder = Builder(data[1:])
        mapping = builder.sample() if data[0] % 4 == 1 else builder.value(0)
        check(lambda: tracelr.from_dict(mapping))
    else:
        FILE.write_bytes(data[1:])
        check(lambda: tracelr.load(FILE))


if __name__ == "__main__":
    torch.set_num_threads(1)
    NAMES = names()
    seconds, *options = sys.argv[1:] or ["600"]
    with tempfile.TemporaryDirectory() as folder:
        FILE, seeds, words = Path(folder, "params.yaml"), Path(folder, "seeds"), Path(folder, "words")
        seeds.mkdir()
        corpus(seeds)
        words.write_text("\n".join(json.dumps(name) for name in NAMES if name.isascii()))
        limits = ["-timeout=20", "-rss_limit_mb=8192", "-max_len=4096", "-print_final_stats=1", f"-dict={words}"]
        runs = [] if any(Path(option).is_file() for option in options) else [str(seeds), f"-max_total_time={seconds}"]
        atheris.Setup([sys.argv[0], *limits, *runs, *options], one)
        atheris.Fuzz()
