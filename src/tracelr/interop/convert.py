"""Writes a schedule for another library: a configuration that it loads, or code that runs without tracelr."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tracelr.errors import ConfigError, suggest
from tracelr.interop import training
from tracelr.interop._tools.units import Units
from tracelr.interop.cerebras import write as cerebras
from tracelr.interop.keras import write as keras
from tracelr.interop.native import write as native
from tracelr.interop.optax import write as optax
from tracelr.interop.torch import write as torch
from tracelr.schedules.assignment import Loaded

TRAINING = {name: partial(training.write, to=name) for name in training.WRITTEN}

WRITERS: dict[str, Callable[[Loaded], str]] = {
    "native": native.write,
    "cerebras": cerebras.write,
    "optax": optax.write,
    "keras": keras.write,
    "torch": torch.write,
    **TRAINING,
}
"""The function that writes each format."""


def convert(found: Loaded, to: str, units: Units | None = None) -> str:
    """Return a schedule, or a list of assignments, as text in the format `to`.

    "native" and "cerebras" are YAML, "keras" is JSON for `keras.optimizers.schedules.deserialize`, "optax" and "torch" are
    Python files that define `schedule`; "huggingface", "deepspeed", "torchtitan", "megatron", "mmengine" and "timm" are
    settings of these frameworks, which are read back and compared before they are returned. `units.steps_per_epoch` is the
    length of timm's epochs; without it an epoch is as long as the schedule allows. The values are the same, up to the
    rounding of the other library; the torch code gives the same bits.

    Raises `ConfigError` that names what the format cannot express.

    >>> from tracelr import Linear
    >>> print(convert(Linear(start=0.0, end=0.5, steps=10), "native"), end="")
    schedule: Linear
    start: 0.0
    end: 0.5
    steps: 10
    """
    if to not in WRITERS:
        raise ConfigError("convert(to)", to, ", ".join(WRITERS), suggest(to, WRITERS))
    return TRAINING[to](found, units) if to in TRAINING else WRITERS[to](found)
