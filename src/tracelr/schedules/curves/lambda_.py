import hashlib
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias, final

import torch
from torch import Tensor, nn

from tracelr import _torch
from tracelr.arithmetic import Arithmetic, Real
from tracelr.errors import ScheduleError, ScheduleTypeError, TraceError, Unquoted
from tracelr.schedules import fields
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, endless
from tracelr.schedules.fitting import Fit

_ALLOWED = "tensor operations alone: no `if` on the step, no .item(), int(step), NumPy or random number"


@final
class Function:
    """A user's function of the step. Its `identity` is 16 hex digits of the graph that it traces to."""

    def __init__(self, call: Callable[[Tensor], Tensor], identity: str) -> None:
        self.call, self.identity = call, identity

    def __call__(self, step: Tensor) -> Tensor:
        return self.call(step)

    def __repr__(self) -> str:
        return f"<{getattr(self.call, '__qualname__', type(self.call).__name__)} {self.identity}>"


@final
class _Function(fields.Rule):
    allowed = "a function that maps an int64 tensor of steps to a floating point tensor of the same shape"

    def parse(self, where: str, given: Any) -> Function:
        if isinstance(given, Function):
            return given
        if isinstance(given, str):
            raise ScheduleTypeError(where, given, self.allowed, "pass the function itself: a file cannot hold one")
        if isinstance(given, nn.Module) or not callable(given):
            fix = "use the schedule as it is" if isinstance(given, Schedule) else "pass a function"
            raise ScheduleTypeError(where, given, self.allowed, fix)
        graphs = [self._traced(where, given, torch.zeros(shape, dtype=torch.int64)) for shape in ((), (7,))]
        return Function(given, hashlib.sha256("\n".join(graphs).encode()).hexdigest()[:16])

    def _traced(self, where: str, given: Callable[[Tensor], Tensor], step: Tensor) -> str:
        """Return the graph of the function, with its constants, as text; raise with the tracer's reason if there is none."""
        try:
            graph = _torch.make_fx_of_any(given)(step)
        except Exception as error:
            said = Unquoted(
                f"a function that cannot be traced ({type(error).__name__}: {str(error).strip().splitlines()[0]})"
            )
            raise TraceError(where, said, _ALLOWED, "write torch.where(step < n, a, b) in place of `if`") from error
        (result,) = _torch.output_node(graph.graph).args
        value = getattr(result, "meta", {}).get("val")
        if not isinstance(value, Tensor):
            raise ScheduleTypeError(where, Unquoted(f"a function that returns {result!r}"), self.allowed, "return a tensor")
        if value.shape != step.shape or not value.is_floating_point():
            kind, shape = str(value.dtype).removeprefix("torch."), list(value.shape)
            said = Unquoted(
                f"a function that returns a {kind} tensor of shape {shape} for steps of shape {list(step.shape)}"
            )
            raise ScheduleError(where, said, self.allowed, "compute with step.double(), element by element")
        ops = [node.target for node in graph.graph.nodes if node.op == "call_function"]
        random = torch.Tag.nondeterministic_seeded
        impure = [op for op in ops if op in _torch.READS_ON_HOST or random in getattr(op, "tags", ())]
        if impure:
            said = Unquoted(f"a function that calls {impure[0]}")
            raise TraceError(where, said, _ALLOWED, "make the value a function of the step alone")
        tensors = dict(sorted([*graph.named_buffers(), *graph.named_parameters()]))
        if any(tensor.requires_grad for tensor in tensors.values()):
            said = Unquoted("a function that closes over a tensor that requires grad")
            allowed = "numbers and constant tensors around a function"
            raise ScheduleError(where, said, allowed, "write a Schedule with the tensor in a field of type Scalar")
        constants = [f"{tensor.dtype} {tensor.tolist()}" for tensor in tensors.values()]
        return "\n".join([graph.code, *constants])


Callback: TypeAlias = Annotated[Callable[[Tensor], Tensor], _Function()]


class Lambda(Schedule):
    r"""A function of the step, written in torch operations. Nothing is known about its end.

    .. math:: f(t) = g(t)

    with g = `function`. It takes an int64 tensor of steps, of any shape, and returns a floating point tensor of that shape,
    which is rounded to float32 once. An int64 step times a Python float is float32 already, so compute with `step.double()`
    if the last bits matter. The function is traced once, when the schedule is built: a Python `if` on the step, `.item()` or
    a random number is an error, and numbers that it closes over become constants.

    A file cannot hold a function. `to_dict` and `fingerprint` write 16 hex digits of its graph, which change with the
    formula, and `from_dict` refuses them. A function of a module can be pickled, a `lambda` cannot. For a formula that is
    used more than once, write a class derived from `Schedule`. Source: torch `LambdaLR`, whose function gives a factor.

    >>> import torch
    >>> Lambda(lambda step: 0.5 * 0.1 ** (step // 2).double())(torch.arange(5))
    tensor([0.5000, 0.5000, 0.0500, 0.0500, 0.0050])
    """

    function: Callback

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return ops.full(step, self.function(step))

    def fitted(self, fit: Fit, origin: int) -> "Lambda":
        given, allowed = Unquoted("a function of the step"), "schedules with numbers of steps in their fields"
        raise ScheduleError("Lambda.over", given, allowed, "write the function for the new length, or use Stretch")

    def own_segments(self) -> Segments:
        return endless(self, "as its function says", turns=True)
