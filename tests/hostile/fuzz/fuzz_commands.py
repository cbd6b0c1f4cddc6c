"""Coverage-guided fuzzing of the command line: `python tests/hostile/fuzz/fuzz_commands.py [SECONDS] [libFuzzer options]`.

The bytes become a YAML file, a checkpoint, the schedules in a checkpoint, or names of keys and files. Allowed is exit code 0, 1
or 2, within 20 seconds and 4 GiB, with nothing printed that moves a cursor. Anything else ends the run and leaves the input in
`crash-...`.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import atheris
import torch

with atheris.instrument_imports(include=["tracelr"]):
    from tracelr import Linear, checkpoint
    from tracelr.__main__ import main
    from tracelr.interop.readers import READERS

VERBS = (["at", "#", "3"], ["show", "#"], ["show", "#", "--json"], ["diff", "#", "linear(0, 1, 9)"], ["plot", "#"])
LINE = Linear(0.0, 1.0, 9).to_dict()


def kinds(kind: int, data: bytes) -> str:
    """Write the file of one kind, and return its name."""
    text = data.decode("utf-8", "surrogateescape")
    if kind == 0:
        Path("a.yaml").write_bytes(data)
        return "a.yaml"
    if kind == 1:
        Path("a.pt").write_bytes(data)
        return "a.pt"
    if kind == 2:
        checkpoint.save("a.pt", {"last_epoch": 1, "schedules": text})
        return "a.pt"
    if kind == 3:
        checkpoint.save("a.pt", {"last_epoch": 1, "schedules": json.dumps({text: [LINE, LINE | {"end": 2.0}]})})
        return "a.pt"
    if kind == 4:
        one = {"key": text or "lr", "tags": [text], "schedule": LINE}
        Path("a.yaml").write_text(json.dumps({"assignments": [one, one | {"key": "other"}]}))
        return "a.yaml"
    return text or "x"


def one(data: bytes) -> None:
    """Run one input. Its first byte chooses the verb and the kind of file."""
    first = data[0] if data else 0
    name = kinds(first // len(VERBS) % 6, data[1:])
    if ":" in name:  # module:object is code, and trusted
        return
    printed, refused = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(refused):
        try:
            code = main([name if word == "#" else word for word in VERBS[first % len(VERBS)]])
        except SystemExit as left:
            code = int(left.code or 0)
    said = printed.getvalue() + refused.getvalue()
    if code not in (0, 1, 2) or (code == 2) != ("error: " in refused.getvalue()):
        raise AssertionError(f"{name!r} ends with {code}: {said!r}")
    if not all(part.isprintable() for line in said.split("\n") for part in line.split("\t")):
        raise AssertionError(f"{name!r} prints {said!r}")


def corpus(folder: Path) -> None:
    """Write samples of every kind for every verb."""
    made = io.BytesIO()
    torch.save({"scheduler": {"last_epoch": 1, "schedules": json.dumps({"lr": [LINE]})}}, made)
    texts = [*(reader.EXAMPLE.encode() for reader in READERS.values()), json.dumps({"lr": [LINE]}).encode()]
    samples = [*texts, made.getvalue(), b"\x1b[2J\xff$x", b"linear(0, 1, 9) | cosine(1, 0, 9)"]
    for k, sample in enumerate(samples):
        for first in range(6 * len(VERBS)):
            (folder / f"{k}-{first}").write_bytes(bytes([first]) + sample)


if __name__ == "__main__":
    torch.set_num_threads(1)
    seconds, *options = sys.argv[1:] or ["600"]
    options = [str(Path(option).resolve()) if Path(option).is_file() else option for option in options]
    with tempfile.TemporaryDirectory() as folder:
        seeds, found = Path(folder, "seeds"), Path.cwd()
        seeds.mkdir()
        corpus(seeds)
        os.chdir(folder)
        limits = ["-timeout=20", "-rss_limit_mb=4096", "-max_len=4096", "-print_final_stats=1", f"-artifact_prefix={found}/"]
        runs = [] if any(Path(option).is_file() for option in options) else [str(seeds), f"-max_total_time={seconds}"]
        atheris.Setup([sys.argv[0], *limits, *runs, *options], one)
        atheris.Fuzz()
