"""A whole curve of a million steps at once: python benchmarks/curve.py

tracelr's `schedule(torch.arange(n))` against torch's scheduler stepped n times (timed over fewer steps and scaled), numpy's
closed form in float64 rounded to float32, and optax (jit, vmap) and Keras, which compute in float32. One thread; variants
take turns; medians. The last columns are tracelr's time as a part of torch's and of numpy's.
"""

import math
import os
import statistics
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")  # before keras is imported
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
import jax
import jax.numpy as jnp
import numpy as np
import torch
from keras.optimizers import schedules as keras
from optax import schedules as optax
from torch.optim import lr_scheduler as torchs

from tracelr import Cosine, Exponential, Linear, Schedule

N, WARM, PEAK, END = 1_000_000, 10_000, 1e-3, 1e-5
STEPPED = 20_000
COUNT, JAX_COUNT = np.arange(N), jnp.arange(N)


def numpy_cosine(t: Any, n: int) -> Any:
    return END + (PEAK - END) * 0.5 * (1 + np.cos(math.pi * np.minimum(t, n) / n))


def numpy_warm() -> Any:
    return np.where(COUNT < WARM, PEAK * COUNT / WARM, numpy_cosine(COUNT - WARM, N - WARM)).astype(np.float32)


Torch = Callable[[torch.optim.Optimizer], torchs.LRScheduler]
CURVES: dict[str, tuple[Schedule, Torch, Callable[[], Any], Callable[[Any], Any], Callable[[Any], Any] | None]] = {
    "linear": (
        Linear(PEAK, 0.0, N),
        lambda o: torchs.LinearLR(o, 1.0, 0.0, N),
        lambda: (PEAK * (1 - np.minimum(COUNT, N) / N)).astype(np.float32),
        optax.linear_schedule(PEAK, 0.0, N),
        keras.PolynomialDecay(PEAK, N, 0.0),
    ),
    "exponential": (
        Exponential(PEAK, 0.9, 10_000),
        lambda o: torchs.ExponentialLR(o, 0.9**1e-4),
        lambda: (PEAK * 0.9 ** (COUNT / 10_000)).astype(np.float32),
        optax.exponential_decay(PEAK, 10_000, 0.9),
        keras.ExponentialDecay(PEAK, 10_000, 0.9),
    ),
    "cosine": (
        Cosine(PEAK, END, N),
        lambda o: torchs.CosineAnnealingLR(o, N, END),
        lambda: numpy_cosine(COUNT, N).astype(np.float32),
        optax.cosine_decay_schedule(PEAK, N, END / PEAK),
        keras.CosineDecay(PEAK, N, END / PEAK),
    ),
    "warm-up, cosine": (
        Linear(0.0, PEAK, WARM).then(Cosine(PEAK, END, N - WARM)),
        lambda o: torchs.SequentialLR(
            o, [torchs.LinearLR(o, 1e-8, 1.0, WARM), torchs.CosineAnnealingLR(o, N - WARM, END)], [WARM]
        ),
        numpy_warm,
        optax.warmup_cosine_decay_schedule(0.0, PEAK, WARM, N, END),
        None,  # Keras' warm-up takes one step at a time
    ),
}


def stepped(build: Torch) -> float:
    """Return the seconds that torch's scheduler would take for N steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    scheduler, rates = build(optimizer), []
    start = perf_counter()
    for _ in range(STEPPED):
        rates.append(optimizer.param_groups[0]["lr"])
        scheduler.step()
    return (perf_counter() - start) * N / STEPPED


def medians(variants: dict[str, Callable[[], object]], rounds: int = 15) -> dict[str, float]:
    """Return the seconds of a call, the variants taking turns."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 2):
        for name, call in variants.items():
            start = perf_counter()
            call()
            if turn >= 2:
                times[name].append(perf_counter() - start)
    return {name: statistics.median(took) for name, took in times.items()}


def main() -> None:
    warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*before.*")
    torch.set_num_threads(1)
    steps = torch.arange(N)
    print(f"| {N:,} steps | tracelr | torch, stepped | numpy | optax | keras | to torch | to numpy |\n|{'---|' * 8}")
    for name, (ours, torch_build, by_numpy, by_optax, by_keras) in CURVES.items():
        compiled = jax.jit(jax.vmap(by_optax))
        variants: dict[str, Callable[[], object]] = {
            "tracelr": lambda ours=ours: ours(steps),
            "numpy": by_numpy,
            "optax": lambda compiled=compiled: compiled(JAX_COUNT).block_until_ready(),
        }
        if by_keras:
            variants["keras"] = lambda by_keras=by_keras: by_keras(steps)
        took = medians(variants)
        took["torch"] = statistics.median(stepped(torch_build) for _ in range(3))
        columns = ("tracelr", "torch", "numpy", "optax", "keras")
        cells = [f"{took[column] * 1e3:,.1f} ms" if column in took else "-" for column in columns]
        ratios = [f"1/{took['torch'] / took['tracelr']:,.0f}", f"{took['tracelr'] / took['numpy']:.2f}"]
        print(f"| {' | '.join([name, *cells, *ratios])} |")


if __name__ == "__main__":
    main()
