"""The schedulers of `cerebras_pytorch`, with its names and parameters, bound to an optimizer or not.

With an optimizer, as the first argument or by keyword, the object is a `tracelr.Scheduler` that drives its learning rate.
Without one it holds `schedule`, and `bind(optimizer)` returns a bound scheduler. `Constant`, `Exponential`,
`PiecewiseConstant` and `Polynomial` have the names and parameters of the first release; the other classes have those of
later releases.

The classes of later releases also take `param_group_tags`. A tag, or a list of tags, picks the param groups whose "tags" has
one of these; `[None]` picks the groups without tags, and None, the default, picks every group. The scheduler does not touch
the other groups. A curve also takes `disable_lr_steps_reset`; with True its time in a sequence is the global step.
`decay_steps` is accepted for `total_iters`, `learning_rate` for `initial_learning_rate`, and `val` for the `learning_rate`
of `ConstantLR`.

A value that is not allowed raises `ScheduleError` or `ScheduleTypeError`, an optimizer that is not one `OptimizerError`.
Source: cerebras_pytorch 2.10 and the releases before it; `docs/differences.md` lists the differences.
"""

from tracelr.lr_scheduler.combined import ChainedLR as ChainedLR
from tracelr.lr_scheduler.combined import ChainedScheduler as ChainedScheduler
from tracelr.lr_scheduler.combined import LambdaLR as LambdaLR
from tracelr.lr_scheduler.combined import ScalePerParamLR as ScalePerParamLR
from tracelr.lr_scheduler.combined import SequentialLR as SequentialLR
from tracelr.lr_scheduler.curves import ConstantLR as ConstantLR
from tracelr.lr_scheduler.curves import CosineAnnealingLR as CosineAnnealingLR
from tracelr.lr_scheduler.curves import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from tracelr.lr_scheduler.curves import CosineDecayLR as CosineDecayLR
from tracelr.lr_scheduler.curves import CyclicLR as CyclicLR
from tracelr.lr_scheduler.curves import ExponentialLR as ExponentialLR
from tracelr.lr_scheduler.curves import InverseExponentialTimeDecayLR as InverseExponentialTimeDecayLR
from tracelr.lr_scheduler.curves import InverseSquareRootDecayLR as InverseSquareRootDecayLR
from tracelr.lr_scheduler.curves import LinearLR as LinearLR
from tracelr.lr_scheduler.curves import MultiplicativeLR as MultiplicativeLR
from tracelr.lr_scheduler.curves import MultiStepLR as MultiStepLR
from tracelr.lr_scheduler.curves import OneCycleLR as OneCycleLR
from tracelr.lr_scheduler.curves import PiecewiseConstantLR as PiecewiseConstantLR
from tracelr.lr_scheduler.curves import PolynomialLR as PolynomialLR
from tracelr.lr_scheduler.curves import StepLR as StepLR
from tracelr.lr_scheduler.first_release import Constant as Constant
from tracelr.lr_scheduler.first_release import Exponential as Exponential
from tracelr.lr_scheduler.first_release import PiecewiseConstant as PiecewiseConstant
from tracelr.lr_scheduler.first_release import Polynomial as Polynomial
