"""`from_torch` of the factories of transformers and diffusers, and of functions that take branches on the step."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

from tracelr import WSD, Constant, Cosine, Linear, Polynomial, Schedule, from_torch
from tracelr.errors import TraceError

RATE = 0.3
pytestmark = pytest.mark.usefixtures("quiet_torch")


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)


def check(scheduler: LambdaLR, last: int = 250) -> Schedule:
    """Return the schedule, which has the values of the function at each step, also past the end."""
    found = from_torch(scheduler)
    assert isinstance(found, Schedule)
    steps = range(last)
    theirs = torch.tensor([RATE * float(scheduler.lr_lambdas[0](step)) for step in steps], dtype=torch.float64)
    assert torch.allclose(found(steps).double(), theirs, rtol=1e-6, atol=1e-8)  # one rounding to float32
    return found


MIN = "get_cosine_with_min_lr_schedule_with_warmup"
CASES = [
    ("get_constant_schedule", {}),
    *[
        (name, {"num_warmup_steps": warm, **more})
        for warm in (0, 1, 10)
        for name, more in [
            ("get_constant_schedule_with_warmup", {}),
            ("get_linear_schedule_with_warmup", {"num_training_steps": 100}),
            ("get_cosine_schedule_with_warmup", {"num_training_steps": 100}),
            ("get_cosine_schedule_with_warmup", {"num_training_steps": 100, "num_cycles": 1.5}),
            ("get_cosine_with_hard_restarts_schedule_with_warmup", {"num_training_steps": 100, "num_cycles": 3}),
            ("get_polynomial_decay_schedule_with_warmup", {"num_training_steps": 100, "power": 2.0}),
            ("get_inverse_sqrt_schedule", {}),
            ("get_inverse_sqrt_schedule", {"timescale": 50}),
            (MIN, {"num_training_steps": 100, "min_lr": 0.01}),
            (f"{MIN}_lr_rate", {"num_training_steps": 100, "min_lr_rate": 0.1}),
            (f"{MIN}_lr_rate", {"num_training_steps": 100, "min_lr": 0.01, "warmup_lr_rate": 0.2}),
            ("get_wsd_schedule", {"num_decay_steps": 20, "num_training_steps": 100}),
            (
                "get_wsd_schedule",
                {"num_decay_steps": 20, "num_stable_steps": 5, "decay_type": "1-sqrt", "min_lr_ratio": 0.1},
            ),
        ]
    ],
]


@pytest.mark.parametrize(("name", "given"), CASES)
def test_every_factory_of_transformers(name: str, given: dict[str, Any]) -> None:
    factories = pytest.importorskip("transformers.optimization")
    found = check(getattr(factories, name)(optimizer(), **given))
    assert "Lambda" not in repr(found)  # it is read, and not only traced


def test_the_schedules_are_those_that_a_person_would_write() -> None:
    factories = pytest.importorskip("transformers.optimization")
    made = from_torch(factories.get_linear_schedule_with_warmup(optimizer(), 10, 100))
    assert made == Linear(0.0, RATE, 10) | Linear(RATE, 0.0, 90)
    made = from_torch(factories.get_wsd_schedule(optimizer(), 10, 20, num_training_steps=100))
    assert made == WSD(RATE, 10, 70, 20, decay_kind="cosine")
    made = from_torch(factories.get_polynomial_decay_schedule_with_warmup(optimizer(), 0, 100, power=2.0))
    assert made == Polynomial(RATE, 1e-7, 100, 2.0)


def get_cosine_schedule_with_warmup(
    o: Any, num_warmup_steps: int, num_training_steps: int, num_cycles: float = 0.5
) -> LambdaLR:
    """As in diffusers, and in transformers before 4.25: a function that closes over the arguments."""

    def lr_lambda(current_step: int) -> float:
        if current_step < num_warmup_steps:
            return float(current_step) / float(max(1, num_warmup_steps))
        progress = float(current_step - num_warmup_steps) / float(max(1, num_training_steps - num_warmup_steps))
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * float(num_cycles) * 2.0 * progress)))

    return LambdaLR(o, lr_lambda)


def get_linear_schedule_with_warmup(o: Any, num_warmup_steps: int, num_training_steps: int) -> LambdaLR:
    """It has the name of a factory, and another curve."""

    def lr_lambda(current_step: int) -> float:
        return 0.5 if current_step < num_warmup_steps else num_training_steps / (num_training_steps + current_step)

    return LambdaLR(o, lr_lambda)


def get_piecewise_constant_schedule(o: Any, step_rules: str) -> LambdaLR:
    """As in diffusers."""
    rules = {int(rule.split(":")[1]): float(rule.split(":")[0]) for rule in step_rules.split(",")[:-1]}

    def create_rules_function(rules_dict: dict[int, float], last_lr_multiple: float) -> Callable[[int], float]:
        def rule_func(steps: int) -> float:
            sorted_steps = sorted(rules_dict.keys())
            for i, sorted_step in enumerate(sorted_steps):
                if steps < sorted_step:
                    return rules_dict[sorted_steps[i]]
            return last_lr_multiple

        return rule_func

    return LambdaLR(o, create_rules_function(rules, float(step_rules.split(",")[-1])))


def test_functions_that_close_over_their_arguments() -> None:
    assert "CosineWaves" in repr(check(get_cosine_schedule_with_warmup(optimizer(), 10, 100)))
    assert "PiecewiseConstant" in repr(check(get_piecewise_constant_schedule(optimizer(), "1:10,0.1:20,0.01:30,0.005")))


def test_a_name_alone_is_not_believed() -> None:
    assert "Lambda" in repr(check(get_linear_schedule_with_warmup(optimizer(), 10, 100)))


# -- functions that take branches -----------------------------------------------------------------------------------------

WARM, TOTAL = 10, 100


class Settings:
    rate, warm, decay, low = 6e-4, 10, 100, 6e-5

    def factor(self, step: int) -> float:
        """As nanoGPT's get_lr, divided by the peak."""
        if step < self.warm:
            return (step + 1) / (self.warm + 1)
        if step > self.decay:
            return self.low / self.rate
        ratio = (step - self.warm) / (self.decay - self.warm)
        assert 0 <= ratio <= 1
        return (self.low + 0.5 * (1.0 + math.cos(math.pi * ratio)) * (self.rate - self.low)) / self.rate

    __call__ = factor


