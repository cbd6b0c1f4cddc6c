"""tracelr: learning-rate schedules as tensor expressions, traced into the compiled training graph.

Every schedule is a name of this package (`tracelr.Linear`, `tracelr.Cosine`, ...).
"""

from importlib import import_module
from typing import TYPE_CHECKING

from tracelr import schedules as schedules
from tracelr.arithmetic import precision as precision
from tracelr.assignment import Assignment as Assignment
from tracelr.compose import Clamp as Clamp
from tracelr.compose import Loop as Loop
from tracelr.compose import Product as Product
from tracelr.compose import Scale as Scale
from tracelr.compose import Sequential as Sequential
from tracelr.compose import Shift as Shift
from tracelr.compose import Shorten as Shorten
from tracelr.compose import Stretch as Stretch
from tracelr.compose import Sum as Sum
from tracelr.config import from_dict as from_dict
from tracelr.config import load as load
from tracelr.config import load_schedule as load_schedule
from tracelr.from_torch import from_torch as from_torch
from tracelr.fuse import fuse as fuse
from tracelr.plateau import Greedy as Greedy
from tracelr.plateau import Plateau as Plateau
from tracelr.ranks import check_ranks as check_ranks
from tracelr.schedule import REGISTRY
from tracelr.schedule import Schedule as Schedule
from tracelr.scheduler import Scheduler as Scheduler
from tracelr.spec_text import parse as parse
from tracelr.train_step import TrainStep as TrainStep
from tracelr.units import Units as Units

if TYPE_CHECKING:  # at run time every curve is found by its file; type checkers want them by name
    from tracelr import lowering as lowering
    from tracelr import lr_scheduler as lr_scheduler
    from tracelr import weight_decay_scheduler as weight_decay_scheduler
    from tracelr.schedules.constant import Constant as Constant
    from tracelr.schedules.cosine import Cosine as Cosine
    from tracelr.schedules.cosine_annealing import CosineAnnealing as CosineAnnealing
    from tracelr.schedules.cosine_power import CosinePower as CosinePower
    from tracelr.schedules.cosine_waves import CosineWaves as CosineWaves
    from tracelr.schedules.cyclic import Cyclic as Cyclic
    from tracelr.schedules.exponential import Exponential as Exponential
    from tracelr.schedules.interpolate import Interpolate as Interpolate
    from tracelr.schedules.inverse_sqrt import InverseSqrt as InverseSqrt
    from tracelr.schedules.inverse_time import InverseTime as InverseTime
    from tracelr.schedules.k_decay import KDecay as KDecay
    from tracelr.schedules.lambda_ import Lambda as Lambda
    from tracelr.schedules.linear import Linear as Linear
    from tracelr.schedules.multi_step import MultiStep as MultiStep
    from tracelr.schedules.noise import Noise as Noise
    from tracelr.schedules.one_cycle import OneCycle as OneCycle
    from tracelr.schedules.piecewise_constant import PiecewiseConstant as PiecewiseConstant
    from tracelr.schedules.polynomial import Polynomial as Polynomial
    from tracelr.schedules.power_law import PowerLaw as PowerLaw
    from tracelr.schedules.ramp import Ramp as Ramp
    from tracelr.schedules.range_test import RangeTest as RangeTest
    from tracelr.schedules.rex import Rex as Rex
    from tracelr.schedules.step import Step as Step
    from tracelr.schedules.tanh import Tanh as Tanh
    from tracelr.schedules.warm_restarts import WarmRestarts as WarmRestarts
    from tracelr.schedules.wsd import WSD as WSD

__version__ = "0.1.0"
globals().update(REGISTRY)


def __getattr__(name: str) -> object:
    if name in ("lowering", "lr_scheduler", "weight_decay_scheduler"):  # reachable without an import, loaded when first used
        return import_module(f"tracelr.{name}")
    raise AttributeError(f"module 'tracelr' has no attribute {name!r}")
