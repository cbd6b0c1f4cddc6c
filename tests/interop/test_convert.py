"""Every row of the table in every format: loaded or run in that library, it has the same values; otherwise it is refused."""

from __future__ import annotations

import json
import os
import random
import warnings
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from support.table import ROWS, SOME

import tracelr
from tracelr import Assignment, Cosine, Linear, Noise, Schedule
from tracelr.errors import ConfigError
from tracelr.interop import training
from tracelr.interop.convert import WRITERS, convert
from tracelr.lowering import dump

REFUSED = {"native": {"lambda"}, "torch": set[str]()}
WRITTEN = {"cerebras": 25, "optax": 23, "keras": 15}  # how many rows each format can express
LARGEST = 2**24  # float32 counts steps no further; optax and Keras compute in it


def steps_of(name: str, most: int) -> list[int]:
    """Return both sides of every end, and random steps."""
    row = ROWS[name]
    draw = random.Random(0)
    last = min(max([*row.ends, 10]), most)
    near = {min(max(end + d, 0), most) for end in (0, *row.ends) for d in (-1, 0, 1)}
    return sorted({*near, *(draw.randrange(last) for _ in range(40)), min(last + last // 3, most)})


def written(name: str, to: str) -> str | None:
    try:
        return convert(ROWS[name].schedule, to)
    except ConfigError as error:
        message = str(error)
    assert message.startswith(f"convert to {to}: given ")
    assert message.endswith("; to fix it: leave it out, or convert to another format.")
    return None


def apart(schedule: Schedule, steps: list[int], theirs: Any) -> float:
    """Return the largest difference as a part of the largest value."""
    ours = schedule(torch.tensor(steps)).double()
    return float((ours - torch.tensor(np.asarray(theirs, dtype=np.float64))).abs().max() / ours.abs().max())


@pytest.mark.parametrize("name", ROWS)
def test_native_reads_back(name: str) -> None:
    text = written(name, "native")
    assert (text is None) == (name in REFUSED["native"])
    if text is not None:
        assert tracelr.from_dict(yaml.safe_load(text)).to_dict() == ROWS[name].schedule.to_dict()


@pytest.mark.parametrize("name", ROWS)
def test_cerebras_reads_back(name: str) -> None:
    text = written(name, "cerebras")
    if text is not None:
        steps = steps_of(name, 2**53)
        back = tracelr.from_dict(yaml.safe_load(text))
        assert isinstance(back, Schedule)
        assert apart(ROWS[name].schedule, steps, back(torch.tensor(steps))) <= 1.2e-7  # a bit of float32


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in SOME else pytest.mark.slow) for n in ROWS])
def test_the_code_for_torch_runs_without_tracelr(name: str) -> None:
    text = written(name, "torch")
    assert (text is None) == (name in REFUSED["torch"])
    if text is None:
        return
    assert "import tracelr" not in text
    names: dict[str, Any] = {}
    exec(compile(text, "schedule.py", "exec", dont_inherit=True), names)
    steps = steps_of(name, 2**53)
    assert [names["rate"](step) for step in steps] == ROWS[name].schedule(torch.tensor(steps)).tolist()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = names["schedule"](optimizer)
    for step in range(3):
        assert optimizer.param_groups[0]["lr"] == names["rate"](step)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("name", ["piecewise_constant", "multi_step", "warm_restarts_growing", "cosine", "noise_normal"])
def test_the_code_for_torch_runs_under_any_default_device(name: str) -> None:
    text, names, schedule = convert(ROWS[name].schedule, "torch"), dict[str, Any](), ROWS[name].schedule
    torch.set_default_device("meta")
    try:
        exec(compile(text, "schedule.py", "exec", dont_inherit=True), names)
        found = [names["rate"](step) for step in (0, 1, 10, 1000)]
    finally:
        torch.set_default_device(None)
    assert found == schedule(torch.tensor([0, 1, 10, 1000])).tolist()


@pytest.mark.parametrize("to", ["native", "cerebras", "keras", "optax"])
@pytest.mark.parametrize("name", ["piecewise_constant", "multi_step"])
def test_a_default_device_changes_no_text(name: str, to: str) -> None:
    expected = written(name, to)
    with torch.device("meta"):
        assert written(name, to) == expected


