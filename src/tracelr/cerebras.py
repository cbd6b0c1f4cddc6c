"""Schedules in Cerebras' own framework: schedulers of `cerebras.pytorch` that evaluate a schedule of tracelr.

It is imported on demand alone, because it needs the package cerebras-pytorch. `lr_scheduler` and `weight_decay_scheduler`
hold the names of `tracelr.lr_scheduler` and `tracelr.weight_decay_scheduler` as such schedulers, in place of those of
`cerebras.pytorch.optim`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

from torch import Tensor

from tracelr import lr_scheduler as learning_rates
from tracelr import weight_decay_scheduler as weight_decays
from tracelr.arithmetic import precision
from tracelr.errors import MissingPackageError, OptimizerError, ScheduleTypeError, TracelrWarning, Unquoted
from tracelr.lr_scheduler.base import CerebrasScheduler
from tracelr.optim.evaluator import values_of
from tracelr.schedules.base import Schedule

try:
    from cerebras.pytorch.backend import use_cs
    from cerebras.pytorch.optim import Optimizer
    from cerebras.pytorch.optim.scheduler import Scheduler as Theirs
except ImportError as error:
    given, fix = Unquoted(f"an environment without it ({error})"), "pip install cerebras-pytorch==2.10.0"
    raise MissingPackageError("tracelr.cerebras", given, "the package cerebras-pytorch", fix, 300) from error

_STATE = "tracelr_schedule"


class Scheduler(Theirs):  # type: ignore[misc]  # the package has no types
    """Drive the number under `key` of the param groups of a `cerebras.pytorch` optimizer from a schedule of the step.

    It is a scheduler of their framework: their backend sets it up, `step()` is called after each update, a step whose
    gradients are not finite is not counted under their automatic loss scaling, and the value is a tensor in the traced step.
    `param_group_tags` are as in their schedulers: a tag, or a list in which None stands for the groups without tags. With
    `factor`, the key of a number in each group, the schedule is multiplied by it. The unit is optimizer updates. On their
    accelerator it is evaluated in pairs of float32, because that has no float64, and their optimizer makes a float32 of each
    number in a group.

    A checkpoint holds the schedule as text; one that was written with another schedule gives a `TracelrWarning`, and the
    schedule given here is used.

    Raises `ScheduleTypeError` for what is not a schedule, or has a tensor field on the accelerator; and `OptimizerError` for
    an optimizer of another framework or without the key, and for tags that no group has.

    Its use is shown in docs/cerebras.md, and tested by `make cerebras`.
    """

    def __init__(
        self,
        optimizer: Any,
        schedule: Schedule,
        key: str = "lr",
        param_group_tags: str | list[str | None] | tuple[str | None, ...] | None = None,
        last_epoch: int = -1,
        factor: str | None = None,
    ) -> None:
        _check(optimizer, "Scheduler")
        if not isinstance(schedule, Schedule):
            raise ScheduleTypeError("cerebras.Scheduler(schedule)", schedule, "a schedule of tracelr", "pass one")
        if use_cs() and schedule.has_tensor_fields:
            given, allowed = (
                Unquoted("a schedule with a tensor field"),
                "numbers, because their device meets no tensor of the host",
            )
            raise ScheduleTypeError("cerebras.Scheduler(schedule)", given, allowed, "pass the number itself", 200)
        for k, group in enumerate(optimizer.param_groups):
            if key not in group:
                allowed = ", ".join(sorted(name for name in group if name != "params"))
                raise OptimizerError(f"cerebras.Scheduler(key): group {k}", key, allowed, "use one of these keys")
        self.schedule, self._key, self._factor = schedule, key, factor
        try:
            super().__init__(optimizer, schedule.length, last_epoch, param_group_tags)
        except ValueError as error:
            fix = "use tags of the param groups"
            given = Unquoted(f"{param_group_tags!r} ({error})")
            raise OptimizerError(
                "cerebras.Scheduler(param_group_tags)", given, "different tags of groups", fix, 400
            ) from None

    @property
    def param_group_key(self) -> str:
        return self._key

    def _get_closed_form(self) -> Tensor:
        return self._values([1.0])[0]

    def _values(self, factors: list[float]) -> list[Tensor]:
        with precision("two_float") if use_cs() else nullcontext():
            return values_of(self.schedule, factors, self.last_epoch)

    def get(self) -> list[Tensor | None]:
        """Return the present value for each group; None for a group without the tags."""
        groups = self.optimizer.param_groups
        applies = [self._should_apply_to_param_group(group) for group in groups]
        factors = [1.0 if self._factor is None else float(group.get(self._factor, 1.0)) for group in groups]
        wanted = list(dict.fromkeys(factor for factor, own in zip(factors, applies, strict=True) if own))
        made = dict(zip(wanted, self._values(wanted), strict=True))
        return [made[factor] if own else None for factor, own in zip(factors, applies, strict=True)]

    def get_last_lr(self) -> list[Any]:
        """Return the present value of each group, as their schedulers of the learning rate do."""
        return self.get_last_value()  # type: ignore[no-any-return]  # the package has no types

    def state_dict(self) -> dict[str, Any]:
        """Return the count and the settings; the schedule is text."""
        state = super().state_dict()
        del state["schedule"]
        return state | {_STATE: json.dumps(self.schedule.to_dict())}  # type: ignore[no-any-return]

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take the count of a checkpoint; also of one that a scheduler of their own has written."""
        state = dict(state_dict)
        written = state.pop(_STATE, None)
        own = {"_key": self._key, "_factor": self._factor, "param_group_tags": self.param_group_tags}
        count = {"last_epoch": state["last_epoch"], "_last_value": state.get("_last_value", self._last_value)}
        super().load_state_dict(count | own)
        if written is not None and written != json.dumps(self.schedule.to_dict()):
            text = f"tracelr: the checkpoint was written with another schedule, {written[:300]}"
            warnings.warn(f"{text}; the one given now is used", TracelrWarning, stacklevel=2)
        if not use_cs():
            self.update_last_value()


