"""The schedulers of the Cerebras family, in its words: each is a schedule that is, or can be, bound to an optimizer.

With an optimizer, as the first argument or by keyword, the object is a `tracelr.Scheduler` that drives its learning rate.
Without one it holds `schedule`, and `bind(optimizer)` returns the bound one. `Constant`, `Exponential`, `PiecewiseConstant`
and `Polynomial` are the names and the words of the first release; the others, those of the later ones.

Every later name also takes `param_group_tags`: a tag, or a list of them, picks the param groups whose own "tags" has one of
these; `[None]` picks the groups without tags, and None, the default, every group. The others are left alone. A curve also
takes `disable_lr_steps_reset`: True makes its own time the global step where schedulers follow one another. `decay_steps` is
understood for `total_iters`, `learning_rate` for `initial_learning_rate`, and `val` for the `learning_rate` of `ConstantLR`.

A value that is not allowed raises `ScheduleError` or `ScheduleTypeError`, an optimizer that is not one `OptimizerError`.
Source: cerebras_pytorch 2.10 and the releases before it; `docs/differences.md` says where they are not followed.
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
