"""fuse: the update of an optimizer and the step of its scheduler as one compiled region."""

from __future__ import annotations

import sys
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial, wraps
from inspect import unwrap
from types import FrameType, FunctionType
from typing import Any, final

import torch
from torch import Tensor, fx
from torch.optim import LBFGS, SGD, Adam, AdamW, Optimizer, SparseAdam

from tracelr import _torch
from tracelr.errors import OptimizerError, TracelrWarning, Unquoted
from tracelr.fused.nonzero import NonZeroScalar
from tracelr.optim import driver
from tracelr.optim.compiling import deep_recursion, is_deep, with_own_code
from tracelr.optim.description import described, described_in_html
from tracelr.optim.evaluator import is_immutable
from tracelr.optim.scheduler import Scheduler
from tracelr.optim.self_check import check_compiled
from tracelr.schedules.base import Schedule

# Adam's `capturable` formula, which Dynamo traces, divides by the rate, as other optimizers do by its square: at a rate of
# exactly 0, where a warm-up starts and a decay ends, 0 / 0 would end the training. The square of this is a normal float32,
# and a rate as small as this changes no weight above 1e-11.
_NOTHING = 1e-18

# So many sets of parameters with a gradient get a graph each. Dynamo's default is 8, and then an error.
_VARIANTS = 64

_REFUSED = {
    LBFGS: "which evaluates the model inside its update",
    SparseAdam: "whose sparse gradients Dynamo does not trace",
    getattr(torch.optim, "Adafactor", None): "which compares its rate with a number of the host",  # from torch 2.5 on
}


class _Captured(Exception):  # raised to end a step before it changes anything; it reports no error
    pass


