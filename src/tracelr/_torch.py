"""Every private name of torch that tracelr uses, each with its reason. No other file touches one.

All exist in torch 2.6 and 2.13, but for those that say so. tests/project/test_private_torch.py looks them up in the
installed torch. Dynamo, Inductor and modules that import sympy are imported inside functions, because `import tracelr` would
be slow otherwise.
"""

from __future__ import annotations

import gc
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ctypes import c_float
from inspect import signature
from threading import RLock
from types import ModuleType
from typing import Any
from unittest import mock

import torch
from torch import Tensor, fx, nn
from torch._ops import OpOverload as OpOverload  # what a node of an exported graph calls; no public name
from torch.amp import GradScaler
from torch.nn.modules import module as _modules
from torch.optim import Optimizer
from torch.optim import optimizer as _optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils import _pytree
from torch.utils._python_dispatch import is_traceable_wrapper_subclass as is_traceable_wrapper_subclass  # is it a DTensor?

RELEASE = tuple(int(number) for number in torch.__version__.split(".")[:2])

if RELEASE < (2, 4):
    raise ImportError(f"tracelr needs torch 2.4 or newer, and this is torch {torch.__version__}")

# -- optimizers and schedulers ----------------------------------------------------------------------------------------------

SCHEDULER_METHODS = ("_initial_step", "_update_lr", "_get_closed_form_lr")
"""The private methods of `LRScheduler` that torch's own schedulers and the frameworks call: `Scheduler` defines them."""

STEP_COUNT, LAST_LR = "_step_count", "_last_lr"
"""Attributes that `LRScheduler` sets, under the same names in its state."""

MEMBERS = "_schedulers"
"""The attribute with the members of a SequentialLR or ChainedScheduler, under the same name in its state."""

MULTIPLIES_AT_MILESTONE = hasattr(LRScheduler, "_is_initial")
"""Whether a MultiplicativeLR multiplies at the milestone of a SequentialLR at which it begins: torch 2.6 does not, 2.8 does."""

STEPS_AT_MILESTONE = not hasattr(LRScheduler, "_update_lr")
"""Whether the scheduler that begins at a milestone takes a step there, which SWALR counts: it does before torch 2.9."""


def step_hooks(optimizer: Optimizer) -> tuple[dict[int, Any], ...]:
    """Return the hooks that run around `optimizer.step`: four dicts, two of this optimizer and two of every optimizer."""
    return (
        optimizer._optimizer_step_pre_hooks,
        optimizer._optimizer_step_post_hooks,
        _optimizer._global_optimizer_pre_hooks,
        _optimizer._global_optimizer_post_hooks,
    )


def is_of_optimizers(function: Callable[..., Any]) -> bool:
    """Say whether a wrapper of `step` is one of those that `torch.optim.optimizer` defines."""
    return function.__globals__["__name__"] == _optimizer.__name__ if hasattr(function, "__globals__") else False


def beneath_scheduler(step: Any) -> Any:
    """Return the step that one of torch's schedulers has wrapped to notice updates, or `step` if it is something else."""
    name = getattr(step, "__globals__", {}).get("__name__")
    return step.__wrapped__ if name == LRScheduler.__module__ and hasattr(step, "__wrapped__") else step


def leave_scaling_to_scaler(optimizer: Optimizer) -> None:
    """Make a gradient scaler unscale the gradients and skip updates itself, not the kernel of `fused=True`."""
    if getattr(optimizer, "_step_supports_amp_scaling", False):
        optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined]  # torch does not declare it


def scale_of(scaler: GradScaler, device: torch.device) -> Tensor:
    """Return the tensor that holds the present scale; a scaler makes it when it is first used."""
    if scaler._scale is None:
        scaler.scale(torch.zeros((), device=device))
    scale: Tensor = scaler._scale  # type: ignore[assignment]  # torch says None, until it is made
    return scale


