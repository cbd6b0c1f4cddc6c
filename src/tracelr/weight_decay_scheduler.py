"""The schedulers of `tracelr.lr_scheduler` for the weight decay: the same curves, under `...WD` names.

Their parameters are called `val`, `vals`, `initial_val`, `end_val`, `base_val` and `max_val` where those of the
learning rate are `learning_rate`, `learning_rates`, `initial_learning_rate`, `end_learning_rate`, `base_lr` and
`max_lr`. Every class takes `param_group_tags`. Names of parameters from older releases are not accepted, because those
had no such schedulers.

>>> import torch
>>> groups = [{"params": [torch.nn.Parameter(torch.zeros(3))]}]
>>> optimizer = torch.optim.AdamW(groups)
>>> scheduler = LinearWD(optimizer, initial_val=0.0, end_val=0.1, total_iters=4)
>>> optimizer.step(); scheduler.step()
>>> optimizer.param_groups[0]["weight_decay"]
0.025
"""

from typing import final

from tracelr.interop.cerebras.curves import CURVES, FACTORS
from tracelr.lr_scheduler.base import CerebrasScheduler
from tracelr.lr_scheduler.combined import CombinedScheduler, LambdaScheduler, chained, scaled, sequential


class _WeightDecayScheduler(CerebrasScheduler):
    """Abstract base of the schedulers that drive the weight decay."""

    key = "weight_decay"


@final
class ConstantWD(_WeightDecayScheduler, curve=CURVES["Constant"]):
    """`ConstantLR` for the weight decay."""


@final
class PolynomialWD(_WeightDecayScheduler, curve=CURVES["Polynomial"]):
    """`PolynomialLR` for the weight decay."""


@final
class LinearWD(_WeightDecayScheduler, curve=CURVES["Linear"]):
    """`LinearLR` for the weight decay."""


@final
class ExponentialWD(_WeightDecayScheduler, curve=CURVES["Exponential"]):
    """`ExponentialLR` for the weight decay."""


@final
class InverseExponentialTimeDecayWD(_WeightDecayScheduler, curve=CURVES["InverseExponentialTimeDecay"]):
    """`InverseExponentialTimeDecayLR` for the weight decay."""


@final
class InverseSquareRootDecayWD(_WeightDecayScheduler, curve=CURVES["InverseSquareRootDecay"]):
    """`InverseSquareRootDecayLR` for the weight decay."""


@final
class CosineDecayWD(_WeightDecayScheduler, curve=CURVES["CosineDecay"]):
    """`CosineDecayLR` for the weight decay."""


@final
class PiecewiseConstantWD(_WeightDecayScheduler, curve=CURVES["PiecewiseConstant"]):
    """`PiecewiseConstantLR` for the weight decay."""


@final
class MultiStepWD(_WeightDecayScheduler, curve=CURVES["MultiStep"]):
    """`MultiStepLR` for the weight decay."""


@final
class StepWD(_WeightDecayScheduler, curve=CURVES["Step"]):
    """`StepLR` for the weight decay."""


@final
class CosineAnnealingWD(_WeightDecayScheduler, curve=CURVES["CosineAnnealing"]):
    """`CosineAnnealingLR` for the weight decay."""


@final
class CosineAnnealingWarmRestartsWD(_WeightDecayScheduler, curve=CURVES["CosineAnnealingWarmRestarts"]):
    """`CosineAnnealingWarmRestarts` for the weight decay."""


@final
class MultiplicativeWD(_WeightDecayScheduler, curve=CURVES["Multiplicative"]):
    """`MultiplicativeLR` for the weight decay."""


@final
class CyclicWD(_WeightDecayScheduler, curve=CURVES["Cyclic"]):
    """`CyclicLR` for the weight decay."""


@final
class OneCycleWD(_WeightDecayScheduler, curve=CURVES["OneCycle"]):
    """`OneCycleLR` for the weight decay."""


@final
class SequentialWD(CombinedScheduler, _WeightDecayScheduler, curve=sequential):
    """`SequentialLR` for the weight decay, from `...WD` schedulers or tracelr schedules."""


@final
class ChainedWD(CombinedScheduler, _WeightDecayScheduler, curve=chained):
    """`ChainedLR` for the weight decay, from `...WD` schedulers or tracelr schedules."""


@final
class ScalePerParamWD(CombinedScheduler, _WeightDecayScheduler, curve=scaled):
    """`ScalePerParamLR` for the weight decay, times the `adjust_val` of each param group and no other number.

    In the original, `adjust_learning_rate` of a group takes precedence, so that a factor of the rate scales the decay too.
    """

    factor = FACTORS["weight_decay"]


class LambdaWD(LambdaScheduler, _WeightDecayScheduler, curve=CURVES["Lambda"]):  # not final, as `LambdaLR`
    """`LambdaLR` for the weight decay, with `val_lambda` in place of `lr_lambda`."""
