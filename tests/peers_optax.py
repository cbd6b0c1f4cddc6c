"""optax.schedules beside ours, run in JAX's float32, and read from mappings of the same arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from peer import Peer

import tracelr

REASON = "float32 there"


def made(call: dict[str, Any]) -> Callable[[Any], Any]:
    """Return optax's schedule of the call that a mapping describes."""
    arguments = {key: value for key, value in call.items() if key != "optax"}
    if "schedules" in arguments:
        arguments["schedules"] = [made(inner) for inner in arguments["schedules"]]
    schedule: Callable[[Any], Any] = getattr(optax.schedules, call["optax"])(**arguments)
    return schedule


def written(call: dict[str, Any]) -> str:
    """Return the call as Python."""

    def argument(value: Any) -> str:
        if isinstance(value, list):
            return "[" + ", ".join(map(argument, value)) + "]"
        return written(value) if isinstance(value, dict) and "optax" in value else repr(value)

    return f"{call['optax']}({', '.join(f'{key}={argument(v)}' for key, v in call.items() if key != 'optax')})"


def values(call: dict[str, Any]) -> Callable[[list[int]], Sequence[float]]:
    def run(steps: list[int]) -> list[float]:
        schedule = made(call)
        found: list[float] = jax.vmap(lambda step: jnp.asarray(schedule(step), jnp.float32))(jnp.asarray(steps)).tolist()
        return found

    return run


def row(call: dict[str, Any], ours: str, ends: tuple[int, ...], tolerance: float = 1e-6, reason: str = REASON) -> Peer:
    return Peer(
        "optax",
        written(call),
        ours,
        values(call),
        ends,
        tolerance,
        reason,
        lambda: tracelr.from_dict(call),  # type: ignore
    )


WARM: dict[str, Any] = {"init_value": 0.01, "peak_value": 0.1, "warmup_steps": 100}

