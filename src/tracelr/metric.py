"""Metric: the base of a factor that follows a metric, with its state in tensors."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from numbers import Real
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tracelr import fields
from tracelr.arithmetic import LAST_STEP
from tracelr.errors import CheckpointError, ScheduleError, ScheduleTypeError, Words

Mode = Literal["min", "max"]
Threshold = Literal["rel", "abs"]
_METRIC = "a number, or a real tensor of one element"


class Metric(nn.Module):
    """Abstract base of a factor that follows a metric. `scale`, a 0-d tensor that starts at 1, is what multiplies a rate.

    `schedule * plateau.scale` is a schedule with a tensor in a field: it follows the factor without a recompile. `update` is
    tensor operations alone, in eager code and in a compiled region alike. The state is the module's `state_dict`; loading
    it keeps every tensor's identity. It is float64 where the device has that.
    """

    scale: Tensor
    best: Tensor

    def __init__(
        self, mode: str, threshold: float, threshold_mode: str, counts: dict[str, int], device: torch.device | str | None
    ) -> None:
        super().__init__()
        name = type(self).__name__
        for where, given, allowed in (("mode", mode, ("min", "max")), ("threshold_mode", threshold_mode, ("rel", "abs"))):
            if not fields.named(given, allowed):
                raise ScheduleError(f"{name}.{where}", given, " or ".join(map(repr, allowed)), "use one of these")
        self._sign = 1.0 if mode == "min" else -1.0
        self._relative = threshold_mode == "rel"
        self._threshold = number(f"{name}.threshold", threshold, 0.0)
        for key, count in counts.items():
            setattr(self, f"_{key}", fields.integer(f"{name}.{key}", count, 0, "an int of 0 or more", LAST_STEP))
        kind = _device(f"{name}.device", device)
        self._dtype = torch.float32 if kind.type == "mps" else torch.float64
        self._state("scale", 1.0, kind)
        self._state("best", self._sign * math.inf, kind)

    def _state(self, name: str, value: float, device: torch.device | None = None) -> None:
        dtype = torch.int64 if isinstance(value, int) else self._dtype
        self.register_buffer(name, torch.tensor(value, dtype=dtype, device=device or self.scale.device))

    @abstractmethod
    def update(self, metric: Tensor | float) -> None:
        """Take in the metric of an epoch, or of a step, and change `scale` if it is time."""

    def forward(self) -> Tensor:
        """Return `scale`."""
        return self.scale

    def _better(self, metric: Tensor) -> Tensor:
        if self._relative:
            limit = self.best * (1.0 - self._sign * self._threshold)
        else:
            limit = self.best - self._sign * self._threshold
        return metric < limit if self._sign > 0 else metric > limit

    def _keep(self, **new: Tensor) -> None:
        for name, value in new.items():
            self.get_buffer(name).copy_(value)

    def _taken(self, metric: Tensor | float) -> Tensor:
        """Return a metric as `best` is kept; raises `ScheduleTypeError` if it is no number. NaN and infinities are some."""
        where = f"{type(self).__name__}.update(metric)"
        if isinstance(metric, Tensor):
            if metric.numel() != 1 or metric.is_complex():
                given = Words(f"a {str(metric.dtype).removeprefix('torch.')} tensor of shape {list(metric.shape)}")
                raise ScheduleTypeError(where, given, _METRIC, "pass the mean of the losses, such as loss.mean()")
            return metric.detach().reshape(()).to(self.best.dtype)
        try:
            return self.best.new_full((), float(metric if isinstance(metric, Real) else "no number"))
        except (ValueError, OverflowError):  # no number, or an int of 400 digits
            raise ScheduleTypeError(where, metric, _METRIC, "pass the loss") from None

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Take the state of a checkpoint, into the tensors that are here.

        Raises `CheckpointError`, and changes nothing, if it is not the state of one like this.
        """
        where, fix = f"{type(self).__name__}.load_state_dict", "use a checkpoint of one that was built alike"
        own = self.state_dict()
        if not isinstance(state_dict, Mapping) or (strict and set(state_dict) != set(own)):
            given = Words(f"the keys {sorted(map(str, state_dict))}") if isinstance(state_dict, Mapping) else state_dict
            raise CheckpointError(where, given, f"a mapping with the keys {', '.join(own)}", fix)
        for key in own.keys() & state_dict.keys():
            given, held = state_dict[key], own[key]
            what = f"a {str(held.dtype).removeprefix('torch.')} tensor of shape {list(held.shape)}"
            alike = isinstance(given, Tensor) and given.shape == held.shape
            if not alike or given.is_complex() or given.is_floating_point() != held.is_floating_point():
                raise CheckpointError(f'{where}["{key}"]', given, what, fix)
        return super().load_state_dict(state_dict, strict, False)


def _device(where: str, given: torch.device | str | None) -> torch.device:
    try:
        return torch.device("cpu" if given is None else given)
    except (RuntimeError, TypeError):
        allowed = "a device of torch, such as 'cpu' or 'cuda:0', or None"
        raise ScheduleError(where, given, allowed, "pass the device of the weights") from None


def number(where: str, given: float, low: float) -> float:
    """Return a finite number of `low` or more."""
    value = fields.number(where, given)
    if value < low:
        raise ScheduleError(where, given, f"a finite number, {low:g} or more", "pass a number in this range")
    return value


def fraction(where: str, given: float) -> float:
    """Return a number between 0 and 1, neither of them."""
    value = fields.number(where, given)
    if not 0 < value < 1:
        raise ScheduleError(where, given, "a number above 0 and below 1", "pass a factor such as 0.5")
    return value