def update_scale(scaler: GradScaler, found_inf: Tensor) -> None:
    """Do what `scaler.update()` does after an update in which `found_inf` was not 0, or was."""
    growth, backoff = scaler.get_growth_factor(), scaler.get_backoff_factor()
    torch._amp_update_scale_(
        scaler._scale,  # type: ignore[arg-type]  # made by `scale_of`
        scaler._growth_tracker,  # type: ignore[arg-type]  # made together with it
        found_inf,
        growth,
        backoff,
        scaler.get_growth_interval(),
    )


def makes_state_outside(optimizer: Optimizer) -> bool:
    """Say whether the optimizer makes its state in `_init_group`, as those of torch do. Dynamo runs it outside the graph."""
    return hasattr(optimizer, "_init_group")


def is_contained(scheduler: LRScheduler, optimizer: Any) -> bool:
    """Say whether `scheduler` is a member of a live scheduler of torch, such as a SequentialLR."""
    # Each of them holds its members in a list; no attribute of a member leads back. They patch `optimizer.step`, for good.
    if not hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        return False
    lists = [held for held in gc.get_referrers(scheduler) if type(held) in (list, tuple)]
    holders = gc.get_referrers(*lists) if lists else []
    attributes = [one if type(one) is dict else getattr(one, "__dict__", {}) for one in holders]
    return any(held.get(MEMBERS) is one for held in attributes for one in lists)


def is_tracing() -> bool:
    """Say whether this thread traces a graph. `is_compiling` alone is True in all threads while one of them compiles."""
    if torch.compiler.is_dynamo_compiling():
        return True
    return torch.compiler.is_compiling() and torch._C._len_torch_dispatch_stack() > 0


def members(scheduler: Any) -> list[LRScheduler]:
    """Return the schedulers of a SequentialLR or a ChainedScheduler."""
    return list(getattr(scheduler, MEMBERS))


def milestones(scheduler: Any) -> list[int]:
    """Return the milestones of a SequentialLR."""
    return list(scheduler._milestones)


def anneals_by_cosine(scheduler: Any) -> bool:
    """Say whether a SWALR or a OneCycleLR anneals by a cosine, from the string that each keeps of its argument."""
    if hasattr(scheduler, "anneal_func"):  # a SWALR of torch 2.6 keeps the function
        return bool(scheduler.anneal_func == scheduler._cosine_anneal)
    held = scheduler._anneal_strategy if hasattr(scheduler, "_anneal_strategy") else scheduler._anneal_func_type
    return bool(held == "cos")


def has_own_scale(scheduler: Any) -> bool:
    """Say whether a CyclicLR was given a function as `scale_fn`."""
    return scheduler._scale_fn_custom is not None


def phases(scheduler: Any) -> list[Mapping[str, Any]]:
    """Return the phases of a OneCycleLR, each with its "end_step"."""
    return list(scheduler._schedule_phases)


# -- tensors and modules ----------------------------------------------------------------------------------------------------

foreach_add_ = torch._foreach_add_  # one kernel for a list of tensors, as in torch.optim
foreach_add: Callable[..., Any] = torch._foreach_add  # these give lists, where torch's stubs say tuples
foreach_mul: Callable[..., Any] = torch._foreach_mul
foreach_div: Callable[..., Any] = torch._foreach_div


def total_norm(tensors: list[Tensor]) -> Tensor:
    """Return what `torch.nn.utils.get_total_norm` computes. Dynamo of torch 2.6 does not trace that."""
    norms = torch._foreach_norm(tensors)
    total: Tensor = torch.linalg.vector_norm(torch.stack([norm.to(tensors[0].device) for norm in norms]))
    return total


without_subclass = torch._C.DisableTorchFunctionSubclass
"""The context in which `__torch_function__` computes; torch's guide to subclasses names it."""

tree_leaves, tree_map = _pytree.tree_leaves, _pytree.tree_map  # torch.utils.pytree does not exist in 2.13


def versions(tensors: list[Tensor]) -> list[int]:
    """Return how often each tensor was written to in place."""
    return [tensor._version for tensor in tensors]


def is_eager(tensor: Tensor) -> bool:
    """Say whether an operation on `tensor` runs now: it is not traced by Dynamo, torch.export, FX or make_fx."""
    return type(tensor) is Tensor and not torch.compiler.is_compiling() and not torch._C._len_torch_dispatch_stack()


