"""What `import tracelr` and its first name add to `import torch`: python benchmarks/import_time.py

The import is timed inside a fresh process, after torch; the median of many processes is printed, beside torch's own.
"""

import os
import statistics
import subprocess
import sys

CODE = """
from time import perf_counter as now
a = now(); import torch; b = now(); import tracelr; tracelr.Scheduler; c = now()
print(b - a, c - b)
"""


def main(runs: int = 15) -> None:
    times = []
    cached = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(runs):
        done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=cached)
        times.append([float(part) * 1e3 for part in done.stdout.split()])
    torch_ms, ours_ms = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = ours_ms / torch_ms
    more = f"tracelr and its first name {ours_ms:.1f} ms more"
    print(f"import torch {torch_ms:.0f} ms, {more}: a ratio of {ratio:.3f} ({runs} runs)")


if __name__ == "__main__":
    main()