@final
class Region:
    """A function that updates an optimizer and steps its scheduler, compiled.

    Whatever follows from the param groups is made in `_bind`, and made again when they have changed. An update that no graph
    can serve runs uncompiled: the first one, if it makes the optimizer's state, and all of them once Dynamo has given up.
    With `is_fused_step`, the caller runs the optimizer's step hooks, which are refused otherwise, and an update that Dynamo
    cannot trace runs uncompiled; otherwise it is an error.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        scheduler: Scheduler,
        function: Callable[..., Any],
        options: dict[str, Any],
        is_fused_step: bool = False,
    ) -> None:
        _torch.let_trace(NonZeroScalar)
        self._eager = with_own_code(function)
        self._compiled = _compiled(self._eager, scheduler.schedules(), options)
        self._scheduler, self._optimizer, self._goes_on = scheduler, optimizer, is_fused_step
        self._attributes, self._class_step = vars(optimizer), type(optimizer).step
        self._patch = self._attributes.get("step")
        self._refused_hooks = () if is_fused_step else _torch.step_hooks(optimizer)
        self._settle, self._seen = scheduler.settle, scheduler.seen
        self._settled = self._settle()
        self._bind()
        self._attention = True
        self._made, self._observed, self._moved, self._uncompiled = False, _is_torchs(optimizer), False, False
        self._state: dict[Any, dict[str, Any]] = {}
        before = optimizer.register_load_state_dict_pre_hook(_weakly(self._loading))
        after = optimizer.register_load_state_dict_post_hook(_weakly(self._loaded))
        for handle in (before, after):
            weakref.finalize(self, handle.remove)

    def _bind(self) -> None:
        """Make what follows from the param groups and the scheduled tensors."""
        groups, scheduled = self._optimizer.param_groups, self._scheduler.scheduled_tensors()
        if len(groups) != len(scheduled):  # the graph would update a new group at an unscheduled rate
            given, fix = Unquoted(f"an optimizer of {len(groups)} param groups"), "call fuse(optimizer, scheduler) again"
            raise OptimizerError("fused step", given, f"the {len(scheduled)} it was fused with", fix)
        _refuse_differentiable(self._optimizer, "fused step")
        for tensor in self._scheduler.tensors():  # CUDA graphs write in place only to tensors with a static address
            _torch.mark_static(tensor)
        _torch.leave_scaling_to_scaler(self._optimizer)
        self._swaps = list(map(_swap, groups, scheduled))
        self._swapping = any(self._swaps)
        self._copies = [
            (held, tensor)
            for swap, tensors in zip(self._swaps, scheduled, strict=True)
            for key, tensor in tensors.items()
            if isinstance(held := swap.get(key), Tensor) and held.data_ptr() != tensor.data_ptr()
        ]
        self._stale = False

    def _loading(self, optimizer: Optimizer, state_dict: Any) -> None:
        self._state = {parameter: dict(state) for parameter, state in optimizer.state.items()}

    def _loaded(self, optimizer: Optimizer) -> None:
        # The graph writes to the state tensors that it was traced with: they stay, and take the loaded values.
        for parameter, held in self._state.items():
            loaded = optimizer.state[parameter]
            for name, tensor in held.items():
                new = loaded.get(name)
                if isinstance(tensor, Tensor) and isinstance(new, Tensor) and _same_kind(tensor, new):
                    loaded[name] = tensor.copy_(new)
        self._state = {}
        self._stale = self._attention = True  # a checkpoint brings flags, such as "fused", too
        self._made = False

    def __call__(self, *batch: Any) -> Any:
        if (
            self._attention
            or self._attributes.get("step") is not self._patch
            or type(self._optimizer).step is not self._class_step
            or self._settle() != self._settled
            or any(self._refused_hooks)
        ):
            return self._with_attention(*batch)
        try:
            if self._swapping:
                with self._swapped():
                    result = self._compiled(*batch)
            else:
                result = self._compiled(*batch)
            self._seen()
            return result
        except Exception as error:
            if not self._goes_on or not _torch.is_of_dynamo(error):
                raise
            self._stale = True  # somebody may have set a flag, such as "foreach", in a group
        return self._with_attention(*batch)

    def _with_attention(self, *batch: Any) -> Any:
        """Take a step, and look at what a compiled call does not look at."""
        self.prepare()
        if not self.compiles():
            return self.uncompiled(self._eager, *batch)
        try:
            with self._swapped():
                result = self._compiled(*batch)
            self._seen()
        except Exception as error:
            self._give_up(error)
            return self.uncompiled(self._eager, *batch)
        self._attention, self._moved = False, True
        return result

    def prepare(self) -> None:
        """Follow what has changed around the optimizer since the last step, or raise `OptimizerError`."""
        kind, patch = type(self._optimizer), self._attributes.get("step")
        if kind.step is not self._class_step or not (
            patch is self._patch or is_harmless(self._optimizer) or _is_running(patch)
        ):
            _refuse_patch(self._optimizer, "fused step")  # this call would leave it out
        self._patch = patch
        if any(self._refused_hooks):
            _refuse_hooks(self._optimizer, "fused step")
        settled = self._settle()
        if self._stale or settled != self._settled:
            self._bind()
            self._settled = settled

    def uncompiled(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call `function` in place of the region, and see whether it changes numbers that a graph would hold fixed."""
        with self._swapped():
            looks = not self._observed and not _lacks_state(self._optimizer)
            before = _numbers(self._optimizer) if looks else {}
            result = function(*arguments)
        self._made = self._moved = True
        if looks:
            self._observed = True
            changed = sorted(key for key, value in _numbers(self._optimizer).items() if before.get(key, value) != value)
            if changed:
                name, number = type(self._optimizer).__name__, changed[0][1]
                self._go_on_uncompiled(
                    f"{name} changes {number}, a Python number, in every update, and Dynamo would compile each of them:"
                    " keep it in a tensor"
                )
        return result

    def compiles(self) -> bool:
        """Say whether the next call runs a graph."""
        # An optimizer that makes state in its first update would need a second graph for the later ones.
        makes = (isinstance(self._optimizer, SGD) or not self._made) and _lacks_state(self._optimizer)
        return self._observed and not self._uncompiled and not makes

    def ready(self) -> bool:
        """Say whether the optimizer has all its state, so that the graph of this update serves every later one."""
        return not _lacks_state(self._optimizer)

    def _give_up(self, error: Exception) -> None:
        """Go on without graphs if it is Dynamo that cannot go on; raise other errors, and any at the first update."""
        if not self._goes_on:
            raise error
        if _torch.is_recompile_limit(error):
            set_it = (
                "pass recompile_limit="
                if "recompile_limit" in _torch.compile_options()
                else "raise Dynamo's cache_size_limit"
            )
            self._go_on_uncompiled(
                "the gradients that are None have changed too often, and Dynamo compiles each set of them once: give such"
                f" parameters gradients of 0, or {set_it}"
            )
        elif self._moved and _torch.is_of_dynamo(error):
            self._go_on_uncompiled(f"Dynamo cannot trace this update: {_first_line(error)}")
        else:
            raise error

    def _go_on_uncompiled(self, why: str) -> None:
        self._uncompiled = self._attention = True
        warnings.warn(f"tracelr: the fused step goes on uncompiled, because {why}", TracelrWarning, stacklevel=5)

    def capture(self, *batch: Any) -> tuple[fx.GraphModule, list[Any]]:
        """Return the graph that Dynamo makes of one step, and its present inputs. The step is not taken."""
        found: list[tuple[fx.GraphModule, list[Any]]] = []

        def keep(graph: fx.GraphModule, _: Any) -> Callable[..., Any]:
            def stop(*inputs: Any) -> Any:
                found.append((graph, list(inputs)))
                raise _Captured

            return stop

        with self._swapped(), suppress(_Captured), deep_recursion(self._scheduler.schedules()):
            torch.compile(with_own_code(self._eager), fullgraph=True, backend=keep)(*batch)
        return found[0]

    @contextmanager
    def _swapped(self) -> Iterator[None]:
        # Dynamo runs `_init_group` of the optimizer untraced: the groups must hold these values before the region starts.
        groups = self._optimizer.param_groups
        kept = [{key: group[key] for key in swap} for group, swap in zip(groups, self._swaps, strict=True)]
        try:
            for group, swap in zip(groups, self._swaps, strict=True):
                group.update(swap)
            for copy, tensor in self._copies:
                copy.copy_(tensor)
            yield
        finally:
            for group, held in zip(groups, kept, strict=True):
                group.update(held)


