"""Warm-ups, phases and what other libraries put together out of them, beside ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from peer import Peer

READ = "read in its source, in float64"
ROUNDED = "our last rounding, to float32"


def formula(f: Callable[[int], float]) -> Callable[[list[int]], Sequence[float]]:
    return lambda steps: [f(step) for step in steps]


def transformers(name: str, lr: float = 1.0, **options: Any) -> Callable[[list[int]], Sequence[float]]:
    """Return what `transformers.optimization.<name>` gives at the steps; its lambda is a function of the step."""

    def values(steps: list[int]) -> list[float]:
        import transformers.optimization as library

        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
        factor = getattr(library, name)(optimizer, **options).lr_lambdas[0]
        return [lr * factor(step) for step in steps]

    return values


def clip(x: float) -> float:
    return min(max(x, 0.0), 1.0)


# -- warm-up, stable, decay -----------------------------------------------------------------------------------------------


def trapezoid(warm: int, total: int, decay: int, shape: Callable[[float], float]) -> Callable[[int], float]:
    """Return a factor: linear from 0 to 1 at `warm`, 1, and `shape` of the last `decay` of `total` steps."""
    return lambda t: t / warm if t < warm else shape(max(0.0, (t - total + decay) / decay))


def torchtitan(warm: int, total: int, decay: int, shape: Callable[[float], float], low: float) -> Callable[[int], float]:
    flat = total + 1 - decay  # one virtual step more than the run has

    def factor(t: int) -> float:
        if t < warm:
            return (t + 1) / warm
        return 1.0 if t < flat else low + (1 - low) * shape((t + 1 - flat) / decay)

    return factor


def timm_exp(x: float, r: float = 0.1) -> float:
    return (r ** min(x, 1.0) - r) / (1 - r)


def tri_stage(t: int, warm: int = 400, hold: int = 300, decay: int = 1000, low: float = 0.01) -> float:
    if t < warm:
        return low + (1 - low) * t / warm
    if t < warm + hold:
        return 1.0
    return math.exp(math.log(low) / decay * (t - warm - hold)) if t <= warm + hold + decay else low


def hf_wsd(warm: str, decay: str, low: float) -> Peer:
    given = f"warmup_type='{warm}', decay_type='{decay}', min_lr_ratio={low}"
    return Peer(
        "transformers",
        f"get_wsd_schedule(optimizer, 100, 300, num_stable_steps=200, {given})",
        f"WSD(1.0, 100, 200, 300, start={low}, end={low}, warm_kind='{warm}', decay_kind='{decay}')",
        transformers(
            "get_wsd_schedule",
            num_warmup_steps=100,
            num_stable_steps=200,
            num_decay_steps=300,
            warmup_type=warm,
            decay_type=decay,
            min_lr_ratio=low,
        ),
        (100, 300, 600),
        1e-7,
        ROUNDED,
    )


WSD = [
    *(
        hf_wsd(*kinds)
        for kinds in [
            ("linear", "linear", 0.0),
            ("linear", "cosine", 0.0),
            ("linear", "1-sqrt", 0.1),
            ("cosine", "linear", 0.1),
            ("cosine", "cosine", 0.1),
            ("cosine", "1-sqrt", 0.0),
            ("1-sqrt", "linear", 0.0),
            ("1-sqrt", "cosine", 0.1),
            ("1-sqrt", "1-sqrt", 0.0),
        ]
    ),
    *(
        Peer(
            "Megatron-LM",
            f"lr_decay_style='WSD', lr_wsd_decay_style='{style}', warm-up 100 of 600, wsd_decay_steps=300",
            f"WSD(1.0, 100, 200, 300, end=0.1, decay_kind='{kind}')",
            formula(lambda t, shape=shape: t / 100 if t <= 100 else 0.1 + 0.9 * shape(clip((t - 300) / 300))),
            (100, 300, 600),
            1e-7,
            READ,
        )
        for style, kind, shape in [
            ("linear", "linear", lambda x: 1 - x),
            ("cosine", "cosine", lambda x: 0.5 * (math.cos(math.pi * x) + 1)),
            ("exponential", "exponential", lambda x: 2 * 0.5**x - 1),
            ("minus_sqrt", "1-sqrt", lambda x: 1 - math.sqrt(x)),
        ]
    ),
    *(
        Peer(
            "torchtitan",
            f"build_lr_schedulers: warmup_steps=10, total_steps=100, decay_ratio=0.2, decay_type='{style}', min_lr_factor=0.1",
            f"WSD(1.0, 0, 70, 20, end=0.1, decay_kind='{kind}').warmup(10, origin='1/n')",
            formula(torchtitan(10, 100, 20, shape, 0.1)),
            (9, 80, 99),
            1e-7,
            READ,
            until=101,
            differs="holds the end; theirs goes on, below 0 (linear, sqrt) or up again (cosine)",
        )
        for style, kind, shape in [
            ("linear", "linear", lambda x: 1 - x),
            ("sqrt", "1-sqrt", lambda x: 1 - math.sqrt(x)),
            ("cosine", "cosine", lambda x: 0.5 * (1 + math.cos(math.pi * x))),
        ]
    ),
    Peer(
        "OLMo-core",
        "WSD(warmup=10, decay=20, t_max=100)",
        "WSD(1.0, 10, 70, 20)",
        formula(trapezoid(10, 100, 20, lambda x: 1 - x)),
        (10, 80, 100),
        1e-7,
        READ,
        until=101,
        differs="holds the end; theirs goes on below 0",
    ),
    *(
        Peer(
            "timm",
            f"WSDLRScheduler(optimizer, t_initial=500, decay_t=300, lr_min=0.1, decay_fn='{style}', warmup_t=100)",
            f"WSD(1.0, 100, 200, 300, end=0.1, decay_kind='{kind}')",
            formula(
                lambda t, shape=shape: t / 100 if t < 100 else 0.1 + 0.9 * shape(clip((t - 300) / 300)),
            ),
            (100, 300, 600),
            1e-7,
            READ,
        )
        for style, kind, shape in [
            ("1-sqrt", "1-sqrt", lambda x: 1 - math.sqrt(x)),
            ("exp', decay_ratio=0.1, stable_fn='constant", "exponential', ratio=0.1, warm_kind='linear", timm_exp),
            ("power', decay_power=2.0, stable_fn='constant", "1-square", lambda x: 1 - x**2.0),
        ]
    ),
    Peer(
        "timm",
        "WSDLRScheduler(optimizer, t_initial=500, decay_t=300, decay_fn='linear', stable_fn='rsqrt', warmup_t=100)",
        "(Shift(InverseSqrt(1.0, 100), by=-100) * WSD(1.0, 0, 200, 300)).warmup(100)",
        formula(lambda t: t / 100 if t < 100 else (1 + (t - 100) / 100) ** -0.5 * (1 - clip((t - 300) / 300))),
        (100, 300, 600),
        1e-7,
        READ,
    ),
    *(
        Peer(
            "kozistr/pytorch_optimizer",
            f"get_wsd_schedule(optimizer, 100, 200, 300, cooldown_type='{kind}')",
            f"WSD(1.0, 100, 200, 300, decay_kind='{kind}')",
            formula(trapezoid(100, 600, 300, lambda x, shape=shape: shape(clip(x)))),
            (100, 300, 600),
            1e-7,
            READ,
        )
        for kind, shape in [
            ("cosine", lambda x: 0.5 * (1 + math.cos(math.pi * x))),
            ("1-sqrt", lambda x: 1 - math.sqrt(x)),
            ("1-square", lambda x: 1 - x**2),
            ("linear", lambda x: 1 - x),
        ]
    ),
    Peer(
        "kozistr/pytorch_optimizer",
        "get_wsd_schedule(optimizer, 100, 200, 300, min_lr_ratio=0.1, cooldown_type='linear')",
        "WSD(1.0, 100, 200, 300, end=0.1)",
        formula(lambda t: 0.1 if t >= 600 else trapezoid(100, 600, 300, lambda x: 1 - x)(t)),
        (100, 300, 600),
        1e-7,
        READ,
        until=301,
        differs="reaches the minimum at the last step; theirs falls to 0 (except its cosine), then jumps up to it",
    ),
    Peer(
        "fairseq",
        "tri_stage: warmup_steps=400, hold_steps=300, decay_steps=1000, init_lr_scale=0.01, final_lr_scale=0.01",
        "WSD(1.0, 400, 300, 1000, start=0.01, end=0.01, decay_kind='exponential', ratio=0.01)",
        formula(tri_stage),
        (400, 700, 1700),
        1e-7,
        READ,
    ),
]

PEERS = [*WSD]