PEERS = [
    row({"optax": "constant_schedule", "value": 0.1}, "Constant(0.1)", (10,)),
    row(
        {"optax": "linear_schedule", "init_value": 0.1, "end_value": 0.01, "transition_steps": 500},
        "Linear(0.1, 0.01, 500)",
        (500,),
    ),
    row(
        {"optax": "linear_schedule", "init_value": 0.1, "end_value": 0.01, "transition_steps": 500, "transition_begin": 50},
        "Shift(Linear(0.1, 0.01, 500), 50)",
        (50, 550),
    ),
    row(
        {"optax": "linear_schedule", "init_value": 0.1, "end_value": 0.01, "transition_steps": 0, "transition_begin": 50},
        "Constant(0.1)",
        (50,),
    ),
    row(
        {
            "optax": "polynomial_schedule",
            "init_value": 0.1,
            "end_value": 0.01,
            "power": 1.5,
            "transition_steps": 500,
            "transition_begin": -7,
        },
        "Polynomial(0.1, 0.01, 500, 1.5)",
        (500,),
    ),
    row(
        {"optax": "exponential_decay", "init_value": 0.1, "transition_steps": 100, "decay_rate": 0.5},
        "Exponential(0.1, 0.5, 100)",
        (100, 1000),
        1e-6,
    ),
    row(
        {
            "optax": "exponential_decay",
            "init_value": 0.1,
            "transition_steps": 100,
            "decay_rate": 0.5,
            "transition_begin": 50,
            "staircase": True,
            "end_value": 0.02,
        },
        "Clamp(Shift(Exponential(0.1, 0.5, 100, True), 50), low=0.02)",
        (50, 150, 350),
    ),
    row(
        {"optax": "exponential_decay", "init_value": 0.1, "transition_steps": 100, "decay_rate": 2.0, "end_value": 0.5},
        "Clamp(Exponential(0.1, 2.0, 100), high=0.5)",
        (100, 232),
    ),
    row(
        {"optax": "exponential_decay", "init_value": 0.1, "transition_steps": 100, "decay_rate": 0.0, "end_value": 0.5},
        "Constant(0.1)",
        (100,),
    ),
    row(
        {"optax": "cosine_decay_schedule", "init_value": 0.1, "decay_steps": 1000, "alpha": 0.1},
        "Cosine(0.1, 0.1 * 0.1, 1000)",
        (1000,),
    ),
    row(
        {
            "optax": "piecewise_constant_schedule",
            "init_value": 0.1,
            "boundaries_and_scales": {300: 0.5, 100: 0.25, 400: 0.0},
        },
        "PiecewiseConstant([0.1, 0.025, 0.0125, 0.0], [100, 300, 400])",
        (100, 300, 400),
    ),
    row({"optax": "piecewise_constant_schedule", "init_value": 0.1}, "PiecewiseConstant([0.1], [])", (10,)),
    row(
        {
            "optax": "piecewise_interpolate_schedule",
            "interpolate_type": "linear",
            "init_value": 0.1,
            "boundaries_and_scales": {300: 0.5, 100: 2.0},
        },
        "Interpolate([0.1, 0.2, 0.1], [0, 100, 300])",
        (100, 300),
    ),
    row(
        {
            "optax": "piecewise_interpolate_schedule",
            "interpolate_type": "cosine",
            "init_value": 0.1,
            "boundaries_and_scales": {0: 0.5, 100: 2.0},
        },
        'Interpolate([0.05, 0.1], [0, 100], "cosine")',
        (100,),
    ),
    row(
        {"optax": "linear_onecycle_schedule", "transition_steps": 1000, "peak_value": 0.1},
        "Interpolate([0.004, 0.1, 0.004, 0.1 / 250000], [0, 300, 850, 1000])",
        (300, 850, 1000),
    ),
    row(
        {"optax": "cosine_onecycle_schedule", "transition_steps": 1000, "peak_value": 0.1, "pct_start": 0.25},
        'Interpolate([0.004, 0.1, 0.1 / 250000], [0, 250, 1000], "cosine")',
        (250, 1000),
    ),
    row({"optax": "warmup_constant_schedule", **WARM}, "Linear(0.01, 0.1, 100)", (100,)),
    row(
        {"optax": "warmup_cosine_decay_schedule", **WARM, "decay_steps": 1000, "end_value": 0.02},
        "Sequential([Linear(0.01, 0.1, 100), Cosine(0.1, 0.02, 900)], [100])",
        (100, 1000),
    ),
    row(
        {
            "optax": "warmup_cosine_decay_schedule",
            "init_value": 0.01,
            "peak_value": 0.0,
            "warmup_steps": 10,
            "decay_steps": 100,
            "end_value": 0.02,
        },
        "Sequential([Linear(0.01, 0.0, 10), Cosine(0.0, 0.0, 90)], [10])",
        (10, 100),
    ),
    row(
        {
            "optax": "warmup_exponential_decay_schedule",
            **WARM,
            "transition_steps": 100,
            "decay_rate": 0.5,
            "transition_begin": 20,
            "end_value": 0.02,
        },
        "Sequential([Linear(0.01, 0.1, 100), Clamp(Shift(Exponential(0.1, 0.5, 100), 20), low=0.02)], [100])",
        (100, 120, 352),
    ),
    row(
        {
            "optax": "join_schedules",
            "schedules": [
                {
                    "optax": "join_schedules",
                    "schedules": [
                        {"optax": "constant_schedule", "value": 0.1},
                        {"optax": "linear_schedule", "init_value": 0.5, "end_value": 0.25, "transition_steps": 100},
                    ],
                    "boundaries": [50],
                },
                {"optax": "cosine_decay_schedule", "init_value": 0.2, "decay_steps": 200},
            ],
            "boundaries": [120],
        },
        "Sequential([Sequential([Constant(0.1), Linear(0.5, 0.25, 100)], [50]), Cosine(0.2, 0.0, 200)], [120])",
        (50, 120, 320),
    ),
    row(
        {
            "optax": "sgdr_schedule",
            "cosine_kwargs": [
                {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 20, "decay_steps": 200},
                {"init_value": 0.0, "peak_value": 0.05, "warmup_steps": 0, "decay_steps": 400, "end_value": 0.01},
            ],
        },
        "Sequential([Sequential([Linear(0.0, 0.1, 20), Cosine(0.1, 0.0, 180)], [20]), Cosine(0.05, 0.01, 400)], [200])",
        (20, 200, 600),
    ),
    row(
        {"optax": "cosine_decay_schedule", "init_value": 0.1, "decay_steps": 1000, "alpha": 0.125, "exponent": 1.5},
        "CosinePower(0.1, 0.0125, 1000, 1.5)",
        (1000,),
    ),
    row(
        {"optax": "warmup_cosine_decay_schedule", **WARM, "decay_steps": 1000, "end_value": 0.02, "exponent": 2.0},
        "Sequential([Linear(0.01, 0.1, 100), CosinePower(0.1, 0.02, 900, 2.0)], [100])",
        (100, 1000),
    ),
]
