"""MaxText: YAML with `steps`, `learning_rate`, `warmup_steps_fraction` and `learning_rate_final_fraction`.

Source: maxtext src/maxtext/utils/maxtext_utils.py; its base.yml has the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.interop._tools.pieces import decay, then, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant

EXAMPLE = """\
steps: 150001
learning_rate: 3.0e-5
warmup_steps_fraction: 0.1
learning_rate_final_fraction: 0.1
"""
_OWN = (
    "warmup_steps_fraction",
    "cosine_learning_rate_final_fraction",
    "learning_rate_final_fraction",
    "learning_rate_schedule_steps",
)


def matches(mapping: Mapping[Any, Any]) -> bool:
    own = any(key in mapping for key in _OWN) and ("steps" in mapping or "learning_rate_schedule_steps" in mapping)
    base = any(key in mapping for key in ("base_config", "base_output_directory")) and not isinstance(
        mapping.get("base_config"), Mapping
    )
    return own or (base and "learning_rate" in mapping and ("per_device_batch_size" in mapping or "base_config" in mapping))


def read(s: Section) -> Schedule:
    peak = s.number("learning_rate", default=3e-5)
    run, length = _steps(s, "steps"), _steps(s, "learning_rate_schedule_steps")
    s.ignore("diloco_outer_lr", "use_splash_scheduler", "local_use_splash_scheduler", "distill_alpha_schedule")
    if run is None and length is None:
        if "steps" in s.given:
            raise s.missing("steps", "the number of steps")
        run = s.count("steps", default=150_001)
    length = length or run
    run = run or length
    assert length is not None
    assert run is not None
    warm = s.part("warm-up", s.number("warmup_steps_fraction", default=0.1), length, int)
    low = peak * s.number("learning_rate_final_fraction", "cosine_learning_rate_final_fraction", default=0.1)
    wsd = s.choice({"cosine": False, "wsd": True}, "lr_schedule_type", default="cosine", fold=str.lower)
    fall, kind = length - warm, "cosine"
    s.ignore("wsd_decay_steps_fraction", "wsd_decay_style")
    if wsd:
        fall = s.part("decay", s.number("wsd_decay_steps_fraction", default=0.1), length, int)
        kind = s.choice({"linear": "linear", "cosine": "cosine"}, "wsd_decay_style", default="linear")
    main = then(Constant(peak), length - warm - fall, s.build(decay, kind, peak, low, fall - 1))
    curve = warmed(main, peak, warm)
    return curve if run <= length else then(curve, length, Constant(0.0))


def _steps(s: Section, key: str) -> int | None:
    s.ignore(key)
    return None if s.given.get(key) in (-1, None) else s.count(key)