def version(tensor: Tensor) -> int:
    """Return how often a tensor was written to in place."""
    return tensor._version


def tensors_of(module: nn.Module) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name of every parameter and buffer of a module without its children, each with the dict that holds it."""
    for held in (module._parameters, module._buffers):
        yield from ((name, held) for name, tensor in held.items() if tensor is not None)


def buffers_of(module: nn.Module) -> dict[str, Tensor | None]:
    """Return the dict of the buffers of a module; `register_buffer` refuses an attribute that exists."""
    return module._buffers


def float32(value: float) -> float:
    """Return the float32 nearest to `value`."""
    return c_float(value).value


# -- threads ----------------------------------------------------------------------------------------------------------------

_alone = RLock()


@contextmanager
def alone() -> Iterator[None]:
    """Let one thread at a time trace or compile. Torch's own warnings about itself, which it trips over, are ignored."""
    # torch.export replaces nn.Module.__call__ in the whole process; warnings belong to it too.
    with _alone, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # 2.13
        for text in (
            "At pre-dispatch tracing, we will assume",  # 2.4, of an operator of the user's own
            *("Attempted to insert a get_attr Node", "Node .* does not reference an nn.Module"),  # 2.6
            "The given buffer is not writable",  # 2.11
        ):
            warnings.filterwarnings("ignore", text, UserWarning)
        yield


def let_trace(kind: type[Tensor]) -> None:
    """Let Dynamo trace a class of tensors that defines `__torch_function__` alone; from torch 2.7 on it traces every one."""
    torch._dynamo.config.traceable_tensor_subclasses.add(kind)


def uncompiled(module: nn.Module) -> nn.Module:
    """Return the module that `torch.compile(module)` wraps, or `module`."""
    return getattr(module, "_orig_mod", module)


def gradient_hooks(tensor: Tensor) -> bool:
    """Say whether a tensor has hooks that `backward()` calls."""
    return bool(tensor._backward_hooks) or bool(tensor._post_accumulate_grad_hooks)


def backward_hooks(module: nn.Module) -> bool:
    """Say whether a module has hooks that `backward()` calls."""
    return bool(module._backward_hooks) or bool(module._backward_pre_hooks)


def forward_hooks(module: nn.Module) -> Iterator[dict[int, Any]]:
    """Yield the dicts of the hooks around the forward pass of a module and of those inside it, and of every module."""
    yield from (_modules._global_forward_hooks, _modules._global_forward_pre_hooks)
    for one in module.modules():
        yield from (one._forward_hooks, one._forward_pre_hooks)


def global_backward_hooks() -> bool:
    """Say whether there are hooks that `backward()` calls for every module."""
    return bool(_modules._global_backward_hooks) or bool(_modules._global_backward_pre_hooks)


def parallel_wrapper(module: nn.Module) -> str:
    """Return the name of the wrapper of torch that reduces the gradients of a module over ranks or devices, or ""."""
    names = {base.__name__ for base in type(module).__mro__ if base.__module__.startswith("torch.")}
    wrappers = ("DistributedDataParallel", "FullyShardedDataParallel", "FSDPModule", "DataParallel")
    return next((name for name in wrappers if name in names), "")


def ranks() -> int:
    """Return how many processes train together."""
    distributed = torch.distributed
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


# -- compiling --------------------------------------------------------------------------------------------------------------


def mark_static(tensor: Tensor, guard: bool = False) -> None:
    """Tell Dynamo that a tensor keeps its address, so that a CUDA graph writes to it in place.

    With `guard`, Dynamo guards its identity and nothing else. The optimizer's update marks its parameters so.
    """
    torch._dynamo.mark_static_address(tensor, guard=guard)


