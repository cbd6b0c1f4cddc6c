"""The names that are made of other schedulers, or of functions, bound to the learning rate."""

from typing import final

from tracelr.cerebras import CURVES, FACTORS
from tracelr.lr_scheduler.made import Lambda, Made, chained, in_turn, scaled
from tracelr.lr_scheduler.named import TAGS, Rate


@final
class SequentialLR(Made, Rate, curve=in_turn):
    r"""One scheduler after another: `tracelr.Sequential`.

    .. math:: f(t) = f_k(t - m_{k-1}), \quad m_{k-1} \le t < m_k, \quad m_{-1} = 0

    with f = `schedulers`, each one of this module or a tracelr schedule, and m = `milestones`, the steps **at** which the
    next one starts: exactly one fewer, strictly increasing. Without them, each but the last runs for its own length
    (`total_iters`). The own time of one with `disable_lr_steps_reset` is t. `last_epoch` is torch's: -1 starts from 0.

    >>> import torch
    >>> from tracelr.lr_scheduler import ConstantLR, LinearLR
    >>> SequentialLR([LinearLR(0.0, 1.0, total_iters=2), ConstantLR(0.5)]).schedule(torch.arange(4))
    tensor([0.0000, 0.5000, 0.5000, 0.5000])
    """

    extras = (TAGS,)


@final
class ChainedLR(Made, Rate, curve=chained):
    r"""The first scheduler times what each other one has become of its first value: a `tracelr.Product`.

    .. math:: f(t) = f_0(t) \prod_{k > 0} \frac{f_k(t)}{f_k(0)}

    with f = `schedulers`, each one of this module or a tracelr schedule; none but the first may start at 0. All of them
    have the same time. The original divides by the parameter `initial_learning_rate`, which not every scheduler has, and
    which is not the first value of `InverseSquareRootDecayLR`. `ChainedScheduler` is another name of this.

    >>> from tracelr.lr_scheduler import LinearLR, StepLR
    >>> ChainedLR([LinearLR(1.0, 0.0, total_iters=4), StepLR(0.1, step_size=2, gamma=0.5)]).schedule(2)
    tensor(0.2500)
    """

    extras = (TAGS,)


ChainedScheduler = ChainedLR


@final
class ScalePerParamLR(Made, Rate, curve=scaled):
    """A scheduler times the `adjust_learning_rate` of each param group, 1 for a group without: layer-wise decay, muP.

    `scheduler` is one of this module or a tracelr schedule. This one goes around a whole, never into one.

    >>> from tracelr.lr_scheduler import ConstantLR
    >>> ScalePerParamLR(ConstantLR(0.1)).factor
    'adjust_learning_rate'
    """

    extras = (TAGS,)
    factor = FACTORS["lr"]


class LambdaLR(Lambda, Rate, curve=CURVES["Lambda"]):  # not final: the original is there to be derived from
    r"""A rate times functions of the step: `tracelr.Lambda`.

    .. math:: f(t) = s \prod_k g_k(t)

    with s = `initial_learning_rate`, and g = `lr_lambda`, a function or a list of them, or what `set_value_lambda` of a
    derived class returns. A function takes the step as an int64 tensor and returns a floating tensor. The original
    multiplies by s once for every function; torch's list has one function for each param group.
    """