@pytest.mark.parametrize("name", ROWS)
def test_the_code_for_optax_runs_without_tracelr(name: str) -> None:
    text = written(name, "optax")
    if text is None:
        return
    assert "import tracelr" not in text
    names: dict[str, Any] = {}
    exec(compile(text, "schedule.py", "exec", dont_inherit=True), names)
    import jax.numpy as jnp

    steps = steps_of(name, LARGEST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = np.broadcast_to(names["schedule"](jnp.asarray(steps, jnp.int32)), (len(steps),))
    assert apart(ROWS[name].schedule, steps, theirs) <= 5e-6  # float32 throughout


@pytest.mark.parametrize("name", ROWS)
def test_keras_loads_the_config(name: str) -> None:
    text = written(name, "keras")
    if text is None:
        return
    os.environ.setdefault("KERAS_BACKEND", "torch")  # before keras is imported
    import keras

    config = json.loads(text)
    theirs = keras.optimizers.schedules.deserialize(config)
    steps = steps_of(name, LARGEST)
    assert apart(ROWS[name].schedule, steps, [float(theirs(step)) for step in steps]) <= 5e-6  # float32 throughout
    back = tracelr.from_dict(config)
    assert isinstance(back, Schedule)
    assert apart(ROWS[name].schedule, steps, back(torch.tensor(steps))) <= 1.2e-7


@pytest.mark.parametrize("to", WRITTEN)
def test_each_format_expresses_this_many_rows(to: str) -> None:
    assert sum(written(name, to) is not None for name in ROWS) >= WRITTEN[to]


RUN = Linear(0.0, 3e-4, 2000).then(Cosine(3e-4, 3e-5, 98000))
OPTAX = """\
\"\"\"A learning-rate schedule for optax, from tracelr: Sequential.\"\"\"

import optax

schedule = optax.join_schedules(
    schedules=[
        optax.linear_schedule(init_value=0.0, end_value=0.0003, transition_steps=2000),
        optax.cosine_decay_schedule(init_value=0.0003, decay_steps=98000, alpha=0.1),
    ],
    boundaries=[2000],
)
"""
TORCH = """\
\"\"\"A learning-rate schedule for torch, from tracelr: lr(step) has the bits of the schedule below.\"\"\"
# {schedule}

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

{code}

def rate(t: int) -> float:
    \"\"\"Return the learning rate at step t.\"\"\"
    return float(lr(torch.tensor(t, device="cpu")))


def schedule(optimizer: Optimizer) -> LambdaLR:
    \"\"\"Return the scheduler: its step() comes after optimizer.step(), every iteration.\"\"\"
    for group in optimizer.param_groups:
        group["lr"] = 1.0  # LambdaLR multiplies it
    return LambdaLR(optimizer, rate)
"""
KERAS = """\
{
  "module": "keras.optimizers.schedules",
  "class_name": "CosineDecay",
  "config": {
    "initial_learning_rate": 0.0,
    "decay_steps": 98000,
    "alpha": 0.1,
    "warmup_target": 0.0003,
    "warmup_steps": 2000
  },
  "registered_name": null
}
"""
CEREBRAS = """\
trainer:
  init:
    schedulers:
    - SequentialLR:
        schedulers:
        - LinearLR:
            initial_learning_rate: 0.0
            end_learning_rate: 0.0003
            total_iters: 2000
        - CosineDecayLR:
            initial_learning_rate: 0.0003
            end_learning_rate: 3.0e-05
            total_iters: 98000
        milestones:
        - 2000
"""


def test_the_text_of_each_format() -> None:
    assert convert(RUN, "optax") == OPTAX
    code = "aten = " + dump(RUN, "code").partition("aten = ")[2]
    assert convert(RUN, "torch") == TORCH.format(schedule=repr(RUN), code=code)
    assert convert(RUN, "keras") == KERAS
    assert convert(RUN, "cerebras") == CEREBRAS


@pytest.mark.parametrize("to", [to for to in WRITERS if to != "native" and to not in training.WRITTEN])
def test_a_warmup_becomes_a_sequence(to: str) -> None:
    warm = Cosine(3e-4, 3e-5, 98000).warmup(2000)
    if to != "torch":
        assert convert(warm, to).replace("Product", "Sequential") == convert(RUN, to)


def test_assignments_keep_their_tags_in_cerebras_and_native() -> None:
    found = [
        Assignment("lr", ("a", None), RUN, "adjust_learning_rate"),
        Assignment("weight_decay", None, Linear(0.0, 0.1, 10)),
    ]
    for to in ("native", "cerebras"):
        back = tracelr.from_dict(yaml.safe_load(convert(found, to)))
        assert [one.to_dict() for one in back] == [one.to_dict() for one in found]


@pytest.mark.parametrize(
    ("found", "to", "message"),
    [
        (
            Noise(seed=1, spread=0.1),
            "optax",
            "convert to optax: given Noise(seed=1, spread=0.1, kind='uniform', limit=3.0); allowed: what optax can express at every step; to fix it: leave it out, or convert to another format.",
        ),
        (
            tracelr.Constant(0.1),
            "keras",
            "convert to keras: given Constant(value=0.1); allowed: what keras can express at every step; to fix it: leave it out, or convert to another format.",
        ),
        (
            Linear(0.0, torch.tensor(1.0), 4),
            "torch",
            "convert to torch: given Linear(start=0.0, end=tensor(1.), steps=4), which has a tensor for a number; allowed: what torch can express at every step; to fix it: leave it out, or convert to another format.",
        ),
        (
            [Assignment("betas[0]", None, RUN)],
            "cerebras",
            "convert to cerebras: given 'betas[0]', a key that is not lr or weight_decay; allowed: what cerebras can express at every step; to fix it: leave it out, or convert to another format.",
        ),
        (
            [Assignment("lr", ("a",), RUN), Assignment("lr", ("b",), RUN)],
            "torch",
            "convert to torch: given 2 assignments; allowed: one of: lr of groups with 'a'; lr of groups with 'b'; to fix it: pass --key and --tag of one of these.",
        ),
        (
            RUN,
            "mxnet",
            "convert(to): given 'mxnet'; allowed: native, cerebras, optax, keras, torch, huggingface, deepspeed, torchtitan, megatron, mmengine, timm; to fix it: use one of these names.",
        ),
    ],
)
def test_the_error_names_what_a_format_cannot_express(found: Any, to: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        convert(found, to)
    assert str(caught.value) == message


def test_a_formula_that_cannot_be_traced_is_an_error_of_the_conversion() -> None:
    class ConvertedBranches(Schedule):
        def forward(self, step: Any, ops: Any) -> Any:
            return ops.full(step, 1.0 if step > 3 else 0.5)

    with pytest.raises(
        ConfigError,
        match=r"^convert to torch: ConvertedBranches.forward, .*: given the truth of a tensor; .* in place of `if`",
    ):
        convert(ConvertedBranches(), "torch")
