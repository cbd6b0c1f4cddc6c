"""Rows for optax.schedules, run in JAX's float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax

from support.peers.peer import Peer

REASON = "their float32"


def values(theirs: str) -> Callable[[list[int]], Sequence[float]]:
    def run(steps: list[int]) -> list[float]:
        schedule = eval(theirs, dict(vars(optax.schedules)))
        found: list[float] = jax.vmap(lambda step: jnp.asarray(schedule(step), jnp.float32))(jnp.asarray(steps)).tolist()
        return found

    return run


def row(theirs: str, ours: str, ends: tuple[int, ...], tolerance: float = 1e-6, reason: str = REASON) -> Peer:
    return Peer("optax", theirs, ours, values(theirs), ends, tolerance, reason)


PEERS = [
    row("constant_schedule(value=0.1)", "Constant(0.1)", (10,)),
    row("linear_schedule(init_value=0.1, end_value=0.01, transition_steps=500)", "Linear(0.1, 0.01, 500)", (500,)),
    row(
        "linear_schedule(init_value=0.1, end_value=0.01, transition_steps=500, transition_begin=50)",
        "Shift(Linear(0.1, 0.01, 500), 50)",
        (50, 550),
    ),
    row("linear_schedule(init_value=0.1, end_value=0.01, transition_steps=0, transition_begin=50)", "Constant(0.1)", (50,)),
    row(
        "polynomial_schedule(init_value=0.1, end_value=0.01, power=1.5, transition_steps=500, transition_begin=-7)",
        "Polynomial(0.1, 0.01, 500, 1.5)",
        (500,),
    ),
    row(
        "exponential_decay(init_value=0.1, transition_steps=100, decay_rate=0.5)",
        "Exponential(0.1, 0.5, 100)",
        (100, 1000),
        1e-6,
    ),
    row(
        "exponential_decay(init_value=0.1, transition_steps=100, decay_rate=0.5, transition_begin=50, staircase=True, end_value=0.02)",
        "Clamp(Shift(Exponential(0.1, 0.5, 100, True), 50), low=0.02)",
        (50, 150, 350),
    ),
    row(
        "exponential_decay(init_value=0.1, transition_steps=100, decay_rate=2.0, end_value=0.5)",
        "Clamp(Exponential(0.1, 2.0, 100), high=0.5)",
        (100, 232),
    ),
    row("exponential_decay(init_value=0.1, transition_steps=100, decay_rate=0.0, end_value=0.5)", "Constant(0.1)", (100,)),
    row("cosine_decay_schedule(init_value=0.1, decay_steps=1000, alpha=0.1)", "Cosine(0.1, 0.1 * 0.1, 1000)", (1000,)),
    row(
        "piecewise_constant_schedule(init_value=0.1, boundaries_and_scales={300: 0.5, 100: 0.25, 400: 0.0})",
        "PiecewiseConstant([0.1, 0.025, 0.0125, 0.0], [100, 300, 400])",
        (100, 300, 400),
    ),
    row("piecewise_constant_schedule(init_value=0.1)", "PiecewiseConstant([0.1], [])", (10,)),
    row(
        'piecewise_interpolate_schedule(interpolate_type="linear", init_value=0.1, boundaries_and_scales={300: 0.5, 100: 2.0})',
        "Interpolate([0.1, 0.2, 0.1], [0, 100, 300])",
        (100, 300),
    ),
    row(
        'piecewise_interpolate_schedule(interpolate_type="cosine", init_value=0.1, boundaries_and_scales={0: 0.5, 100: 2.0})',
        'Interpolate([0.05, 0.1], [0, 100], "cosine")',
        (100,),
    ),
    row(
        "linear_onecycle_schedule(transition_steps=1000, peak_value=0.1)",
        "Interpolate([0.004, 0.1, 0.004, 0.1 / 250000], [0, 300, 850, 1000])",
        (300, 850, 1000),
    ),
    row(
        "cosine_onecycle_schedule(transition_steps=1000, peak_value=0.1, pct_start=0.25)",
        'Interpolate([0.004, 0.1, 0.1 / 250000], [0, 250, 1000], "cosine")',
        (250, 1000),
    ),
    row("warmup_constant_schedule(init_value=0.01, peak_value=0.1, warmup_steps=100)", "Linear(0.01, 0.1, 100)", (100,)),
    row(
        "warmup_cosine_decay_schedule(init_value=0.01, peak_value=0.1, warmup_steps=100, decay_steps=1000, end_value=0.02)",
        "Sequential([Linear(0.01, 0.1, 100), Cosine(0.1, 0.02, 900)], [100])",
        (100, 1000),
    ),
    row(
        "warmup_cosine_decay_schedule(init_value=0.01, peak_value=0.0, warmup_steps=10, decay_steps=100, end_value=0.02)",
        "Sequential([Linear(0.01, 0.0, 10), Cosine(0.0, 0.0, 90)], [10])",
        (10, 100),
    ),
    row(
        "warmup_exponential_decay_schedule(init_value=0.01, peak_value=0.1, warmup_steps=100, transition_steps=100, decay_rate=0.5, transition_begin=20, end_value=0.02)",
        "Sequential([Linear(0.01, 0.1, 100), Clamp(Shift(Exponential(0.1, 0.5, 100), 20), low=0.02)], [100])",
        (100, 120, 352),
    ),
    row(
        "join_schedules(schedules=[join_schedules(schedules=[constant_schedule(value=0.1), linear_schedule(init_value=0.5, end_value=0.25, transition_steps=100)], boundaries=[50]), cosine_decay_schedule(init_value=0.2, decay_steps=200)], boundaries=[120])",
        "Sequential([Sequential([Constant(0.1), Linear(0.5, 0.25, 100)], [50]), Cosine(0.2, 0.0, 200)], [120])",
        (50, 120, 320),
    ),
    row(
        'sgdr_schedule(cosine_kwargs=[{"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 20, "decay_steps": 200}, {"init_value": 0.0, "peak_value": 0.05, "warmup_steps": 0, "decay_steps": 400, "end_value": 0.01}])',
        "Sequential([Sequential([Linear(0.0, 0.1, 20), Cosine(0.1, 0.0, 180)], [20]), Cosine(0.05, 0.01, 400)], [200])",
        (20, 200, 600),
    ),
    row(
        "cosine_decay_schedule(init_value=0.1, decay_steps=1000, alpha=0.125, exponent=1.5)",
        "CosinePower(0.1, 0.0125, 1000, 1.5)",
        (1000,),
    ),
    row(
        "warmup_cosine_decay_schedule(init_value=0.01, peak_value=0.1, warmup_steps=100, decay_steps=1000, end_value=0.02, exponent=2.0)",
        "Sequential([Linear(0.01, 0.1, 100), CosinePower(0.1, 0.02, 900, 2.0)], [100])",
        (100, 1000),
    ),
]
