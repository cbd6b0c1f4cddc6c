"""Factors that follow a metric. Their state is in tensors that a graph updates and the host never reads."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from numbers import Real
from typing import Any, Literal, final

import torch
from torch import Tensor, nn

from tracelr import _torch
from tracelr.arithmetic import LAST_STEP
from tracelr.errors import CheckpointError, ScheduleError, ScheduleTypeError, Unquoted
from tracelr.optim.driver import tensor_changed
from tracelr.schedules import fields

Mode = Literal["min", "max"]
Threshold = Literal["rel", "abs"]
_METRIC = "a number, or a real tensor of one element"
_LONGEST_WINDOW = 2**20


class Metric(nn.Module):
    """Abstract base of a factor that follows a metric. `scale`, a 0-d tensor that starts at 1, is what multiplies a rate.

    `schedule * plateau.scale` is a schedule with a tensor field: it follows the factor without a recompile. `update`
    consists of tensor operations, in eager code as in a compiled region. The state is the `state_dict` of the module;
    loading it keeps the identity of every tensor. It is float64 if the device has that type.
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
        """Take in the metric of an epoch, or of a step, and change `scale` if the rule of the class says so."""

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
        for name, value in new.items():  # AOTAutograd drops a write to a 0-d float64 tensor of the CPU
            self.get_buffer(name).view(-1).copy_(value.reshape(-1))
        if not _torch.is_tracing():
            tensor_changed(self.scale)

    def _checked(self, metric: Tensor | float) -> Tensor:
        """Return a metric in the dtype of `best`; raise `ScheduleTypeError` if it is not a number. NaN is allowed."""
        where = f"{type(self).__name__}.update(metric)"
        if isinstance(metric, Tensor):
            if metric.numel() != 1 or metric.is_complex():
                given = Unquoted(f"a {str(metric.dtype).removeprefix('torch.')} tensor of shape {list(metric.shape)}")
                raise ScheduleTypeError(where, given, _METRIC, "pass the mean of the losses, such as loss.mean()")
            return metric.detach().reshape(()).to(self.best.dtype)
        try:
            return self.best.new_full((), float(metric if isinstance(metric, Real) else "not a number"))
        except (ValueError, OverflowError):  # not a number, or an int of 400 digits
            raise ScheduleTypeError(where, metric, _METRIC, "pass the loss") from None

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Copy the state of a checkpoint into the present tensors.

        Raises `CheckpointError`, and changes nothing, if keys, shapes or kinds of dtype differ from the present ones.
        """
        where, fix = f"{type(self).__name__}.load_state_dict", "use a checkpoint of one built with the same arguments"
        present = self.state_dict()
        if not isinstance(state_dict, Mapping) or (strict and set(state_dict) != set(present)):
            given = Unquoted(f"the keys {sorted(map(str, state_dict))}") if isinstance(state_dict, Mapping) else state_dict
            raise CheckpointError(where, given, f"a mapping with the keys {', '.join(present)}", fix)
        for key in present.keys() & state_dict.keys():
            given, held = state_dict[key], present[key]
            what = f"a {str(held.dtype).removeprefix('torch.')} tensor of shape {list(held.shape)}"
            same = isinstance(given, Tensor) and given.shape == held.shape
            if not same or given.is_complex() or given.is_floating_point() != held.is_floating_point():
                raise CheckpointError(f'{where}["{key}"]', given, what, fix)
        loaded = super().load_state_dict(state_dict, strict, False)
        tensor_changed(*self.buffers())
        return loaded


@final
class Plateau(Metric):
    r"""Multiply by `factor` when a metric has not improved for more than `patience` updates: torch's ReduceLROnPlateau.

    .. math:: c \leftarrow \max(c\, f, c_{min}) \quad\text{after more than p updates that were not better}

    with c = `scale`, f = `factor`, p = `patience`, c_min = `min_scale`; no change as small as `eps` is made. Better means
    below best (1 - `threshold`) ("rel") or best - `threshold` ("abs"), for `mode` "min"; above, for "max". For `cooldown`
    updates after a reduction no update counts as bad. A NaN is not better. `min_lr` and `eps` of torch apply to the rate,
    these to the factor: with a base rate of 1 both agree at every step. Keras and optax reduce one bad update earlier, as
    with `patience` - 1.

    >>> from tracelr import Constant
    >>> plateau = Plateau(factor=0.5, patience=1)
    >>> rate = Constant(0.1) * plateau.scale
    >>> for loss in (1.0, 1.0, 1.0):
    ...     plateau.update(loss)
    >>> rate(0)
    tensor(0.0500)
    """

    bad: Tensor
    cooling: Tensor
    _patience: int
    _cooldown: int

    def __init__(
        self,
        mode: Mode = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Threshold = "rel",
        cooldown: int = 0,
        min_scale: float = 0.0,
        eps: float = 1e-8,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(mode, threshold, threshold_mode, {"patience": patience, "cooldown": cooldown}, device)
        self._factor = fraction("Plateau.factor", factor)
        self._min, self._eps = number("Plateau.min_scale", min_scale, 0.0), number("Plateau.eps", eps, 0.0)
        self._state("bad", 0)
        self._state("cooling", 0)

    @torch.no_grad()
    def update(self, metric: Tensor | float) -> None:
        metric = self._checked(metric)
        better = self._better(metric)
        bad = torch.where(better | (self.cooling > 0), 0, self.bad + 1)
        cooling = (self.cooling - 1).clamp(min=0)
        reduce = bad > self._patience
        scale = (self.scale * self._factor).clamp(min=self._min)
        self._keep(
            best=torch.where(better, metric, self.best),
            bad=torch.where(reduce, 0, bad),
            cooling=torch.where(reduce, self._cooldown, cooling),
            scale=torch.where(reduce & (self.scale - scale > self._eps), scale, self.scale),
        )


@final
class Greedy(Metric):
    r"""Divide by `factor` when a metric keeps improving, multiply by it when it does not: transformers' GreedyLR.

    .. math:: c \leftarrow \min(c / f, c_{max}) \text{ after more than p better updates in a row}, \quad
        c \leftarrow \max(c\, f, c_{min}) \text{ after more than p others}

    with c = `scale`, f = `factor`, p = `patience`, c_min = `min_scale`, c_max = `max_scale`; no change as small as `eps` is
    made. After an increase `warmup` updates are ignored, after a reduction `cooldown`. After `reset_start` consecutive
    reductions that end at `min_scale` the state is reset. A `window` above 0 replaces the metric by the mean of the last
    `window` metrics. Better means the same as in `Plateau`. In transformers the bounds apply to the rate: with a base rate
    of 1 both agree at every step. Source: arXiv 2512.14527.

    >>> greedy = Greedy(factor=0.5, patience=1, max_scale=4.0)
    >>> for loss in (5.0, 4.0, 3.0):
    ...     greedy.update(loss)
    >>> greedy.scale
    tensor(2., dtype=torch.float64)
    """

    good: Tensor
    bad: Tensor
    waiting: Tensor
    left: Tensor
    seen: Tensor
    total: Tensor
    recent: Tensor
    _patience: int
    _cooldown: int
    _warmup: int
    _reset_start: int
    _window: int

    def __init__(
        self,
        mode: Mode = "min",
        factor: float = 0.95,
        patience: int = 10,
        threshold: float = 1e-6,
        threshold_mode: Threshold = "abs",
        cooldown: int = 0,
        warmup: int = 0,
        min_scale: float = 1e-3,
        max_scale: float = 1.0,
        eps: float = 1e-8,
        window: int = 0,
        reset_start: int = 500,
        device: torch.device | str | None = None,
    ) -> None:
        counts = {"patience": patience, "cooldown": cooldown, "warmup": warmup, "window": window, "reset_start": reset_start}
        super().__init__(mode, threshold, threshold_mode, counts, device)
        self._factor = fraction("Greedy.factor", factor)
        self._min, self._eps = number("Greedy.min_scale", min_scale, 0.0), number("Greedy.eps", eps, 0.0)
        self._max = number("Greedy.max_scale", max_scale, self._min)
        for name in ("good", "bad", "waiting", "seen"):
            self._state(name, 0)
        self._state("left", self._reset_start)
        self._state("total", 0.0)
        fields.integer("Greedy.window", window, 0, f"an int from 0 to {_LONGEST_WINDOW}", _LONGEST_WINDOW)
        self.register_buffer("recent", self.total.new_zeros(max(self._window, 1)))

    @torch.no_grad()
    def update(self, metric: Tensor | float) -> None:
        metric, seen, total, recent = self._smoothed(self._checked(metric))
        idle = self.waiting > 0
        better = self._better(metric) & ~idle
        good = torch.where(better, self.good + 1, 0)
        bad = torch.where(better | idle, 0, self.bad + 1)
        up = good > self._patience
        down = (bad > self._patience) & ~up
        higher, lower = (self.scale / self._factor).clamp(max=self._max), (self.scale * self._factor).clamp(min=self._min)
        scale = torch.where(up & (higher - self.scale > self._eps), higher, self.scale)
        scale = torch.where(down & (self.scale - lower > self._eps), lower, scale)
        left = torch.where(up, self._reset_start, self.left - (down & (scale <= self._min)).long())
        reset = down & (scale <= self._min) & (left <= 0)
        waiting = torch.where(up, self._warmup, torch.where(down, self._cooldown, (self.waiting - 1).clamp(min=0)))
        self._keep(
            best=torch.where(reset, self._sign * math.inf, torch.where(better, metric, self.best)),
            good=torch.where(up | reset, 0, good),
            bad=torch.where(down, 0, bad),
            waiting=waiting,
            left=torch.where(reset, self._reset_start, left),
            scale=torch.where(reset, 1.0, scale),
            seen=torch.where(reset, 0, seen),
            total=torch.where(reset, 0.0, total),
            recent=recent,
        )

    def _smoothed(self, metric: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the mean of the window with the metric, the next count and sum, and the window as a ring."""
        if not self._window:
            return metric, self.seen, self.total, self.recent
        place = self.seen.remainder(self._window)
        oldest = self.recent.index_select(0, place.reshape(1)).reshape(())
        total = self.total + metric
        total = torch.where(self.seen >= self._window, total - oldest, total)
        seen = self.seen + 1
        recent = torch.where(torch.arange(self._window, device=metric.device) == place, metric, self.recent)
        total = torch.where(total.isfinite(), total, recent.sum())  # a NaN counts only while it is in the window
        return total / seen.clamp(max=self._window), seen, total, recent


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
    """Return a number above 0 and below 1."""
    value = fields.number(where, given)
    if not 0 < value < 1:
        raise ScheduleError(where, given, "a number above 0 and below 1", "pass a factor such as 0.5")
    return value
