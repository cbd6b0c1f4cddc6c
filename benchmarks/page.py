"""Run every benchmark and write benchmarks/README.md with what they print: python benchmarks/page.py, or make bench

Each section is the output of one command, which stands beside it. It takes about 12 minutes of two quiet cores, and 25 more
with --long. What does not run is kept as the page has it: all 2**32 steps without --long, the GPU's part without a GPU, and
with --only what it does not name.
"""

import argparse
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from tqdm import tqdm

HERE = Path(__file__).parent
PAGE = HERE / "README.md"


@dataclass(frozen=True)
class Section:
    title: str
    command: str
    about: str
    picture: str = ""
    when: Literal["always", "long", "gpu"] = "always"


SECTIONS = [
    Section(
        "Exactness",
        "exactness.py --seeds 260",
        "Against mpmath at 300 bits. torch's schedulers are Python doubles on the host, one step at a time; Cerebras' are\n"
        "its formulas in float32; optax has no step past 2^31 - 1. A dash: the library has no such curve.",
        "![Distance from the exact cosine, in float32 units, near its end](exactness.svg)",
    ),
    Section(
        "Every step",
        "every_step.py --curve cosine",
        "All of a schedule of 2^32 steps: float64 against C, and against 80-bit numpy; mpmath decides where that differs.",
        when="long",
    ),
    Section(
        "A step of training",
        "train_step.py",
        "Medians of ratios, quartiles in brackets. (a), (b): AdamW's update and the schedule in one compiled region; (c):\n"
        "eager steps; (d): what the schedule adds, once.",
    ),
    Section(
        "Beside torch's LRScheduler",
        "beside_torch.py",
        "The table of the README. A time is the least of its rounds, a ratio their median.",
    ),
    Section("A whole curve", "curve.py", "optax and Keras compute in float32, which is half the work."),
    Section(
        "Lowering",
        "lowering.py",
        "Processor time. What the ratio to the naive cosine buys is its last digits, which are wrong by 100 % (above). One\n"
        "call from Python is mostly the call. The bits, on every target: `python benchmarks/verify.py`, in\n"
        "[docs/lowering.md](../docs/lowering.md).",
    ),
    Section("Import", "import_time.py", ""),
    Section("On a GPU", "gpu.py", "", when="gpu"),
]
HEAD = """# Benchmarks

`make bench` writes this page; each section is what the command beside it printed, run on {machine}.
Compare ratios, which are of variants that took turns in one process; times are of that machine. Nothing here is a test.
"""


def printed(command: str) -> str:
    """Return what a benchmark prints."""
    done = subprocess.run([sys.executable, *f"{HERE}/{command}".split()], stdout=subprocess.PIPE, text=True, check=True)
    text = done.stdout.strip()
    return text if "|---" in text else f"```text\n{text}\n```"


def kept(title: str) -> str:
    """Return a section as the page has it."""
    found = re.search(rf"^## {title}: .*?(?=^## |\Z)", PAGE.read_text(), re.M | re.S)
    return found.group().strip() if found else f"## {title}: not run yet"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="go through all 2**32 steps of a cosine too")
    parser.add_argument(
        "--only", nargs="+", choices=[section.title for section in SECTIONS], help="run these sections alone"
    )
    options = parser.parse_args()
    runs = {"always": True, "long": options.long or options.only, "gpu": torch.cuda.is_available()}
    machine = f"{platform.machine()}, torch {torch.__version__.split('+')[0]}, Python {platform.python_version()}"
    parts = [HEAD.format(machine=machine)]
    for section in tqdm(SECTIONS, disable=None):
        if not runs[section.when] or (options.only and section.title not in options.only):
            parts.append(kept(section.title) + "\n")
            continue
        body = [
            f"## {section.title}: `python benchmarks/{section.command}`",
            section.about,
            printed(section.command),
            section.picture,
        ]
        parts.append("\n\n".join(part for part in body if part) + "\n")
    subprocess.run([sys.executable, HERE / "pictures.py"], check=True)
    PAGE.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