def _check(optimizer: Any, where: str) -> None:
    if not isinstance(optimizer, Optimizer):
        fix = "build it from cerebras.pytorch.optim, or use tracelr.Scheduler"
        raise OptimizerError(f"cerebras.{where}", optimizer, "an optimizer of cerebras.pytorch.optim", fix)


def _drop_in(kind: type[CerebrasScheduler]) -> type[Scheduler]:
    """Return a scheduler of their framework with the name and the parameters of one of `tracelr.lr_scheduler`."""
    functions = next((word for word, parameter in kind._words.items() if parameter.own == "val_lambda"), None)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        args, kwargs = _own_optimizer(args, kwargs)
        optimizer = kwargs.pop("optimizer")
        _check(optimizer, f"{kind.__module__.split('.')[1]}.{kind.__name__}")
        if functions is not None and hasattr(self, "set_value_lambda"):  # of a subclass, as theirs is written
            kwargs[functions] = self.set_value_lambda()
        self._unbound = made = kind(*map(_unbound, args), **{name: _unbound(value) for name, value in kwargs.items()})
        last = made._values.get("last_epoch", -1)
        Scheduler.__init__(self, optimizer, made.schedule, kind.key, made.param_group_tags, last, kind.factor)

    def state_dict(self: Any) -> dict[str, Any]:
        state = Scheduler.state_dict(self)
        del state["_unbound"]
        return state

    about = f"`{kind.__module__.partition('.curves')[0]}.{kind.__name__}` as a scheduler of `cerebras.pytorch`."
    body = {"__init__": __init__, "state_dict": state_dict, "__doc__": about, "__module__": __name__}
    return type(kind.__name__, (Scheduler,), body)


def _own_optimizer(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments with the optimizer by its name. Their chained schedulers take none: it is that of the parts."""
    if "optimizer" in kwargs:
        return args, kwargs
    members = kwargs.get("schedulers", args[0] if args else None)
    if isinstance(members, (list, tuple)) and members and isinstance(members[0], Scheduler):
        return args, {"optimizer": members[0].optimizer, **kwargs}
    return args[1:], {"optimizer": args[0] if args else None, **kwargs}


def _unbound(value: Any) -> Any:
    """Return the scheduler of tracelr in one of these, for the schedulers that combine others; they no longer step alone."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(_unbound, value))
    if isinstance(value, Scheduler) and hasattr(value, "_unbound"):
        value.optimizer._schedulers_registry.pop(value, None)
        return value._unbound
    return value


def _named(module: Any) -> SimpleNamespace:
    kinds = {name: one for name, one in vars(module).items() if isinstance(one, type) and issubclass(one, CerebrasScheduler)}
    return SimpleNamespace(**{name: _drop_in(kind) for name, kind in kinds.items() if hasattr(kind, "_curve")})


lr_scheduler = _named(learning_rates)
"""Drop-ins for `cerebras.pytorch.optim.lr_scheduler`, and the names of the first release."""
weight_decay_scheduler = _named(weight_decays)
"""Drop-ins for `cerebras.pytorch.optim.weight_decay_scheduler`."""
