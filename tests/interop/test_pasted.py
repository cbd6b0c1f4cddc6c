"""Pasted lines of code, against what the code itself makes."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import optax
import pytest
import torch
import transformers
from support.peers import keras as peers_keras

from tracelr.errors import ConfigError
from tracelr.interop import pasted

KERAS_NAMES = SimpleNamespace(optimizers=SimpleNamespace(schedules=peers_keras.schedules))
STEPS = [0, 1, 9, 10, 11, 50, 99, 100, 101, 300]
OPTAX = [
    "optax.warmup_cosine_decay_schedule(0.0, 6e-4, 10, 100, end_value=6e-5, exponent=1.5)",
    "optax.cosine_decay_schedule(1e-3, 100, alpha=0.1)",
    "optax.linear_schedule(1e-3, 1e-4, transition_steps=90, transition_begin=10)",
    "optax.polynomial_schedule(init_value=1e-3, end_value=1e-4, power=2, transition_steps=90, transition_begin=5)",
    "optax.exponential_decay(1e-3, 10, 0.5, transition_begin=9, staircase=True, end_value=1e-4)",
    "optax.piecewise_constant_schedule(1.0, {10: 0.5, 100: 0.1})",
    "optax.warmup_constant_schedule(0.0, 1e-3, 50)",
    "optax.warmup_exponential_decay_schedule(0.0, 1e-3, 10, transition_steps=50, decay_rate=0.5)",
    "optax.join_schedules([optax.linear_schedule(0.0, 1e-3, 10), optax.constant_schedule(1e-3)], [10])",
]
KERAS = [
    "keras.optimizers.schedules.CosineDecay(1e-4, decay_steps=90, alpha=0.1, warmup_target=1e-3, warmup_steps=10)",
    "keras.optimizers.schedules.ExponentialDecay(1e-3, 10, 0.5, staircase=True)",
]
TORCH = [
    "torch.optim.lr_scheduler.StepLR(optimizer, 10, gamma=0.5)",
    "torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[10, 100])",
    "torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100, eta_min=1e-5)",
    "torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=50)",
    "torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=400)",
    "torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 10, T_mult=2)",
    "transformers.get_cosine_schedule_with_warmup(optimizer, 10, 400)",
    "transformers.get_linear_schedule_with_warmup(optimizer, num_warmup_steps=10, num_training_steps=400)",
    "transformers.get_inverse_sqrt_schedule(optimizer, 10)",
]


@pytest.mark.parametrize("line", [*OPTAX, *KERAS])
def test_a_line_of_optax_or_keras(line: str) -> None:
    theirs = eval(line, {"optax": optax, "keras": KERAS_NAMES})  # the lines above
    schedule = pasted.read(line, {})
    for step in STEPS:
        assert float(schedule(step)) == pytest.approx(float(theirs(step)), abs=2e-6 * float(theirs(10) or 1e-3) * 10)


@pytest.mark.parametrize("line", TORCH)
def test_a_line_of_torch_or_transformers(line: str) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1e-3)
    theirs = eval(line, {"torch": torch, "transformers": transformers, "optimizer": optimizer})  # as above
    schedule = pasted.read(line, {"lr": 1e-3})
    peak = 0.1 if "OneCycle" in line else 1e-3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for step in range(301):
            if step in STEPS:
                assert float(schedule(step)) == pytest.approx(theirs.get_last_lr()[0], abs=2e-6 * peak), step
            optimizer.step()
            theirs.step()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("optax.cosine_decay_schedule(1e-3)", "cosine_decay_schedule without decay_steps"),
        ("optax.sgdr_schedule([])", "allowed: constant_schedule"),
        ("optax.cosine_decay_schedule(1e-3, open('x'))", "given {'()': 'open'"),
        ("optax.cosine_decay_schedule(1e-3, 10, 0, 1, 2)", "given 5 arguments"),
        ("optax.cosine_decay_schedule(1e-3, init_value=1)", "given init_value twice"),
        ("torch.optim.lr_scheduler.StepLR(optimizer, 10)", "--set lr=VALUE"),
        ("torch.optim.lr_scheduler.StepLR(optimizer, 10", "Python that cannot be parsed"),
        ("torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1)", "given 'LambdaLR'"),
    ],
)
def test_what_a_line_lacks(line: str, says: str) -> None:
    assert pasted.matches(line)
    with pytest.raises(ConfigError) as caught:
        pasted.read(line, {})
    assert says in str(caught.value)


def test_the_rate_of_an_optimizer_in_the_line() -> None:
    line = "torch.optim.lr_scheduler.StepLR(torch.optim.AdamW(model.parameters(), lr=0.5), 10)"
    assert float(pasted.read(line, {})(0)) == 0.5
    assert float(pasted.read(line.replace("lr=0.5", "eps=1e-8"), {})(0)) == pytest.approx(1e-3)