def timm_like(epoch: int) -> float:
    if epoch < WARM:
        return (epoch + 1) / WARM
    t = min((epoch - WARM) / (TOTAL - WARM), 1)
    return 0.5 * (1 + math.cos(math.pi * t))


def stairs(step: int) -> float:
    factor: float = 1.0
    if 30 <= step < 200 and step != 31:
        factor *= 0.1
    if not step < 60:
        factor *= 0.1
    return factor


def of_two(step: int, *, warm: int, total: int) -> float:
    return step / warm if step < warm else max(0.0, (total - step) / (total - warm))


def calls_another(step: int) -> float:
    return 0.5 * timm_like(step) + 0.01 * int(step / 7)


short = lambda step: min(1.0, (step + 1) / WARM)  # noqa: E731
longer = lambda step: (step + 1) / WARM if step < WARM else 0.95 ** (step - WARM)  # noqa: E731
FUNCTIONS = [
    timm_like,
    stairs,
    partial(of_two, warm=5, total=50),
    calls_another,
    Settings().factor,
    Settings(),
    short,
    longer,
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_with_branches(function: Callable[[int], float]) -> None:
    found = check(LambdaLR(optimizer(), function))
    steps = torch.arange(120)
    assert torch.equal(torch.compile(found, backend="aot_eager", fullgraph=True)(steps), found(steps))
    assert found(steps.reshape(2, 60)).shape == (2, 60)
    assert torch.equal(pickle.loads(pickle.dumps(found))(steps), found(steps))


def counts(step: int) -> float:
    for _ in range(step):
        pass
    return 1.0


NOISY = [1.0]


def has_a_state(step: int) -> float:
    NOISY[0] *= 0.99
    return NOISY[0] if step < 5 else 1.0


@pytest.mark.parametrize("function", [counts, has_a_state, lambda step: [1.0, 0.5][step] if step < 2 else 1.0])
def test_what_is_not_a_formula_is_refused(function: Callable[[int], float]) -> None:
    with pytest.raises(TraceError):
        from_torch(LambdaLR(optimizer(), function))


def test_what_was_traced_before_stays_as_it_was() -> None:
    assert from_torch(LambdaLR(optimizer(), lambda step: 1.0)) == Constant(RATE)
    assert repr(from_torch(LambdaLR(optimizer(), lambda step: 0.95**step))).startswith("Lambda(")
    assert isinstance(Cosine(1.0, 0.0, 4), Schedule)
