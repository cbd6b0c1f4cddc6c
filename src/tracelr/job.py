"""The parameters of the main job, read from a params file of the seed's kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch

from tracelr import config
from tracelr.dialects._values import Place, count, number
from tracelr.dialects._yaml import read
from tracelr.fields import named
from tracelr.schedule import Schedule

_OPTIMIZERS = {"AdamW": torch.optim.AdamW, "SGD": torch.optim.SGD}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "optimizer": {
        "optimizer_type": "AdamW",
        "learning_rate": None,
        "disable_lr_steps_reset": False,
        "weight_decay": 0.0,
        "momentum": 0.0,
    },
    "model": {"hidden_size": 64},
    "train_input": {"batch_size": 64},
    "runconfig": {"max_steps": None, "checkpoint_steps": 100, "seed": 0},
}
_LARGEST = {"hidden_size": 2**16, "seed": 2**32 - 1}  # a layer that fits into memory, what NumPy takes


@final
@dataclass(frozen=True)
class Job:
    """What to train and for how long: sections `optimizer`, `model`, `train_input` and `runconfig` of a YAML file.

    `optimizer.learning_rate` and `runconfig.max_steps` are needed, everything else has a default. `text` identifies the
    job: a checkpoint is resumed with the parameters it was written with, or not at all.
    """

    name: str
    schedule: Schedule
    sections: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, path: str | Path) -> Job:
        """Read the YAML file at `path`.

        Raises `ConfigError`, which names the file, the key and the allowed ones, if it does not describe the job.
        """
        mapping = read(path)
        schedule = config.single(config.from_dict(mapping, str(path)), str(path))
        place = Place(str(path))
        _known(place, mapping, _DEFAULTS)
        sections = {name: _section(place / name, mapping.get(name, {}), keys) for name, keys in _DEFAULTS.items()}
        return cls(str(path), schedule, sections)

    @property
    def text(self) -> str:
        """What the weights depend on, in one line: how long the run is, and when it saves, does not count."""
        aside = ("learning_rate", "max_steps", "checkpoint_steps")
        numbers = {name: {k: v for k, v in part.items() if k not in aside} for name, part in self.sections.items()}
        return repr((numbers, self.schedule))

    @property
    def steps(self) -> int:
        return int(self.sections["runconfig"]["max_steps"])

    @property
    def save_every(self) -> int:
        return int(self.sections["runconfig"]["checkpoint_steps"])

    @property
    def seed(self) -> int:
        return int(self.sections["runconfig"]["seed"])

    @property
    def batch(self) -> int:
        return int(self.sections["train_input"]["batch_size"])

    @property
    def hidden(self) -> int:
        return int(self.sections["model"]["hidden_size"])

    def optimizer(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer; its own rate is a placeholder that the schedule replaces."""
        chosen = self.sections["optimizer"]
        if chosen["optimizer_type"] == "SGD":
            return torch.optim.SGD(parameters, lr=0.1, momentum=chosen["momentum"], weight_decay=chosen["weight_decay"])
        return torch.optim.AdamW(parameters, lr=0.1, weight_decay=chosen["weight_decay"])


def _known(place: Place, given: Mapping[str, Any], allowed: Mapping[str, Any]) -> None:
    for key in given:
        if key not in allowed:
            raise place.refuse(key, ", ".join(allowed), "remove the key, or correct its name")


def _section(place: Place, given: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise place.refuse(given, "a mapping", "write its keys below it")
    _known(place, given, defaults)
    return {key: _value(place / key, key, given.get(key, default)) for key, default in defaults.items()}


def _value(place: Place, key: str, given: Any) -> Any:
    if key in ("learning_rate", "disable_lr_steps_reset"):  # the dialect reads these
        return given
    if key == "optimizer_type":
        if not named(given, _OPTIMIZERS):
            raise place.refuse(given, " or ".join(_OPTIMIZERS), "use one of these names")
        return given
    if key not in ("weight_decay", "momentum"):
        whole = count(place, given, low=0 if key == "seed" else 1)
        if whole > _LARGEST.get(key, whole):
            raise place.refuse(given, f"at most {_LARGEST[key]}", "write a smaller number")
        return whole
    value = number(place, given)
    if value < 0:
        raise place.refuse(given, "a number of 0 or more", "write one")
    return value
