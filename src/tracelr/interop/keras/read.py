"""Reads what `keras.optimizers.schedules.serialize(schedule)` returns: `class_name` and `config`.

`module` and `registered_name` may be left out, and `name` is only a label. The configurations of older releases and of
tf.keras have the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import ScheduleError, Unquoted
from tracelr.interop._tools import checks
from tracelr.interop._tools.calls import Builder, Count, Number, Numbers, OptionalNumber, Steps, Switch, Whole, call
from tracelr.interop._tools.checks import Place, choose, only_keys
from tracelr.schedules.base import Schedule
from tracelr.schedules.compose import Sequential
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.cosine import Cosine
from tracelr.schedules.curves.exponential import Exponential
from tracelr.schedules.curves.inverse_time import InverseTime
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.piecewise_constant import PiecewiseConstant
from tracelr.schedules.curves.polynomial import Polynomial
from tracelr.schedules.curves.warm_restarts import WarmRestarts
from tracelr.schedules.fields import named

EXAMPLE = """\
class_name: CosineDecay
config: {initial_learning_rate: 0.0, warmup_target: 6.0e-4, warmup_steps: 2000, decay_steps: 98000, alpha: 0.1}
"""
_KEYS = ("class_name", "config", "module", "registered_name", "build_config", "compile_config")


def matches(mapping: Mapping[Any, Any]) -> bool:
    """Return whether `mapping` is a serialized object of Keras."""
    compiled = mapping.get("compile_config")
    serialized = isinstance(mapping.get("class_name", ()), str) and (len(mapping) < 3 or "config" in mapping)
    return serialized or (isinstance(compiled, Mapping) and "optimizer" in compiled)


def read(mapping: Mapping[Any, Any], where: Place) -> Schedule:
    """Return the schedule that a serialized object of Keras describes."""
    if "class_name" not in mapping:
        if not isinstance(mapping.get("compile_config"), Mapping):
            raise where.refuse(mapping, "a serialized object of Keras", "write its class_name and config")
        mapping, where = mapping["compile_config"], where / "compile_config"
        mapping, where = mapping.get("optimizer", {}), where / "optimizer"
        if not isinstance(mapping, Mapping) or "class_name" not in mapping:
            raise where.refuse(mapping, "a serialized optimizer", "write its class_name and config")
    if isinstance(mapping.get("compile_config"), Mapping) and "optimizer" in mapping["compile_config"]:
        return read({"compile_config": mapping["compile_config"]}, where)
    inner = mapping.get("config")
    if isinstance(inner, Mapping) and "learning_rate" in inner and not named(mapping["class_name"], CLASSES):
        return _optimizer(mapping["class_name"], inner, where / "config")
    only_keys(where, mapping, _KEYS)
    module = mapping.get("module")
    if module is not None and not (isinstance(module, str) and module.split(".")[0] in ("keras", "tf_keras")):
        raise (where / "module").refuse(
            module, "keras.optimizers.schedules", "write the formula of your own class as a Schedule"
        )
    name, config = mapping["class_name"], mapping.get("config")
    build = choose(where / "class_name", name, CLASSES)
    if not isinstance(config, Mapping):
        given = Unquoted("a mapping without the key config") if "config" not in mapping else config
        raise (where / "config").refuse(
            given, "a mapping of the arguments", "write config: {initial_learning_rate: ..., ...}"
        )
    return call(where / "config", name, build, config, beside=("name",))


def _optimizer(name: object, config: Mapping[Any, Any], where: Place) -> Schedule:
    """Return the schedule of a serialized optimizer; `decay`, which older releases had, divides the rate by 1 + decay k."""
    choose(where, name, {each: each for each in OPTIMIZERS})
    given, where = config["learning_rate"], where / "learning_rate"
    if isinstance(given, Mapping):
        if checks.is_given(config.get("decay")):
            raise where.refuse(Unquoted("a schedule beside decay"), "one of them", "remove decay")
        return read(given, where)
    decay = checks.number(where, config.get("decay") or 0.0)
    rate = checks.number(where, given)
    return InverseTime(rate, decay, 1) if decay else Constant(rate)


def _exponential(
    initial_learning_rate: Number, decay_steps: Count, decay_rate: Number, staircase: Switch = False
) -> Schedule:
    return Exponential(initial_learning_rate, decay_rate, decay_steps, staircase)


def _inverse_time(
    initial_learning_rate: Number, decay_steps: Count, decay_rate: Number, staircase: Switch = False
) -> Schedule:
    return InverseTime(initial_learning_rate, decay_rate, decay_steps, staircase=staircase)


def _piecewise_constant(boundaries: Steps, values: Numbers) -> Schedule:
    # In Keras the old value still holds at the boundary; here a value starts at its milestone.
    return PiecewiseConstant(values, [boundary + 1 for boundary in boundaries])


def _polynomial(
    initial_learning_rate: Number,
    decay_steps: Count,
    end_learning_rate: Number = 1e-4,
    power: Number = 1.0,
    cycle: Switch = False,
) -> Schedule:
    return Polynomial(initial_learning_rate, end_learning_rate, decay_steps, power, cycle)


def _cosine(
    initial_learning_rate: Number,
    decay_steps: Count,
    alpha: Number = 0.0,
    warmup_target: OptionalNumber = None,
    warmup_steps: Whole = 0,
) -> Schedule:
    if warmup_target is None:  # then Keras has no warm-up, whatever warmup_steps is
        return Cosine(initial_learning_rate, alpha * initial_learning_rate, decay_steps)
    if warmup_steps < 0:
        raise ScheduleError("warmup_steps", warmup_steps, "a number of steps, 0 or more", "write one")
    decay = Cosine(warmup_target, alpha * warmup_target, decay_steps)
    if warmup_steps == 0:
        return decay
    return Sequential([Linear(initial_learning_rate, warmup_target, warmup_steps), decay], [warmup_steps])


def _restarts(
    initial_learning_rate: Number,
    first_decay_steps: Count,
    t_mul: Number = 2.0,
    m_mul: Number = 1.0,
    alpha: Number = 0.0,
) -> Schedule:
    floor = alpha * initial_learning_rate
    if m_mul == 1 or alpha == 0:
        return WarmRestarts(initial_learning_rate, floor, first_decay_steps, t_mul, m_mul)
    # m_mul multiplies the height above the floor, not the peak.
    return WarmRestarts(initial_learning_rate - floor, 0.0, first_decay_steps, t_mul, m_mul) + Constant(floor)


OPTIMIZERS = (
    "SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Adafactor", "Nadam", "Ftrl", "Lion", "Lamb", "Muon",
    "LossScaleOptimizer", "Custom>Adam", "Custom>AdamW",
)  # fmt: skip
CLASSES: dict[str, Builder] = {
    "ExponentialDecay": _exponential,
    "PiecewiseConstantDecay": _piecewise_constant,
    "PolynomialDecay": _polynomial,
    "InverseTimeDecay": _inverse_time,
    "CosineDecay": _cosine,
    "CosineDecayRestarts": _restarts,
}
"""The classes of `keras.optimizers.schedules`, each with the builder of its own signature."""
