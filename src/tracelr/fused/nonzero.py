"""A scheduled number as torch's optimizers take one inside a graph: a tensor that is asked nothing about its value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

import torch
from torch import Tensor

from tracelr import _torch

# What torch's optimizers ask of a number, and its answer for 0.
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

    They ask whether the number is 0, which no graph can answer: it is above 0, for the graph; and they pass it as `alpha`,
    which takes Python numbers only: the product is written out. Everything else is the tensor's own.
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
            if func is Tensor.__rsub__:  # Dynamo cannot look through it
                return torch.rsub(*args)
            return func(*args, **kwargs)