def why_not_traced(error: BaseException) -> str | None:
    """Return the first lines of an error of the compiler itself, as one; None for an error of the traced code."""
    from torch._dynamo import exc

    if isinstance(error, exc.FailOnRecompileLimitHit):
        return "more variants than it keeps, as of a Python number that the model changes: TORCH_LOGS=recompiles says which"
    if not isinstance(error, (exc.Unsupported, exc.BackendCompilerFailed, exc.InternalTorchDynamoError, exc.UserError)):
        return None
    lines = [line.strip().removeprefix("Explanation: ") for line in str(error).splitlines() if line.strip()]
    return ". ".join(line.removesuffix(".") for line in lines[:2])


def is_of_backend(error: BaseException) -> bool:
    """Say whether Dynamo has traced a function, and its backend has failed."""
    from torch._dynamo import exc

    return isinstance(error, exc.BackendCompilerFailed)


def recomputes_otherwise(graph: fx.GraphModule) -> bool:
    """Say whether a graph of Dynamo recomputes random numbers, and torch does not refuse it, as 2.13 does; 2.8 does not."""
    if RELEASE >= (2, 13) or all("checkpoint" not in str(node.target) for node in graph.graph.nodes):
        return False
    codes = [one.code for one in graph.modules() if isinstance(one, fx.GraphModule) and one is not graph]
    return any(re.search(r"drop|rand|bernoulli|multinomial|normal_|exponential_|attention", code) for code in codes)


def line_of_output_with_gradient(graph: fx.GraphModule) -> str:
    """Return the line of code that made the first output of a Dynamo graph that requires a gradient, or ""."""
    for node in output_node(graph.graph).all_input_nodes:
        value = node.meta.get("example_value")
        if isinstance(value, Tensor) and value.requires_grad and node.op == "call_function":
            lines = (node.meta.get("stack_trace") or node.name).splitlines()
            return [line.strip() for line in lines if line.strip(" ^~")][-1]
    return ""


@contextmanager
def uncounted() -> Iterator[None]:
    """Let Dynamo trace without counting it among the graphs that it made, because the graph is not kept."""
    from torch._dynamo.utils import counters

    before = {key: counter.copy() for key, counter in counters.items()}
    try:
        yield
    finally:
        counters.clear()
        counters.update(before)


# Modules, classes and builtins of torch change by monkeypatching alone; so does all of tracelr but the precision.
_FIXED = {"MODULE_MATCH", "CLASS_MATCH", "BUILTIN_MATCH"}
_TORCH = ("G['torch']", "G['__import_torch_dot_", "G['__builtins_dict_")