@final
class FusedStep:
    """What `fuse` returns: call it after `backward()`, instead of `optimizer.step()` and `scheduler.step()`.

    It may take the place of the step: `optimizer.step = fuse(optimizer, scheduler)`. A copy of it, or one that was pickled,
    drives its own copies of the optimizer and the scheduler.
    """

    def __init__(self, optimizer: Optimizer, scheduler: Scheduler, check: bool | None, options: dict[str, Any]) -> None:
        update, opaque = update_of(optimizer, scheduler, "fuse", check, options), is_opaque(options)

        def fused_step() -> None:
            update()
            scheduler.fused_step(opaque)  # not inside `update`, because graphs name their inputs by the path to them

        def skippable_step(found_inf: Tensor, written: list[Tensor]) -> None:
            unless(found_inf, fused_step, written)

        def step_with_closure(closure: Callable[[], Any]) -> Any:
            result = update(closure)
            scheduler.fused_step()
            return result

        self._optimizer, self._scheduler, self._options = optimizer, scheduler, options
        self._uncompiled, self._with_closure = fused_step, step_with_closure
        self._calls_closure_first = True if _is_torchs(optimizer) else None
        self._region = Region(optimizer, scheduler, fused_step, options, is_fused_step=True)
        self._skippable = Region(optimizer, scheduler, skippable_step, options, is_fused_step=True)
        self._hooks = _torch.step_hooks(optimizer)

    def __call__(self, closure: Callable[[], Any] | None = None, *, found_inf: Tensor | float | None = None) -> Any:
        """Update the weights and step the schedules; return the loss that `closure` computes, if there is one.

        Where `found_inf` is not 0, neither weights nor optimizer state nor the count of steps change. The graph reads a
        tensor, not the host. Step hooks of the optimizer run around the call: one after it sees the rate of the next update.
        """
        one, two, three, four = self._hooks
        if closure is not None or found_inf is not None or one or two or three or four:
            arguments = (self._optimizer,) if closure is None else (self._optimizer, closure)
            return Optimizer.profile_hook_step(partial(self._run, found_inf))(*arguments)
        try:
            return self._region()
        except Exception as error:
            raise self._named(error) from error

    def __repr__(self) -> str:
        """Return the table of the scheduler, which this step drives."""
        return described(f"FusedStep of {type(self._optimizer).__name__}", self._scheduler)

    def _repr_html_(self) -> str:
        return described_in_html(f"FusedStep of {type(self._optimizer).__name__}", self._scheduler)

    def _run(self, found_inf: Tensor | float | None, optimizer: Optimizer, closure: Callable[[], Any] | None = None) -> Any:
        (self._region if found_inf is None else self._skippable).prepare()
        loss = None
        if closure is not None:
            if not self._calls_closure_first:
                return self._run_around(closure, found_inf)
            with torch.enable_grad():
                loss = closure()
        try:
            if found_inf is None:
                self._region()
            elif isinstance(found_inf, Tensor) and self._skippable.compiles() and not lacks_any_state(optimizer):
                self._skippable(found_inf.reshape(()), written_by(optimizer, self._scheduler))
            elif not float(found_inf):  # the state that would be put back does not exist, or is not in tensors
                self._skippable.uncompiled(self._uncompiled)
        except Exception as error:
            raise self._named(error) from error
        return loss

    def _run_around(self, closure: Callable[[], Any], found_inf: Tensor | float | None) -> Any:
        """Give the closure to the update, uncompiled, and see whether it calls it once and first, as torch's do."""
        if found_inf is not None:
            allowed = "one of them, because this optimizer calls its closure inside its update"
            raise OptimizerError("fused step", Unquoted("closure= and found_inf="), allowed, "leave one out")
        parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        versions, calls = list(map(_torch.version, parameters)), list[bool]()

        def recorded() -> Any:
            calls.append(versions == list(map(_torch.version, parameters)))
            with torch.enable_grad():
                return closure()

        result = self._region.uncompiled(self._with_closure, recorded)
        if self._calls_closure_first is None:
            self._calls_closure_first = calls == [True]
            if not self._calls_closure_first:
                name = type(self._optimizer).__name__
                text = f"tracelr: {name} calls its closure inside its update, so updates with a closure run uncompiled"
                warnings.warn(text, TracelrWarning, stacklevel=5)
        return result

    def _named(self, error: Exception) -> Exception:
        """Return the error that names the optimizer, if Dynamo cannot trace its step."""
        return _refusal(self._optimizer, "fuse", _first_line(error)) if _torch.is_of_dynamo(error) else error

    def capture(self) -> tuple[fx.GraphModule, list[Any]]:
        """Return the graph that Dynamo makes of one step, and its present inputs. The step is not taken."""
        return self._region.capture()

    @property
    def __func__(self) -> Any:
        """What torch's schedulers bind to the optimizer when they patch `optimizer.step`: this step is bound already."""
        return staticmethod(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return FusedStep, (self._optimizer, self._scheduler, False, self._options)


def fuse(optimizer: Optimizer, scheduler: Scheduler, *, check: bool | None = None, **options: Any) -> FusedStep:
    """Compile the update of `optimizer` and `scheduler.step()` into one graph without breaks, recompiles or host values.

    The learning rate of every group becomes a tensor, on the device of its parameters, that the graph writes in place.
    So does every other scheduled number. `foreach` and `fused` have no effect, because the compiler fuses the operations of
    the graph. `options` go to `torch.compile`. Gradients must exist at the first call, as for any compiled update.

    Where a framework calls `optimizer.step()`, write `optimizer.step = fuse(optimizer, scheduler)`, and leave
    `scheduler.step()` out. For an optimizer that wraps another one, such as Lookahead or that of accelerate or Fabric, the
    result is the wrapper's own step, and the step of the optimizer inside is the fused one from then on.

    With `check`, a probe and these schedules are first compiled with the same options, and compared with the host at about
    1,000 steps, bit for bit; `DeviceError` if one differs. By default (None) this happens if the rate is not on the CPU.

    Raises `OptimizerError` if the scheduler drives another optimizer, if something has replaced `optimizer.step`, for
    `differentiable=True`, for `fullgraph=False`, if Dynamo cannot trace the step, or for LBFGS, SparseAdam and Adafactor,
    whose updates read values on the host.

    >>> from tracelr import Cosine, Scheduler
    >>> weight = torch.nn.Parameter(torch.ones(3))
    >>> optimizer = torch.optim.AdamW([weight])
    >>> scheduler = Scheduler(optimizer, lr=Cosine(start=1.0, end=0.0, steps=4))
    >>> update = fuse(optimizer, scheduler, backend="eager")
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     weight.sum().backward()
    ...     update()
    >>> scheduler.last_epoch, optimizer.param_groups[0]["lr"]
    (3, tensor(0.1464))
    """
    inner: Any = driver.innermost(optimizer) if driver.has_groups(optimizer) else optimizer
    if inner is optimizer:
        return FusedStep(optimizer, scheduler, check, options)
    if any(getattr(held, "__func__", None) is type(inner).step for held in vars(optimizer).values()):
        given, allowed = (
            Unquoted(f"{type(optimizer).__name__}, which holds the step of the optimizer inside"),
            "the optimizer inside",
        )
        fix = "write inner.step = fuse(inner, scheduler) before it is wrapped"
        raise OptimizerError("fuse(optimizer)", given, allowed, fix)
    inner.step = FusedStep(inner, scheduler, check, options)
    return type(optimizer).step.__get__(optimizer)  # type: ignore[no-any-return]  # a bound method


def update_of(
    optimizer: Optimizer, scheduler: Scheduler, name: str, check: bool | None, options: dict[str, Any]
) -> Callable[..., Any]:
    """Return the update of the optimizer as a function that Dynamo can trace. Messages begin with `name`.

    Afterwards every number that `scheduler` drives is a tensor.
    """
    if _torch.RELEASE < (2, 6):
        given, allowed = (
            Unquoted(f"torch {torch.__version__}"),
            "torch 2.6 or newer",
        )
        raise OptimizerError(name, given, allowed, "install it, or call optimizer.step() and scheduler.step()")
    _check(optimizer, scheduler, name)
    if options.get("fullgraph", True) is not True:
        fix = "leave it out"
        raise OptimizerError(f"{name}(fullgraph)", options["fullgraph"], "True, because the step is one graph", fix)
    _refuse_options(name, options)
    scheduler.as_tensors(fused=True)
    device = scheduler.tensors()[0].device
    if device.type != "cpu" if check is None else check:
        check_compiled(name, scheduler.schedules(), device, options)
    step, owner = _traceable(optimizer)
    divides = isinstance(optimizer, (Adam, AdamW)) or not _is_torchs(optimizer)  # AdamW is not an Adam before torch 2.7

    def update(*closure: Callable[[], Any]) -> Any:
        with torch.no_grad():
            rates = [(group, group["lr"]) for group in owner.param_groups if divides and "lr" in group]
            kept = [(lr, lr.clone()) for _, lr in rates if isinstance(lr, Tensor)]
            zeros = [group for group, lr in rates if not isinstance(lr, Tensor) and lr == 0]
            for lr, _ in kept:
                lr.copy_(torch.where(lr == 0, _NOTHING, lr))
            for group in zeros:
                group["lr"] = _NOTHING
            try:
                return step(owner, *closure)
            finally:
                for lr, before in kept:
                    lr.copy_(before)
                for group in zeros:
                    group["lr"] = 0.0

    return update


def is_opaque(options: dict[str, Any]) -> bool:
    """Say whether Dynamo may skip the formulas: a named backend does not need them, but a function may read the graph."""
    return isinstance(options.get("backend", ""), str)


def _compiled(region: FunctionType, schedules: Sequence[Schedule], options: dict[str, Any]) -> Callable[..., Any]:
    """Return the compiled `region`, with `deep_recursion` for schedules that Dynamo traces."""
    if _torch.is_dynamo_disabled():  # then torch.compile runs the region, and raises afterwards
        return region
    limit = {"recompile_limit": _VARIANTS} if "recompile_limit" in _torch.compile_options() else {}
    skipped = is_opaque(options) and all(map(is_immutable, schedules))
    step = torch.compile(region, **limit | (_torch.with_few_guards(options) if skipped else options) | {"fullgraph": True})
    if not is_deep(schedules):
        return step

    @wraps(region)
    def deep(*batch: Any) -> Any:
        with deep_recursion(schedules):
            return step(*batch)

    return deep


# -- which optimizers -------------------------------------------------------------------------------------------------------


def _check(optimizer: Optimizer, scheduler: Scheduler, name: str) -> None:
    if not isinstance(optimizer, Optimizer):
        raise OptimizerError(f"{name}(optimizer)", optimizer, "a torch.optim.Optimizer", "pass one, such as AdamW or SGD")
    for kind, why in _REFUSED.items():
        if kind is not None and isinstance(optimizer, kind):
            raise _refusal(optimizer, name, why)
    if _expects_zero_division(type(optimizer)):
        raise _refusal(optimizer, name, "which catches a ZeroDivisionError: with a rate in a tensor the quotient is NaN")
    driven = scheduler.optimizer if isinstance(scheduler, Scheduler) else None
    if driven is None or not _same_groups(driven, optimizer):
        allowed = "a tracelr.Scheduler that drives this optimizer"
        raise OptimizerError(f"{name}(scheduler)", scheduler, allowed, "build it as Scheduler(optimizer, lr=...)")
    if not is_harmless(optimizer):
        _refuse_patch(optimizer, name)
    if name != "fuse":
        _refuse_hooks(optimizer, name)
    _refuse_differentiable(optimizer, name)


def _refusal(optimizer: Optimizer, name: str, why: str) -> OptimizerError:
    given, allowed = Unquoted(f"{type(optimizer).__name__}, {why}"), "an optimizer whose update is tensor operations alone"
    fix = "call optimizer.step() and scheduler.step(), uncompiled, or pass another, such as AdamW or SGD"
    return OptimizerError(f"{name}(optimizer)", given, allowed, fix, limit=400)


def _refuse_hooks(optimizer: Optimizer, name: str) -> None:
    found = [hook for hooks in _torch.step_hooks(optimizer) for hook in hooks.values() if not driver.is_own(hook)]
    if found:
        given, fix = Unquoted(f"{len(found)} step hooks"), "remove them, or call fuse, which runs them"
        raise OptimizerError(f"{name}(optimizer)", given, "no step hooks, because a compiled step would skip them", fix)


def _refuse_differentiable(optimizer: Optimizer, name: str) -> None:
    if any(held.get("differentiable") for held in (optimizer.defaults, *optimizer.param_groups)):
        allowed, fix = "one whose update records no derivatives", "call optimizer.step() and scheduler.step(), uncompiled"
        raise OptimizerError(f"{name}(optimizer)", Unquoted("an optimizer with differentiable=True"), allowed, fix)


def _refuse_options(name: str, options: dict[str, Any]) -> None:
    """Raise `OptimizerError` for options that only newer releases of torch take."""
    for option in sorted(options.keys() - _torch.compile_options()):
        allowed = f"an option that torch.compile of torch {torch.__version__} takes"
        raise OptimizerError(f"{name}({option})", options[option], allowed, "leave it out, or install a newer torch")
    if "guard_filter_fn" in (options.get("options") or {}) and not _torch.filters_guards():
        allowed, fix = f"no guard_filter_fn with torch {torch.__version__}", "leave it out, or install torch 2.9 or newer"
        raise OptimizerError(f"{name}(options)", Unquoted("a guard_filter_fn"), allowed, fix)


def _refuse_patch(optimizer: Optimizer, name: str) -> None:
    patch: Any = optimizer.step
    given = Unquoted(f"{type(optimizer).__name__} with step replaced by {getattr(patch, '__qualname__', repr(patch))}")
    allowed = "the step of its class, because a compiled step would leave the replacement out"
    fix = "write optimizer.step = fuse(optimizer, scheduler) first, and then replace that, or clip before the step"
    raise OptimizerError(f"{name}(optimizer)", given, allowed, fix, limit=200)


def is_harmless(optimizer: Optimizer) -> bool:
    """Say whether `optimizer.step` is that of its class, a fused step, or one of these as torch's schedulers patch it."""
    step = _torch.beneath_scheduler(vars(optimizer).get("step"))
    function = getattr(step, "__func__", step)
    return step is None or function is type(optimizer).step or isinstance(function, (FusedStep, staticmethod))


def _is_running(patch: Any) -> bool:
    """Say whether one of the callers of this function is `patch`, which then has not been left out."""
    function = getattr(patch, "__func__", patch)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None


def _is_torchs(optimizer: Optimizer) -> bool:
    """Say whether the step of the optimizer is written in torch."""
    return bool(_plain(type(optimizer).step).__module__.startswith("torch.optim."))


def _same_groups(a: Any, b: Any) -> bool:
    one, two = a.param_groups, b.param_groups
    return one is two or (len(one) == len(two) and all(x is y for x, y in zip(one, two, strict=True)))


def _plain(step: Any) -> Any:
    """Return a `step` below the decorators of torch: the profiler's wrapper and the two graph breaks of `_use_grad`."""
    while hasattr(step, "__wrapped__") and _torch.is_of_optimizers(step):
        step = step.__wrapped__
    return step


def _expects_zero_division(kind: type) -> bool:
    """Say whether a method of an optimizer, torch's own apart, names the error that a quotient of tensors does not raise."""
    own = (one for one in kind.__mro__ if one is not object and not one.__module__.startswith("torch."))
    methods = (unwrap(one) for each in own for one in vars(each).values() if callable(one))
    codes = (getattr(one, "__code__", None) for one in methods)
    return any("ZeroDivisionError" in code.co_names for code in codes if code is not None)


def _traceable(optimizer: Optimizer) -> tuple[Callable[..., Any], Any]:
    """Return the plain step of the optimizer, and the object to call it with, whose `super().step` is plain too.

    That object shares all attributes with the optimizer. After each class that defines `step` its order of classes has one
    that defines it again without decorators, so that `super()` finds this one first.
    """
    kind = type(optimizer)
    own, *above = [one for one in kind.__mro__ if "step" in vars(one) and one is not Optimizer]
    if not above:
        return _plain(kind.step), optimizer
    bases = [type(one.__name__, (one,), {"step": _plain(vars(one)["step"])}) for one in above]
    same: Any = object.__new__(type(kind.__name__, (kind, *bases), {}))
    same.__dict__ = vars(optimizer)
    return _plain(vars(own)["step"]), same


# -- param groups and state -------------------------------------------------------------------------------------------------


def _swap(group: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Return the values that replace those of `group` while its update is traced."""
    # Beside a sharded weight AOTAutograd refuses two inputs that share memory; the number is then copied before each call.
    sharded = any(_torch.is_traceable_wrapper_subclass(parameter) for parameter in group["params"])
    flags: dict[str, Any] = {key: None for key in ("foreach", "fused") if group.get(key)}
    if group.get("capturable") and not any(parameter.device.type != "cpu" for parameter in group["params"]):
        flags["capturable"] = False  # an uncompiled update refuses it on the CPU; a graph sets it in any case
    scheduled = {key: tensor for key, tensor in tensors.items() if key in ("weight_decay", "momentum")}
    return flags | {key: (one.clone() if sharded else one).as_subclass(NonZeroScalar) for key, one in scheduled.items()}


def without_params(group: dict[str, Any]) -> dict[str, Any]:
    """Return a param group without its parameters."""
    return {key: value for key, value in group.items() if key != "params"}


def _numbers(optimizer: Optimizer) -> dict[tuple[int, str], Any]:
    """Return the Python numbers that an optimizer holds, by the number of the place and its name."""
    places: list[tuple[str, Iterable[tuple[Any, Any]]]] = [("attribute", vars(optimizer).items())]
    places += [("group", without_params(group).items()) for group in optimizer.param_groups]
    places += [("state", state.items()) for state in optimizer.state.values()]
    every = [((k, f"{place} {key!r}"), value) for k, (place, held) in enumerate(places) for key, value in held]
    return {key: value for key, value in every if type(value) in (int, float)}


def _same_kind(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.device == b.device


def _lacks_state(optimizer: Optimizer) -> bool:
    """Say whether the next update makes state: the momentum of SGD, or any state of an optimizer from outside torch."""
    return (isinstance(optimizer, SGD) or not _torch.makes_state_outside(optimizer)) and lacks_any_state(optimizer)


def lacks_any_state(optimizer: Optimizer) -> bool:
    """Say whether a parameter with a gradient has no state yet; SGD has none without momentum."""
    if isinstance(optimizer, SGD):
        groups = [group for group in optimizer.param_groups if group["momentum"] != 0]
        made = (optimizer.state.get(p, {}).get("momentum_buffer") for g in groups for p in g["params"] if p.grad is not None)
        return any(buffer is None for buffer in made)
    return not all(optimizer.state.get(p) for g in optimizer.param_groups for p in g["params"] if p.grad is not None)


def unless(found_inf: Tensor, call: Callable[[], Any], written: list[Tensor]) -> None:
    """Call `call`, and put the `written` tensors back where `found_inf` is not 0, without a read on the host."""
    with torch.no_grad():
        before = [tensor.clone() for tensor in written]
        call()
        for tensor, held in zip(written, before):  # noqa: B905  # their lengths are equal
            tensor.copy_(torch.where(found_inf == 0, tensor, held))


def written_by(optimizer: Optimizer, scheduler: Scheduler) -> list[Tensor]:
    """Return every tensor that an update and the step of its scheduler write."""
    groups, state = optimizer.param_groups, optimizer.state
    trained = [p for group in groups for p in group["params"] if p.grad is not None]
    held = [v for p in trained for v in state.get(p, {}).values() if isinstance(v, Tensor)]
    numbers = [v for group in groups for v in _torch.tree_leaves(without_params(group)) if isinstance(v, Tensor)]
    return list({id(tensor): tensor for tensor in [*trained, *held, *numbers, *scheduler.tensors()]}.values())


def _weakly(method: Callable[..., None]) -> Callable[..., None]:
    """Return a function that calls `method` as long as its object lives."""
    reference = weakref.WeakMethod(method)

    def call(*arguments: Any) -> None:
        held = reference()
        if held is not None:
            held(*arguments)

    return call


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
