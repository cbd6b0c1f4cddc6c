"""tracelr: learning-rate schedules as tensor expressions, traced into the compiled training graph.

Every schedule is a name of this package (`tracelr.Linear`, `tracelr.Cosine`, ...). `import tracelr` alone does not import
torch: the first name that is used does. So the command line answers `--help` at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracelr import arithmetic, errors, lowering, lr_scheduler, schedules, weight_decay_scheduler
    from tracelr.arithmetic import precision
    from tracelr.fused.fuse import fuse
    from tracelr.fused.train_step import TrainStep
    from tracelr.interop._tools.units import Units
    from tracelr.interop.load import from_dict, load, load_schedule
    from tracelr.interop.native.expression import parse
    from tracelr.interop.torch.read import from_torch
    from tracelr.optim.distributed import check_ranks
    from tracelr.optim.logged import log
    from tracelr.optim.plateau import Greedy, Plateau
    from tracelr.optim.scheduler import Scheduler
    from tracelr.schedules.assignment import Assignment
    from tracelr.schedules.base import Schedule
    from tracelr.schedules.compose import Clamp, Loop, Product, Scale, Sequential, Shift, Shorten, Stretch, Sum
    from tracelr.schedules.curves.constant import Constant
    from tracelr.schedules.curves.cosine import Cosine
    from tracelr.schedules.curves.cosine_annealing import CosineAnnealing
    from tracelr.schedules.curves.cosine_power import CosinePower
    from tracelr.schedules.curves.cosine_waves import CosineWaves
    from tracelr.schedules.curves.cyclic import Cyclic
    from tracelr.schedules.curves.exponential import Exponential
    from tracelr.schedules.curves.interpolate import Interpolate
    from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
    from tracelr.schedules.curves.inverse_time import InverseTime
    from tracelr.schedules.curves.k_decay import KDecay
    from tracelr.schedules.curves.lambda_ import Lambda
    from tracelr.schedules.curves.linear import Linear
    from tracelr.schedules.curves.multi_step import MultiStep
    from tracelr.schedules.curves.noise import Noise
    from tracelr.schedules.curves.one_cycle import OneCycle
    from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
    from tracelr.schedules.curves.polynomial import Polynomial
    from tracelr.schedules.curves.power_law import PowerLaw
    from tracelr.schedules.curves.ramp import Ramp
    from tracelr.schedules.curves.range_test import RangeTest
    from tracelr.schedules.curves.rex import Rex
    from tracelr.schedules.curves.step import Step
    from tracelr.schedules.curves.tanh import Tanh
    from tracelr.schedules.curves.warm_restarts import WarmRestarts
    from tracelr.schedules.curves.wsd import WSD
    from tracelr.schedules.standard import inverse_sqrt, warmup_constant, warmup_cosine, warmup_linear, wsd

__version__ = "0.1.0"

__all__ = [
    "WSD",
    "Assignment",
    "Clamp",
    "Constant",
    "Cosine",
    "CosineAnnealing",
    "CosinePower",
    "CosineWaves",
    "Cyclic",
    "Exponential",
    "Greedy",
    "Interpolate",
    "InverseSqrt",
    "InverseTime",
    "KDecay",
    "Lambda",
    "Linear",
    "Loop",
    "MultiStep",
    "Noise",
    "OneCycle",
    "PiecewiseConstant",
    "Plateau",
    "Polynomial",
    "PowerLaw",
    "Product",
    "Ramp",
    "RangeTest",
    "Rex",
    "Scale",
    "Schedule",
    "Scheduler",
    "Sequential",
    "Shift",
    "Shorten",
    "Step",
    "Stretch",
    "Sum",
    "Tanh",
    "TrainStep",
    "Units",
    "WarmRestarts",
    "arithmetic",
    "check_ranks",
    "errors",
    "from_dict",
    "from_torch",
    "fuse",
    "inverse_sqrt",
    "load",
    "load_schedule",
    "log",
    "lowering",
    "lr_scheduler",
    "parse",
    "precision",
    "schedules",
    "warmup_constant",
    "warmup_cosine",
    "warmup_linear",
    "weight_decay_scheduler",
    "wsd",
]

_LAZY = {
    "TrainStep": "tracelr.fused.train_step:TrainStep",
    "Units": "tracelr.interop._tools.units:Units",
    "from_dict": "tracelr.interop.load:from_dict",
    "from_torch": "tracelr.interop.torch.read:from_torch",
    "fuse": "tracelr.fused.fuse:fuse",
    "load": "tracelr.interop.load:load",
    "load_schedule": "tracelr.interop.load:load_schedule",
    "log": "tracelr.optim.logged:log",
    "lowering": "tracelr.lowering",
    "lr_scheduler": "tracelr.lr_scheduler",
    "parse": "tracelr.interop.native.expression:parse",
    "weight_decay_scheduler": "tracelr.weight_decay_scheduler",
}
"""What is imported when it is first used, because a program that trains in eager code needs none of it."""

_FIRST = {
    **{name: f"tracelr.schedules:{name}" for name in __all__ if name not in _LAZY},
    "arithmetic": "tracelr.arithmetic",
    "errors": "tracelr.errors",
    "schedules": "tracelr.schedules",
    "precision": "tracelr.arithmetic:precision",
    "Greedy": "tracelr.optim.plateau:Greedy",
    "Plateau": "tracelr.optim.plateau:Plateau",
    "Scheduler": "tracelr.optim.scheduler:Scheduler",
    "check_ranks": "tracelr.optim.distributed:check_ranks",
}
"""What is imported with the first name that is used."""

if not TYPE_CHECKING:  # for a type checker it would make an object of every misspelled name

    def __getattr__(name: str) -> object:
        if name not in _LAZY and name not in _FIRST:
            raise AttributeError(f"module 'tracelr' has no attribute {name!r}")
        homes = {name: _LAZY[name]} if name in _LAZY else _FIRST
        for own, home in homes.items():
            module, _, attribute = home.partition(":")
            found = import_module(module)
            globals()[own] = getattr(found, attribute) if attribute else found
        return globals()[name]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
