"""AllenNLP: jsonnet or JSON with `trainer.learning_rate_scheduler: {type: slanted_triangular}`.

It asks for the step after the update. Source: allennlp/training/learning_rate_schedulers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools import lengths
from tracelr.interop._tools.pieces import drop_first, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.curves.linear import Linear
from tracelr.schedules.curves.polynomial import Polynomial

EXAMPLE = """\
trainer:
  num_epochs: 10
  optimizer: {type: adam, lr: 1.0e-5}
  learning_rate_scheduler: {type: noam, model_size: 512, warmup_steps: 4000}
"""
_TYPES = ("slanted_triangular", "linear_with_warmup", "polynomial_decay", "noam")


def matches(mapping: Mapping[Any, Any]) -> bool:
    trainer = mapping.get("trainer")
    return isinstance(trainer, Mapping) and isinstance(trainer.get("learning_rate_scheduler"), Mapping)


def read(s: Section) -> Schedule:
    trainer = s.section("trainer")
    lr, peak = trainer.section("learning_rate_scheduler"), trainer.section("optimizer").number("lr")
    if lr.given.get("type") == "reduce_on_plateau":
        raise lr.metric("type", instead=", ".join(_TYPES))
    kind = lr.choice({each: each for each in _TYPES}, "type")
    if kind == "noam":
        warm = lr.count("warmup_steps", low=1)
        peak = peak * lr.number("factor", default=1.0) * lr.number("model_size") ** -0.5 * warm**-0.5
        return drop_first(warmed(InverseSqrt(peak, warm), peak, warm, same_clock=True))
    epochs, accumulation = trainer.count("num_epochs"), trainer.count("num_gradient_accumulation_steps", default=1)
    own = lr.count("num_steps_per_epoch", default=None)
    total = (
        epochs * own if own else lengths.total(s, epochs, lengths.epochs_of(None, 1, epochs), None, accumulation, ceil=True)
    )
    if kind == "slanted_triangular":
        for key in ("gradual_unfreezing", "discriminative_fine_tuning"):
            if lr.flag(key):
                raise lr.refuse(key, allowed="false", fix="write it in the training program")
        lr.ignore("decay_factor")
        cut, low = (
            lr.part("warm-up", lr.number("cut_frac", default=0.1), total, int),
            peak / lr.number("ratio", default=32.0),
        )
        return drop_first(warmed(lr.build(Linear, peak, low, total - cut), peak, cut, low))
    warm = lr.count("warmup_steps", default=0)
    power, low = (
        (1.0, 0.0)
        if kind == "linear_with_warmup"
        else (lr.number("power", default=1.0), lr.number("end_learning_rate", default=0.0))
    )
    return drop_first(warmed(lr.build(Polynomial, peak, low, total - warm, power), peak, warm))
