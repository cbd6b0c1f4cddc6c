from torch import Tensor

from tracelr.arithmetic import Arithmetic, Wide
from tracelr.fields import Scalar
from tracelr.schedule import Schedule


class Constant(Schedule):
    r"""The same value at every step.

    .. math:: f(t) = c

    with c = `value`.

    >>> import torch
    >>> Constant(0.1)(torch.arange(3))
    tensor([0.1000, 0.1000, 0.1000])
    """

    value: Scalar

    def evaluate(self, step: Tensor, A: Arithmetic) -> Wide:
        return A.full(step, self.value)
