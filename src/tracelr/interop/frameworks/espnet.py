"""ESPnet and WeNet: YAML with `scheduler: warmuplr`, `scheduler_conf` and `optim_conf.lr`.

They ask for the step after the update. Source: espnet2/schedulers, wenet/utils/scheduler.py; WeNet has copies of NeMo's
schedulers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools import lengths, nemo_names, torch_names
from tracelr.interop._tools.pieces import drop_first, per_epoch, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.constant import Constant
from tracelr.schedules.curves.inverse_sqrt import InverseSqrt
from tracelr.schedules.fields import named

EXAMPLE = """\
optim: adam
optim_conf: {lr: 0.0025}
scheduler: warmuplr
scheduler_conf: {warmup_steps: 40000}
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    conf = isinstance(mapping.get("scheduler"), str) and ("scheduler_conf" in mapping or "optim_conf" in mapping)
    return conf and isinstance(mapping.get("optim_conf", {}), Mapping)


def read(s: Section) -> Schedule:
    optim, conf = s.section("optim_conf"), s.section("scheduler_conf", optional=True)
    name, peak = s.text("scheduler"), optim.number("lr")
    if name.lower() in ("warmuplr", "noamlr"):
        warm = conf.count("warmup_steps", default=25_000)
        if name.lower() == "noamlr":
            peak = peak * conf.number("model_size", default=320) ** -0.5 * warm**-0.5
            conf.number("factor", default=1.0)
        if warm < 1:
            raise conf.refuse("warmup_steps", allowed="1 or more", fix="write the steps of the warm-up")
        return drop_first(warmed(InverseSqrt(peak, warm), peak, warm, same_clock=True))
    if named(name, nemo_names.NAMES):
        conf.ignore("max_steps")
        return nemo_names.build(conf, name, peak, lambda: int(conf.count("max_steps")))
    if name.lower() == "reducelronplateau":
        raise s.metric("scheduler", instead="warmuplr")
    known = {each.lower(): each for each in torch_names.NAMES}
    if name.lower() not in known:
        raise s.where.refuse(
            Unquoted(f"the scheduler {name}"), ", ".join(["warmuplr", "noamlr", *nemo_names.NAMES, *known]), "use one"
        )
    if name.lower() in ("onecyclelr", "cycliclr"):  # these two are stepped after each update
        return torch_names.build(conf, known[name.lower()], peak)
    epochs = s.count("max_epoch", default=None)
    curve = torch_names.build(conf, known[name.lower()], peak)
    says = lengths.epochs_of(None, 1, epochs) if epochs else "a scheduler that is stepped once per epoch"
    if isinstance(curve, Constant):
        return curve
    accumulation = s.count("accum_grad", default=1, low=1)
    return s.build(per_epoch, curve, lengths.per_epoch(s, epochs, says, None, accumulation))
