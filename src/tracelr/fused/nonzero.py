"""NonZeroScalar: a scheduled number that reports itself as nonzero while torch's optimizers are traced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

import torch
from torch import Tensor

from tracelr import _torch

# The comparisons of torch's optimizers with 0, and what a number above 0 answers.
_AGAINST_0 = {
    Tensor.__ne__: True,
    Tensor.ne: True,
    Tensor.__gt__: True,
    Tensor.gt: True,
    Tensor.__eq__: False,
    Tensor.eq: False,
}


@final
class NonZeroScalar(Tensor):
    """A 0-d tensor that torch's optimizers may hold under "weight_decay" or "momentum" while Dynamo traces them.

    They branch on `weight_decay != 0`, which depends on data: here comparisons with 0 answer as for a number above 0. They
    pass the number as `alpha`, which must be a Python number: here the product is a separate operation.
    """

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in _AGAINST_0 and not isinstance(args[1], Tensor) and args[1] == 0:
            return _AGAINST_0[func]
        with _torch.without_subclass():
            if isinstance(kwargs.get("alpha"), NonZeroScalar):
                alpha = kwargs.pop("alpha")
                foreach = func in (_torch.foreach_add, _torch.foreach_add_)
                args = (args[0], _torch.foreach_mul(args[1], alpha) if foreach else args[1] * alpha)
            if func is Tensor.__rsub__:  # Dynamo cannot trace it
                return torch.rsub(*args)
            return func(*args, **kwargs)