def with_few_guards(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return `options` of `torch.compile` with a filter that drops the guards that cannot fail in a fused step.

    They cost 8 microseconds a call, a third of an update of one small weight. The names are those that Dynamo gives.
    """
    options, inner = dict(options), dict(options.get("options") or {})
    mode, named = options.get("mode"), options.get("mode") not in (None, "default")
    by_options = options.get("backend", "inductor") == "inductor"
    if not filters_guards() or (named and (inner or not by_options)):
        return options
    if named:  # torch.compile takes a mode or options, and a mode is a set of options
        from torch._inductor import list_mode_options

        inner |= list_mode_options(mode, options.get("dynamic"))
    options.pop("mode", None)
    wanted = inner.pop("guard_filter_fn", None)

    def kept(guards: Sequence[Any]) -> list[bool]:
        asked = wanted(guards) if wanted is not None else [True] * len(guards)
        return [bool(a) and not _cannot_fail(guard) for a, guard in zip(asked, guards, strict=True)]

    return options | {"options": inner | {"guard_filter_fn": kept}}


def _cannot_fail(guard: Any) -> bool:
    """Say whether a guard holds as long as the token of the schedules does, which stays guarded.

    A tensor stays guarded: it may be moved, and a tensor field changes its value.
    """
    name, kind = guard.name, guard.guard_type
    if kind == "DUPLICATE_INPUT":  # `torch` is the same in every module; a scheduled tensor is that of its group
        return isinstance(guard.value, (ModuleType, type)) or name.startswith("scheduler.")
    if guard.is_global:
        if "__import_tracelr_" in name:
            return "_forced" not in name
        return kind in _FIXED and name.startswith(_TORCH)
    return name.partition(".")[0] in ("scheduler", "dict(type(scheduler)") and (
        kind != "TENSOR_MATCH" and not name.endswith(".step.token")
    )


def is_dynamo_disabled() -> bool:
    """Say whether TORCH_COMPILE_DISABLE=1 is set."""
    return bool(torch._dynamo.config.disable)


def is_recompile_limit(error: Exception) -> bool:
    """Say whether Dynamo refuses one more variant of a function."""
    from torch._dynamo import exc

    by_text = isinstance(error, exc.Unsupported) and "cache_size_limit reached" in str(error)  # 2.6 has no class for it
    return by_text or isinstance(error, exc.FailOnRecompileLimitHit)


def compile_options() -> set[str]:
    """Return the names that `torch.compile` of this torch takes; "recompile_limit", which is new in 2.13, may be missing."""
    return set(signature(torch.compile).parameters)


def filters_guards() -> bool:
    """Say whether `torch.compile` knows `options={"guard_filter_fn": ...}`. Torch 2.6 does not; some backends ignore it."""
    return "guard_filter_fn" in signature(torch._dynamo.eval_frame._optimize).parameters


def is_of_dynamo(error: Exception) -> bool:
    """Say whether Dynamo raised an error because it cannot trace a function: not a backend, nor on somebody's demand."""
    from torch._dynamo import exc

    dynamo = isinstance(error, (exc.TorchDynamoException, exc.FailOnRecompileLimitHit))
    return dynamo and not isinstance(error, (exc.BackendCompilerFailed, exc.RecompileError))


def make_fx(function: Callable[..., Any], **options: Any) -> Callable[..., fx.GraphModule]:
    """Return the tracer of a function to aten operations; `torch.export` refuses functions that write to their arguments."""
    from torch.fx.experimental.proxy_tensor import make_fx

    return make_fx(function, **options)


def make_fx_of_any(function: Callable[..., Any]) -> Callable[..., fx.GraphModule]:
    """Return the tracer of a function that may close over tensors."""
    return make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)


def fma() -> Any:
    """Return the operator a b + c rounded once, which Inductor's decompositions use, or None if torch does not have it."""
    return getattr(torch.ops.prims, "fma", None) and torch.ops.prims.fma.default


def decompositions() -> dict[Any, Any]:
    """Return the default table of `ExportedProgram.run_decompositions`; it has no public name before torch 2.6."""
    import torch.export

    if hasattr(torch.export, "default_decompositions"):
        return dict(torch.export.default_decompositions())
    from torch._decomp import core_aten_decompositions

    return dict(core_aten_decompositions())


def output_node(graph: fx.Graph) -> fx.Node:
    """Return the node of what a graph returns; the method of this name is new in torch 2.6."""
    last: fx.Node = next(iter(reversed(graph.nodes)))
    return last


# -- lowering ---------------------------------------------------------------------------------------------------------------

READS_ON_HOST = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.item.default)
"""What `float(tensor)` and `tensor.item()` are in a graph."""


def is_mutable(op: OpOverload) -> bool:
    """Say whether an operator writes to its arguments."""
    return op._schema.is_mutable


def qualified_name(function: Callable[..., Any]) -> str:
    """Return the name by which FX prints a function that is not an operator."""
    return fx.node._get_qualified_name(function)


def generated_code(call: Callable[[], object]) -> list[str]:
    """Return the source texts that Inductor generates while `call` runs."""
    from torch._inductor.graph import GraphLowering

    sources: list[str] = []  # run_and_get_code of torch would discard everything else that this process has compiled
    with alone(), mock.patch.object(GraphLowering, "save_output_code", sources.append):
        call()
    return sources


def aoti_compile_and_package(program: Any, path: Any) -> None:
    """Compile an exported program into a package; documented under this name."""
    from torch._inductor import aoti_compile_and_package

    aoti_compile_and_package(program, package_path=path)


def aoti_load_package(path: str) -> Callable[[Tensor], Tensor]:
    """Load such a package, of a program with one input and one output."""
    from torch._inductor import aoti_load_package

    loaded: Callable[[Tensor], Tensor] = aoti_load_package(path)
    return loaded
