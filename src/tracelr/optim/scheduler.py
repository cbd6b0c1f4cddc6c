"""Scheduler: binds schedules to an optimizer's param groups and owns the step counter."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, final

import torch
from torch import Tensor
from torch.compiler import is_compiling
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tracelr import _torch
from tracelr.arithmetic import LAST_STEP, forced
from tracelr.errors import OptimizerError, ScheduleError, ScheduleTypeError, TracelrWarning, Unquoted
from tracelr.optim import driver
from tracelr.optim.bindings import Bindings
from tracelr.optim.continuation import Continuation
from tracelr.optim.counter import LARGEST, Counter, compare_counts
from tracelr.optim.description import described, described_in_html
from tracelr.optim.groups import Each, HyperParameter, Request, rate_of
from tracelr.optim.self_check import check_device
from tracelr.optim.state import COUNT, as_count, calls, read_continued, read_state, sealed
from tracelr.schedules.assignment import Assignment
from tracelr.schedules.base import Schedule
from tracelr.schedules.fields import named

_POLICIES = ("new", "checkpoint", "strict")
_RANKS = ("strict",)
_MOST = 10**8
_TRIES = 50
Asked: TypeAlias = Schedule | Sequence[Schedule | None] | None


@final
class Rates(NamedTuple):
    """What every param group held before, and what it holds now."""

    before: list[float]
    after: list[float]


class Scheduler(LRScheduler):
    """Drive the learning rate, and any other number, of the param groups of `optimizer` from schedules of the step.

    `optimizer` is anything with `param_groups`. `lr`, `weight_decay` and `momentum` each take one schedule for all groups,
    or a list with one for each, in which None leaves a group alone; `betas` takes a pair of these. **They replace the
    numbers of the optimizer.** `lr_factor`, `weight_decay_factor` and `momentum_factor` take the same, and multiply the
    number that each group was made with; the group keeps it as torch's "initial_lr" ("initial_weight_decay", ...).
    `assignments` is what `tracelr.load` returns, a schedule of the learning rate or a list of `Assignment`, which can name
    any key and pick groups by their tags. A number without a schedule is left alone, and so is a weight decay of 0 beside
    others that are not 0, unless its tag is named.

    As with torch's schedulers, call `step()` after every optimizer update; between the calls the groups hold the values of
    the **next** update, starting with those at step 0. The unit is optimizer updates. `step()` is the same call in eager
    code and in a compiled region.

    A schedule belongs to its group, wherever that moves in `param_groups`. A group that is added later gets what all groups,
    or those of its tags, were asked to follow, before its first update. A number that something else sets is put back before
    the next update, and a `TracelrWarning` says so once.

    A float stays a float, and holds the value before it is rounded to float32. A tensor becomes a 0-d float32 tensor and is
    written in place: it keeps its address, also across `optimizer.load_state_dict`. `optimizer.step` is not patched, and no
    host value enters a compiled region.

    `on_change` says what happens when a loaded checkpoint was written with other schedules: "new" warns and keeps the ones
    given here, "checkpoint" takes those of the checkpoint, "strict" raises. `last_epoch` is torch's: -1 starts from 0.
    With `check`, about 1,000 steps are computed on the device and compared with the host, bit for bit; `DeviceError` if one
    differs. By default (None) this happens if the scheduled tensors are not on the CPU. With `ranks="strict"`, every `step`
    compares the count of all processes of the run, and raises on all of them if one differs.

    Raises `OptimizerError` if `optimizer` is not an optimizer, if there is nothing to schedule, if a number gets two
    schedules or already has another scheduler, if a group has no number under a key or no group a tag, or if the number of
    schedules is not the number of groups.

    >>> from tracelr import Linear
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
    >>> scheduler = Scheduler(optimizer, lr=Linear(start=1.0, end=0.0, steps=4))
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr(), scheduler.last_epoch
    ([0.25], 3)
    """

    takes_over = False
    """Whether a newer one takes over from an older one, which then stops. A factor that no group has is then 1."""

    def __init__(
        self,
        optimizer: Optimizer,
        assignments: Schedule | Sequence[Assignment] = (),
        *,
        lr: Asked = None,
        weight_decay: Asked = None,
        momentum: Asked = None,
        betas: Sequence[Asked] | None = None,
        lr_factor: Asked = None,
        weight_decay_factor: Asked = None,
        momentum_factor: Asked = None,
        last_epoch: int = -1,
        on_change: Literal["new", "checkpoint", "strict"] = "new",
        check: bool | None = None,
        ranks: Literal["strict"] | None = None,
    ) -> None:
        # LRScheduler.__init__ is not called: it patches optimizer.step, and Dynamo refuses the patched method.
        if not driver.has_groups(optimizer):
            fix = "pass the optimizer first, then lr=<schedule>"
            raise OptimizerError(
                "Scheduler(optimizer)", optimizer, "a torch.optim.Optimizer, or an object with its param_groups", fix
            )
        for name, given, among in (("on_change", on_change, _POLICIES), ("ranks", ranks, _RANKS)):
            if not named(given, among) and not (name == "ranks" and given is None):
                raise ScheduleError(f"Scheduler({name})", given, ", ".join(among), "use one of these")
        keys = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, **_pair(betas)}
        factors = {"lr": lr_factor, "weight_decay": weight_decay_factor, "momentum": momentum_factor}
        requests = _requests(assignments, keys, factors)
        count = _step_of("Scheduler(last_epoch)", last_epoch)
        self.on_change, self._ranks = on_change, ranks
        self._optimizer = optimizer
        self._updated, self._told = False, set[str]()
        self._by_ignite = False
        self._contained = False  # of a scheduler of torch, which then says when to step
        self._fused = False  # whether a fused update steps it
        self._late = ""  # what a framework may have kept from the user while it loaded a checkpoint
        self._start(requests)
        self._counter = Counter(count, self._device)
        self.base_lrs = [rate_of(group, "initial_lr") for group in self._inner.param_groups]
        self._initial_step()
        if self._device.type != "cpu" if check is None else check:
            check_device("Scheduler", self.schedules(), self._device)

    def _start(self, requests: list[Request]) -> None:
        """Bind the optimizer, and take hold of it. Nothing changes if that is refused."""
        self._requests = requests
        self._inner = driver.innermost(self._optimizer)
        self._bindings = Bindings(self._inner, requests, self._check_first, self.takes_over)
        self._attach()

    def _attach(self) -> None:
        self._hold: driver.Hold | None = driver.Hold(self, self._inner, *_HOOKS)
        self._quiet = False  # whether neither `step` nor an update has more to do than usual
        if self._fused:
            self._hold.leave_updates()

    def _check_first(self, bindings: Bindings) -> None:
        if self._rivals(bindings):
            gc.collect()  # one that nothing refers to may be in a reference cycle of a compiled step
        for other in (rivals := self._rivals(bindings)):
            if not (self.takes_over and other.takes_over):
                raise driver.refuse_second(self, other, str(bindings.overlap(other._bindings)))
        for other in rivals:
            other.detach()

    def _rivals(self, bindings: Bindings) -> list[Scheduler]:
        return [one for one in driver.others(self, self._inner) if bindings.overlap(one._bindings) is not None]

    @property
    def _device(self) -> torch.device:
        return self._bindings.device or torch.device("cpu")

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer. Another one may be assigned: it then gets what the first one was asked to follow."""
        return self._optimizer

    @optimizer.setter
    def optimizer(self, other: Optimizer) -> None:
        if other is self._optimizer:
            return
        if not driver.has_groups(other):
            raise OptimizerError("Scheduler.optimizer", other, "an object with param_groups", "pass an optimizer")
        before, fused, drove = (self._optimizer, self._inner, self._bindings), self._fused, self._hold is not None
        self.detach()
        self._optimizer, self._fused = other, False  # a fused update belongs to the optimizer that it was made for
        try:
            self._start(self._requests)
        except OptimizerError:
            (self._optimizer, self._inner, self._bindings), self._fused = before, fused
            if drove:
                self._attach()
            raise
        self._bindings.continue_(before[2].continued)
        self._updated = True
        self._move_counter()
        self._write()

    def drives(self, optimizer: Any) -> bool:
        """Say whether this scheduler drives `optimizer`, or the one in it."""
        return self._hold is not None and self._inner is optimizer

    def detach(self) -> None:
        """Stop driving the optimizer, whose groups keep their present numbers. Another scheduler may then drive them."""
        if self._hold is not None:
            self._hold.release()
            self._hold, self._quiet = None, False

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_hold": vars(self).get("_hold") is not None}  # hooks are not copied

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"_hold": None})
        if state["_hold"]:  # a detached scheduler, or an unbound one of tracelr.lr_scheduler, drives nothing
            self._attach()

    # -- the counter ------------------------------------------------------------------------------------------------------

    @property
    def last_epoch(self) -> int:
        """How many times `step()` was called, compiled calls included. If assigned, the groups get its values at once."""
        return self._counter.read()

    @last_epoch.setter
    def last_epoch(self, count: int) -> None:
        self._refuse_detached("Scheduler.last_epoch")
        self._counter.write(_step_of("Scheduler.last_epoch", count))
        self._updated, self._bindings.written = True, self._counter.read()
        if count >= 0 and not self._is_member():
            self._write()

    def step(
        self, epoch: int | None = None, *, increment: int | Tensor = 1, found_inf: Tensor | float | None = None
    ) -> None:
        """Advance by one update, or go to `epoch`; afterwards the groups hold the values for the next update.

        `increment` counts another unit than updates, such as tokens; the schedules are then functions of that count. It is
        what **all** processes of the run did in this update, and so the same on each of them. `found_inf` is the result of a
        gradient scaler: if it is not 0 the update was skipped, and nothing advances. The host reads neither from a device;
        the scheduled numbers must then be tensors.
        """
        if is_compiling() and _torch.is_tracing():
            return self._traced_step(increment, found_inf)
        if found_inf is not None or type(increment) is not int:
            if _on_device(increment) or _on_device(found_inf):
                return self._traced_step(increment, found_inf)
            if found_inf is not None and float(found_inf):
                return None
            increment = _step_of("Scheduler.step(increment)", increment)
        if epoch is not None:
            increment = _step_of("Scheduler.step(epoch)", epoch) - self._counter.read()
        if not self._quiet:
            self._first_step(increment)
        self._step_count += 1
        count = self._counter.add(increment)
        if not self._bindings.advance(count) or self._counter.latest != count:  # as when another thread has stepped since
            self._follow()
            self._write()
        return None

    def _first_step(self, increment: int) -> None:
        """Do what only some steps need."""
        self._refuse_detached("Scheduler.step")
        if self._late:
            self._say_late()
        if self._fused and "fused" not in self._told:
            self._say("fused", "scheduler.step() is called beside a fused update, which steps already: the count doubles")
        if self._ranks is not None:
            compare_counts(min(self._counter.read() + increment, LARGEST))
        sees_updates = self._hold is not None and self._hold.sees_updates
        if not sees_updates or not self._updated:  # a compiled update runs no hooks
            self.settle()
        self._quiet = self._updated and sees_updates and self._ranks is None and not self._fused

    def _refuse_detached(self, where: str) -> None:
        if self._hold is None:
            fix = "use the scheduler that drives the optimizer now, or build a new one"
            raise OptimizerError(where, Unquoted("a detached scheduler"), "one that drives its optimizer", fix)

    def fused_step(self, opaque: bool = True) -> None:
        """Step in the region of a fused update. Dynamo sees one call in place of the formulas of immutable schedules."""
        if not _torch.is_tracing():
            self._step_count += 1
            if not self._bindings.advance(self._counter.add(1)):
                self._follow()
                self._write()
            return
        step = self._bindings.step
        if step is None or not opaque:
            self._traced_step(1, None)
            return
        # Every attribute that is read here costs a guard at each call of the compiled region.
        ops, count = forced(), self._counter.tensor
        values = step.function[0](
            count, [held[name] for held, name in step.places], step.token, "" if ops is None else ops.name
        )
        for tensor, value in zip([count, *step.written], values):  # noqa: B905  # their lengths are equal
            tensor.copy_(value)

    def _traced_step(self, increment: int | Tensor, found_inf: Tensor | float | None) -> None:
        if found_inf is not None:
            increment = increment * ((found_inf == 0).reshape(()) if isinstance(found_inf, Tensor) else int(not found_inf))
        with torch.no_grad():
            self._bindings.write_traced(self._counter.advance(increment))

    # -- between the updates ----------------------------------------------------------------------------------------------

    def settle(self) -> int:
        """Let the groups hold the values of the next update, whatever has happened to them, or raise `OptimizerError`.

        It follows groups that have moved, binds new ones, and puts back numbers that something else has set, with one
        warning. The result is another number than before if a group, a tensor or a schedule is another one.
        """
        if not self._bindings.intact() and self._hold is not None and not self._is_member():
            foreign = self._bindings.foreign(self._counter.read())
            self._follow()
            self._bindings.adopt_tensors(self._counter.read())
            self._move_counter()
            self._write()
            if foreign:
                text = f"something else has set {'; '.join(foreign[:4])}. The schedule's value was put back"
                remedy = (
                    "detach this scheduler, or leave the other out; tracelr.Plateau takes the place of ReduceLROnPlateau"
                )
                self._say("foreign", f"{text}. Drive each number from one place: {remedy}")
        return self._bindings.version

    def seen(self) -> None:
        """Take the values that a graph has written as those of this scheduler."""
        self._bindings.seen()

    def _before_update(self) -> None:
        if self._quiet and self._bindings.intact():  # nearly every call ends here
            return
        if self._counter.read() < 0:  # a member of torch's SequentialLR that has not started
            return
        if self._late:
            self._say_late()
        if not self._bindings.intact():
            self.settle()
        if not self._updated:
            if self._step_count > 1 and not self._fused:
                text = "scheduler.step() was called before optimizer.step(): the value at step 0 was not used"
                self._say("order", f"{text}. If the update was skipped by a gradient scaler, pass step(found_inf=...)")
            self._updated = True

    def _after_load(self) -> None:
        """Bind the groups that `optimizer.load_state_dict` made, and write our values over those of the checkpoint."""
        self._bindings.follow()
        self._bindings.rebase()
        self.base_lrs = [rate_of(group, "initial_lr") for group in self._inner.param_groups]
        if self._counter.read() >= 0 and not self._is_member():
            self._write()
        else:
            self._bindings.restore_tensors()

    def _follow(self) -> None:
        if self._bindings.moved():
            self._bindings.follow()
            self.base_lrs = [rate_of(group, "initial_lr") for group in self._inner.param_groups]
            self._move_counter()

    def _write(self) -> None:
        """Write the values of the present step, also if another thread steps meanwhile."""
        written = None
        while written != (count := self._counter.read()):
            if self._bindings.moved():
                self._follow()
            self._bindings.advance(count)
            written = count

    def _move_counter(self) -> None:
        """Move the counter to the device of the scheduled tensors."""
        device = self._bindings.device
        if device is not None and self._counter.tensor.device != device:
            self._counter = Counter(self._counter.read(), device)

    def _is_member(self) -> bool:
        """Say whether a SequentialLR or a ChainedScheduler of torch contains this scheduler, and decides on the numbers."""
        self._contained = self._contained or _torch.is_contained(self, self._inner)
        return self._contained

    def _say(self, kind: str, text: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            warnings.warn(f"tracelr: {text}", TracelrWarning, stacklevel=4)

    def _say_late(self) -> None:
        text, self._late = self._late, ""
        warnings.warn(text, TracelrWarning, stacklevel=4)

    # -- the values -------------------------------------------------------------------------------------------------------

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of each group at `last_epoch`, a tensor if the group holds one. It changes nothing."""
        held = [group.get("lr") for group in self._inner.param_groups]
        rates = self._bindings.at(self._counter.read(), "lr") if self._by_ignite else self.get_last_lr()
        return [torch.full_like(one, r) if isinstance(one, Tensor) else r for one, r in zip(held, rates, strict=True)]

    @property
    def _get_lr_called_within_step(self) -> bool:
        return False

    @_get_lr_called_within_step.setter
    def _get_lr_called_within_step(self, inside: bool) -> None:
        """ignite's handler says by it that it calls `get_lr()`; it writes the rate itself, and counts before the update."""
        self._by_ignite = self._contained = True

    def get_last_lr(self) -> list[float]:  # type: ignore[override]  # torch says float or tensor; floats here
        """Return the rate that each group holds, which is that of the next update, as floats."""
        return self._present()[1]

    def _present(self) -> tuple[int, list[float]]:
        """Return the count, and the rates that the groups hold at it."""
        for k in range(_TRIES):
            before = self._bindings.written
            count, rates = self._counter.read(), [rate_of(group) for group in self._inner.param_groups]
            if self._fused or self._contained or before == count == self._bindings.written == self._counter.read():
                break
            # Another thread is in the middle of a step, where a busy machine may leave it; or a graph has taken the step,
            # which only tensors follow.
            time.sleep(0.001 if k > 9 and self._bindings.device is None else 0)
        return count, rates

    def peek(self, step: int, key: str = "lr") -> list[float]:
        """Return what each group holds under `key` for the update number `step`. It changes nothing.

        >>> from tracelr import Linear
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
        >>> Scheduler(optimizer, lr=Linear(start=1.0, end=0.0, steps=4)).peek(3)
        [0.25]
        """
        return self._bindings.at(min(_step_of("Scheduler.peek(step)", step), LAST_STEP), key)

    def curve(self, start: int, stop: int, stride: int = 1, key: str = "lr") -> Tensor:
        """Return what each group holds under `key` at the steps `range(start, stop, stride)`.

        The result is float32, of shape [groups, steps]. It changes nothing; a group without a schedule keeps what it holds.

        >>> from tracelr import Linear
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
        >>> Scheduler(optimizer, lr=Linear(start=1.0, end=0.0, steps=4)).curve(0, 6, stride=2)
        tensor([[1.0000, 0.5000, 0.0000]])
        """
        return self._bindings.curve(_steps_of(start, stop, stride), key)

    # -- other schedules from here on ---------------------------------------------------------------------------------------

    def continue_with(
        self, schedule: Schedule, *, key: str = "lr", join: Literal["jump", "scale", "shift"] = "jump", warm: int = 0
    ) -> Rates:
        r"""Run another schedule under `key` from now on: extend a run, decay from here, warm up again, start anew.

        .. math:: f(c + t) = (1 - u) f(c) + u g(t), \quad u = \min(t / w, 1)

        with c = the present step, g = `schedule`, which starts at its step 0, and w = `warm` (steps). `join` is that of
        `Sequential`: with "scale" or "shift", g starts at the present value. The count and the state of the optimizer stay.
        It is a part of `state_dict()`: a scheduler that loads it continues in the same way. Returns what every group held
        before, and holds now. Raises `OptimizerError` if no group has a schedule under `key`.

        >>> from tracelr import Constant, Cosine
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
        >>> scheduler = Scheduler(optimizer, lr=Constant(0.5))
        >>> scheduler.last_epoch = 100
        >>> scheduler.continue_with(Cosine(start=1.0, end=0.0, steps=50), join="scale")
        Rates(before=[0.5], after=[0.5])
        >>> scheduler.peek(125), scheduler.peek(150)
        ([0.25000000000000006], [0.0])
        """
        self._refuse_detached("Scheduler.continue_with")
        made = Continuation(key, max(self._counter.read(), 0), schedule, join, warm)
        self.settle()
        before = self._bindings.at(made.at, key)
        self._bindings.continue_([*self._bindings.continued, made])
        self._write()
        return Rates(before, self._bindings.at(made.at, key))

    # -- compiled updates -------------------------------------------------------------------------------------------------

    def as_tensors(self, fused: bool = False) -> None:
        """Turn scheduled floats into 0-d float32 tensors on their parameters' device, as a compiled update needs.

        `fused` says that a fused update steps this scheduler: a call of `step()` beside it then warns.
        """
        self._follow()
        self._bindings.make_tensors()
        self._move_counter()
        self._counter.shared, self._fused, self._quiet = True, self._fused or fused, False
        if fused and self._hold is not None:
            self._hold.leave_updates()
        self._write()

    def scheduled_tensors(self) -> list[dict[str, Tensor]]:
        """Return the scheduled tensors of each group, by their keys."""
        return self._bindings.tensors()

    def schedules(self) -> list[Schedule]:
        """Return each schedule once."""
        return self._bindings.schedules()

    def uses(self, tensor: Tensor) -> bool:
        """Say whether `tensor` is a field of one of the schedules."""
        return self._bindings.uses(tensor)

    def tensors(self) -> list[Tensor]:
        """Return every tensor that a compiled `step()` writes: the counter, and the scheduled numbers."""
        return [self._counter.tensor, *(tensor for tensors in self.scheduled_tensors() for tensor in tensors.values())]

    # -- checkpoints ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain ints, floats, lists and strings; later steps do not change it."""
        if self._hold is not None:
            self._follow()
        count, rates = self._present()
        return {
            "last_epoch": count,
            _torch.STEP_COUNT: self._step_count,
            _torch.LAST_LR: rates,
            "base_lrs": list(self.base_lrs),
            **sealed(self._bindings.described(), [one.to_dict() for one in self._bindings.continued]),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to the step of a checkpoint and write its rates at once; a bare `{"last_epoch": n}` is enough.

        So is the state of one of torch's schedulers. If one of those has this scheduler in it, as a `SequentialLR` or a
        `ChainedScheduler` has, the rates are left to `optimizer.load_state_dict`, as torch leaves them.

        Raises `CheckpointError`, and changes nothing, if it is not the state of a scheduler.
        """
        self._refuse_detached("Scheduler.load_state_dict")
        count, written = read_state(state_dict, len(self._inner.param_groups))
        continued = [Continuation.from_dict(one) for one in read_continued(state_dict)]
        steps = calls(state_dict, count)
        self._follow()
        now, before = self.get_last_lr(), self._bindings.continued
        self._bindings.continue_(continued)
        try:
            difference = self._bindings.reconcile(written, self.on_change)
        except Exception:
            self._bindings.continue_(before)
            raise
        self._step_count, self._updated, self._quiet = steps, True, False
        self._move_counter()
        self._counter.write(count)
        if count >= 0 and not self._is_member():  # -1: a member of torch's SequentialLR that has not started
            self._write()
        else:
            self._bindings.restore_tensors()
        if difference:
            then = state_dict.get(_torch.LAST_LR) if isinstance(state_dict, Mapping) else None
            self._say_changed(difference, then if isinstance(then, (list, tuple)) else now)

    def _say_changed(self, difference: str, then: Sequence[Any]) -> None:
        now = self.get_last_lr()
        moves = [f"{a:g} -> {b:g}" for a, b in zip(then, now, strict=False) if isinstance(a, (float, int)) and a != b]
        jump = f"; the rate of the next update moves {', '.join(moves[:4])}" if moves else ""
        text = f"tracelr: the schedule has changed since the checkpoint: {difference}; the one given now is used{jump}"
        warnings.warn(text, TracelrWarning, stacklevel=3)
        self._late, self._quiet = text, False  # frameworks record the warnings of this call, and drop them

    # -- what torch's schedulers and the frameworks call --------------------------------------------------------------------

    def _initial_step(self) -> None:
        self._step_count = 1
        self._counter.add(1)
        self._write()

    def _update_lr(self, epoch: int | None = None) -> None:
        count = self.last_epoch + 1 if epoch is None else _step_of("Scheduler.step(epoch)", epoch)
        self._counter.add(count - self._counter.read())
        self._write()

    def _get_closed_form_lr(self) -> list[float | Tensor]:
        return self.get_lr()

    @property  # type: ignore[override]  # an attribute of torch's
    def _last_lr(self) -> list[float]:
        return self.get_last_lr()

    @_last_lr.setter
    def _last_lr(self, _: object) -> None:
        """Do nothing: torch's schedulers write it, but here it is read from the groups."""

    @property
    def summary(self) -> str:
        """One line that names the optimizer, the schedules and the count, for messages."""
        return f"{type(self).__name__}({type(self.optimizer).__name__}, {self._bindings}, last_epoch={self.last_epoch})"

    def driven(self) -> list[HyperParameter]:
        """Return each scheduled number of the groups, as they were at the last write."""
        return self._bindings.hyperparameters()

    def __repr__(self) -> str:
        """Return a table: each group, key and tag with its schedule, what it holds now and what it holds a step later."""
        return described(f"{type(self).__name__} of {type(self.optimizer).__name__}", self)

    def _repr_html_(self) -> str:
        return described_in_html(f"{type(self).__name__} of {type(self.optimizer).__name__}", self)


_HOOKS = (Scheduler._before_update, Scheduler._after_load)


def _on_device(value: object) -> bool:
    return isinstance(value, Tensor) and value.device.type != "cpu"


def _requests(assignments: object, keys: Mapping[str, Any], factors: Mapping[str, Any]) -> list[Request]:
    """Return what a scheduler was given, checked. `keys` maps a key to one schedule, or to a list with one per group."""
    if isinstance(assignments, Schedule):
        assignments = [Assignment("lr", None, assignments)]
    if not isinstance(assignments, (list, tuple)) or not all(isinstance(one, Assignment) for one in assignments):
        allowed, fix = "a schedule, or a list of tracelr.Assignment", "pass lr=<schedule>, or what tracelr.load returned"
        raise OptimizerError("Scheduler(assignments)", assignments, allowed, fix)
    given: list[Request] = list(assignments)
    for one in assignments:
        if not isinstance(one.schedule, Schedule):
            raise OptimizerError("Assignment.schedule", one.schedule, "a schedule", "pass Constant(...) for a number")
    named_factors = {f"{key}_factor": (key, key, asked) for key, asked in factors.items()}
    for argument, (key, factor, asked) in ({key: (key, None, asked) for key, asked in keys.items()} | named_factors).items():
        if isinstance(asked, Schedule):
            given.append(Assignment(key, None, asked, factor))
        elif _is_list(asked):
            given.append(Each(key, asked, factor))
        elif asked is not None:
            fix = "wrap it as Constant(...)" if isinstance(asked, (int, float)) else f"pass {argument}=<schedule>"
            allowed = "a schedule, or a list with one for each param group"
            raise OptimizerError(f"Scheduler({argument})", asked, allowed, fix)
    if not given:
        allowed, fix = "a schedule for at least one key", "pass lr=<schedule>"
        raise OptimizerError("Scheduler(optimizer)", Unquoted("nothing to schedule"), allowed, fix)
    return given


def _is_list(asked: object) -> bool:
    listed = isinstance(asked, (list, tuple)) and all(one is None or isinstance(one, Schedule) for one in asked)
    return listed and any(one is not None for one in asked)  # type: ignore[attr-defined]  # a list, by the line above


def _pair(betas: object) -> dict[str, Any]:
    """Return the schedules of the two numbers under "betas" as those of "betas[0]" and "betas[1]"."""
    if betas is None:
        return {}
    if not isinstance(betas, (list, tuple)) or len(betas) != 2:
        allowed = "a pair of schedules, of which one may be None"
        raise OptimizerError("Scheduler(betas)", betas, allowed, "pass betas=(<schedule>, None) for the first")
    return {f"betas[{k}]": schedule for k, schedule in enumerate(betas)}


def _step_of(where: str, given: object) -> int:
    """Return a step count that was passed as the argument `where`, or raise `ScheduleTypeError`."""
    count = as_count(given)
    if count is None:
        raise ScheduleTypeError(where, given, f"{COUNT}, or such a tensor", "pass a number of steps")
    return count


def _steps_of(start: object, stop: object, stride: object) -> Tensor:
    """Return the steps `range(start, stop, stride)`, or raise `ScheduleTypeError` or `ScheduleError`."""
    named = (("start", start), ("stop", stop), ("stride", stride))
    first, last, by = (_step_of(f"Scheduler.curve({name})", n) for name, n in named)
    if by == 0 or len(range(first, last, by)[_MOST : _MOST + 1]):
        given = Unquoted(f"steps from {first} to {last} by {by}")
        raise ScheduleError("Scheduler.curve", given, f"at most {_MOST} steps, and a stride", "use a larger stride")
    return torch.arange(first, last, by)
