"""Parameters of the demo training, read from a Cerebras-style params.yaml."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch

from tracelr.interop import load as config
from tracelr.interop._tools.checks import Place, count, number
from tracelr.interop._tools.yaml import read
from tracelr.schedules.base import Schedule
from tracelr.schedules.fields import named

_OPTIMIZERS = ("AdamW", "SGD")
_Reader = Callable[[Place, Any], Any]


def _count(low: int, most: int | None = None) -> _Reader:
    def read_count(place: Place, given: Any) -> int:
        value = count(place, given, low=low)
        if most is not None and value > most:
            raise place.refuse(given, f"at most {most}", "write a smaller number")
        return value

    return read_count


def _not_negative(place: Place, given: Any) -> float:
    value = number(place, given)
    if value < 0:
        raise place.refuse(given, "a number of 0 or more", "write one")
    return value


def _optimizer(place: Place, given: Any) -> str:
    if not named(given, _OPTIMIZERS):
        raise place.refuse(given, " or ".join(_OPTIMIZERS), "use one of these names")
    return str(given)


def _any(place: Place, given: Any) -> Any:
    return given


_KEYS: dict[str, dict[str, tuple[Any, _Reader]]] = {
    "optimizer": {
        "optimizer_type": ("AdamW", _optimizer),
        "learning_rate": (None, _any),  # `config` reads these two
        "disable_lr_steps_reset": (False, _any),
        "weight_decay": (0.0, _not_negative),
        "momentum": (0.0, _not_negative),
    },
    "model": {"hidden_size": (64, _count(1, 2**16))},  # a layer that fits into memory
    "train_input": {"batch_size": (64, _count(1))},
    "runconfig": {
        "max_steps": (None, _count(1)),
        "checkpoint_steps": (100, _count(1)),
        "seed": (0, _count(0, 2**32 - 1)),  # what NumPy takes
    },
}
"""Every key of each section, with its default and what reads it."""


@final
@dataclass(frozen=True)
class Params:
    """What to train and for how long: sections `optimizer`, `model`, `train_input` and `runconfig` of a YAML file.

    `optimizer.learning_rate` and `runconfig.max_steps` are needed; every other key has a default.
    """

    name: str
    schedule: Schedule
    values: Mapping[str, Any]

    @classmethod
    def read(cls, path: str | Path) -> Params:
        """Read the YAML file at `path`.

        Raises `ConfigError`, which names the file, the key and the allowed values.
        """
        mapping = read(path)
        schedule = config.single(config.from_dict(mapping, str(path)), str(path))
        place = Place(str(path))
        _known(place, mapping, _KEYS)
        values: dict[str, Any] = {}
        for name, keys in _KEYS.items():
            given = mapping.get(name, {})
            if not isinstance(given, Mapping):
                raise (place / name).refuse(given, "a mapping", "write its keys below it")
            _known(place / name, given, keys)
            values |= {key: reader(place / name / key, given.get(key, default)) for key, (default, reader) in keys.items()}
        return cls(str(path), schedule, values)

    def __getitem__(self, key: str) -> Any:
        """Return the value of a key such as "max_steps"."""
        return self.values[key]

    @property
    def text(self) -> str:
        """What the weights depend on, in one line: a checkpoint is resumed only with the same text.

        The length of the run, and how often it saves, may change.
        """
        aside = ("learning_rate", "max_steps", "checkpoint_steps")
        return repr(({key: value for key, value in self.values.items() if key not in aside}, self.schedule))

    def optimizer(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer; the schedule replaces its learning rate."""
        if self["optimizer_type"] == "SGD":
            return torch.optim.SGD(parameters, lr=0.1, momentum=self["momentum"], weight_decay=self["weight_decay"])
        return torch.optim.AdamW(parameters, lr=0.1, weight_decay=self["weight_decay"])


def _known(place: Place, given: Mapping[str, Any], allowed: Mapping[str, Any]) -> None:
    for key in given:
        if key not in allowed:
            raise place.refuse(key, ", ".join(allowed), "remove the key, or correct its name")
