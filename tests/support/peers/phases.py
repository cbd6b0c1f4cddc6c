"""Rows of other libraries for warm-ups, phases and their combinations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim import lr_scheduler

from support.peers.peer import Peer
from support.peers.torch import stepped

READ = "their formula, as in the source, in float64"
ROUNDED = "our rounding to float32"


def formula(f: Callable[[int], float]) -> Callable[[list[int]], Sequence[float]]:
    return lambda steps: [f(step) for step in steps]


def transformers(name: str, lr: float = 1.0, **options: Any) -> Callable[[list[int]], Sequence[float]]:
    """Return the values of `transformers.optimization.<name>` at the steps; its lambda is a function of the step."""

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
            differs="ours keeps the end value; theirs continues, below 0 (linear, sqrt) or up again (cosine)",
        )
        for style, kind, shape in [
            ("linear", "linear", lambda x: 1 - x),
            ("sqrt", "1-sqrt", lambda x: 1 - math.sqrt(x)),
            ("cosine", "cosine", lambda x: 0.5 * (1 + math.cos(math.pi * x))),
        ]
    ),
    Peer(
        "OLMo-core",
        "WSD(warmup_steps=10, decay_steps=20), max_steps=100",
        "WSD(1.0, 10, 70, 20)",
        formula(trapezoid(10, 100, 20, lambda x: 1 - x)),
        (10, 80, 100),
        1e-7,
        READ,
        until=101,
        differs="ours keeps the end value; theirs continues below 0",
    ),
    *(
        Peer(
            "timm",
            f"WSDLRScheduler(optimizer, t_initial=500, decay_t=300, lr_min=0.1, decay_fn='{style}', decay_power=2.0, warmup_t=100)",
            f"WSD(1.0, 100, 200, 300, end=0.1, decay_kind='{kind}', ratio=0.1)",
            formula(
                lambda t, shape=shape: t / 100 if t < 100 else 0.1 + 0.9 * shape(clip((t - 300) / 300)),
            ),
            (100, 300, 600),
            1e-7,
            READ,
        )
        for style, kind, shape in [
            ("1-sqrt", "1-sqrt", lambda x: 1 - math.sqrt(x)),
            ("exp", "exponential", timm_exp),
            ("power", "1-square", lambda x: 1 - x**2.0),
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
            "pytorch_optimizer",
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
        "pytorch_optimizer",
        "get_wsd_schedule(optimizer, 100, 200, 300, min_lr_ratio=0.1, cooldown_type='linear')",
        "WSD(1.0, 100, 200, 300, end=0.1)",
        formula(lambda t: 0.1 if t >= 600 else trapezoid(100, 600, 300, lambda x: 1 - x)(t)),
        (100, 300, 600),
        1e-7,
        READ,
        until=301,
        differs="ours reaches the minimum at the last step; theirs falls to 0 (except its cosine), then jumps up to the minimum",
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

# -- warm-ups around a schedule, and combinations -------------------------------------------------------------------------


def cos(x: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * x))


def nemo(after: Callable[[int], float], warm: int = 100, last: int = 1000, low: float = 0.1) -> Callable[[int], float]:
    return lambda t: (t + 1) / (warm + 1) if t <= warm else low if t > last else after(t)


def keras(steps: list[int]) -> list[float]:
    import os

    os.environ.setdefault("KERAS_BACKEND", "torch")
    from keras.optimizers.schedules import CosineDecay

    schedule = CosineDecay(0.0, 900, alpha=0.1, warmup_target=1.0, warmup_steps=100)
    return [float(schedule(step)) for step in steps]


def optax(steps: list[int]) -> list[float]:
    from optax import warmup_cosine_decay_schedule

    schedule = warmup_cosine_decay_schedule(0.0, 1.0, 100, 1000, 0.1)
    return [float(schedule(step)) for step in steps]


def swa(strategy: Any) -> Callable[[list[int]], Sequence[float]]:
    """Return torch's own example: another scheduler up to and with the iteration 60, SWALR after it."""

    def values(steps: list[int]) -> list[float]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
        anneal = torch.optim.swa_utils.SWALR(optimizer, swa_lr=0.05, anneal_epochs=20, anneal_strategy=strategy)
        found = []
        for step in range(max(steps) + 1):
            found.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            (anneal if step > 60 else decay).step()
        return [found[step] for step in steps]

    return values


def deepspeed_cycle(t: int) -> float:
    u = t + 1  # its counter is one ahead
    if u <= 200:
        return 0.1 + 0.9 * u / 200
    return 0.1 + 0.9 * (500 - u) / 300 if u <= 500 else 0.1 / (1 + 0.5 * (u - 500) / 100)


WARMUPS = [
    Peer(
        "keras",
        "CosineDecay(0.0, 900, alpha=0.1, warmup_target=1.0, warmup_steps=100)",
        "Cosine(1.0, 0.1, 900).warmup(100)",
        keras,
        (100, 1000),
        1e-6,
        "their float32",
    ),
    Peer(
        "optax",
        "warmup_cosine_decay_schedule(0.0, 1.0, warmup_steps=100, decay_steps=1000, end_value=0.1)",
        "Cosine(1.0, 0.1, 900).warmup(100)",
        optax,
        (100, 1000),
        1e-6,
        "their float32",
    ),
    Peer(
        "transformers",
        "get_cosine_with_min_lr_schedule_with_warmup_lr_rate(optimizer, 100, 1000, min_lr_rate=0.1)",
        "Shift(Cosine(1.0, 0.1, 900).warmup(100), by=-1)",
        transformers(
            "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
            num_warmup_steps=100,
            num_training_steps=1000,
            min_lr_rate=0.1,
        ),
        (99, 100, 999),
        1e-7,
        ROUNDED,
        until=1000,
        differs="ours keeps the end value; theirs rises again",
    ),
    *(
        Peer(
            "torch",
            f"SWALR(optimizer, swa_lr=0.05, anneal_epochs=20, anneal_strategy='{strategy}') after 61 steps of ExponentialLR",
            f"Exponential(1.0, 0.99, 1).cooldown(20, at=61, end=0.05, kind='{kind}')",
            swa(strategy),
            (61, 81),
            1e-7,
            "they compute it recursively",
        )
        for strategy, kind in [("cos", "cosine"), ("linear", "linear")]
    ),
    Peer(
        "OLMo-core",
        "CosWithWarmupAndLinearDecay(warmup_steps=100, alpha_f=0.1, decay_steps=100), max_steps=1000",
        "Cosine(1.0, 0.1, 900).warmup(100).cooldown(100, at=900)",
        formula(lambda t: t / 100 if t < 100 else (0.1 + 0.9 * cos((min(t, 900) - 100) / 900)) * min((1000 - t) / 100, 1.0)),
        (100, 900, 1000),
        1e-7,
        READ,
        until=1001,
        differs="ours keeps the end value; theirs continues below 0",
    ),
    Peer(
        "Composer",
        "CosineAnnealingWithWarmupScheduler(t_warmup='100ba', t_max='1000ba', alpha_f=0.1)",
        "Cosine(1.0, 0.1, 900).warmup(100)",
        formula(lambda t: t / 100 if t < 100 else 0.1 + 0.9 * cos(clip((t - 100) / 900))),
        (100, 1000),
        1e-7,
        READ,
    ),
    Peer(
        "Composer",
        "LinearWithWarmupScheduler(t_warmup='100ba', alpha_i=1.0, alpha_f=0.0, t_max='1000ba')",
        "WSD(1.0, 100, 0, 900)",
        formula(lambda t: t / 100 if t < 100 else 1 - clip((t - 100) / 900)),
        (100, 1000),
        1e-7,
        READ,
    ),
    Peer(
        "Composer",
        "MultiStepWithWarmupScheduler(t_warmup='100ba', milestones=['300ba', '600ba'], gamma=0.1)",
        "MultiStep(1.0, 0.1, [300, 600]).warmup(100, prefix=False)",
        formula(lambda t: t / 100 if t < 100 else 0.1 ** ((t >= 300) + (t >= 600))),
        (100, 300, 600),
        1e-7,
        READ,
    ),
    Peer(
        "timm",
        "CosineLRScheduler(optimizer, t_initial=100, lr_min=0.0, warmup_t=20, warmup_prefix=False)",
        "Sequential([Linear(0.0, 1.0, 20), Cosine(1.0, 0.0, 100)], [20], reset=False)",
        formula(lambda t: t / 20 if t < 20 else cos(clip(t / 100))),
        (20, 100),
        1e-7,
        READ,
    ),
    Peer(
        "DeepSpeed",
        "WarmupLR(optimizer, warmup_min_lr=0.1, warmup_max_lr=1.0, warmup_num_steps=100)",
        "Constant(1.0).warmup(99, start=0.1, kind='log')",
        formula(lambda t: 0.1 + 0.9 * (math.log(t + 1) / math.log(100) if t < 100 else 1.0)),
        (99, 100),
        1e-7,
        READ,
    ),
    Peer(
        "DeepSpeed",
        "WarmupDecayLR(optimizer, 1000, warmup_max_lr=1.0, warmup_num_steps=100)",
        "Shift(Linear(1.0, 0.0, 900), by=100).warmup(99, kind='log', prefix=False)",
        formula(lambda t: math.log(t + 1) / math.log(100) if t < 100 else clip((1000 - t) / 900)),
        (99, 100, 1000),
        1e-7,
        READ,
    ),
    Peer(
        "DeepSpeed",
        "WarmupCosineLR(optimizer, 1000, warmup_num_steps=100, cos_min_ratio=0.1, warmup_type='linear')",
        "Shift(Cosine(1.0, 0.1, 900), by=99).warmup(100, prefix=False)",
        formula(lambda t: t / 100 if t < 100 else 0.1 + 0.9 * cos(clip((t - 99) / 900))),
        (100, 999),
        1e-7,
        READ,
    ),
    Peer(
        "DeepSpeed",
        "OneCycle(optimizer, 0.1, 1.0, decay_lr_rate=0.5, cycle_first_step_size=200, cycle_second_step_size=300, "
        "decay_step_size=100)",
        "Shift(Linear(0.1, 1.0, 200).then(Linear(1.0, 0.1, 300)).then(InverseTime(0.1, 0.5, 100)), by=-1)",
        formula(deepspeed_cycle),
        (199, 499),
        1e-7,
        READ,
    ),
    *(
        Peer(
            "DeepSpeed",
            f"LRRangeTest(optimizer, 0.001, lr_range_test_step_size=100, lr_range_test_step_rate=0.5{theirs})",
            f"RangeTest(0.001, 0.5, 100{ours})",
            formula(lambda t, floor=floor: 0.001 * (1 + 0.5 * floor((t + 1) / 100))),
            (99, 999),
            1e-7,
            READ,
        )
        for theirs, ours, floor in [("", "", float), (", lr_range_test_staircase=True", ", staircase=True", math.floor)]
    ),
    Peer(
        "NeMo",
        "CosineAnnealing(optimizer, max_steps=1000, warmup_steps=100, min_lr=0.1)",
        "Cosine(1.0, 0.1, 900).warmup(100, origin='1/(n+1)')",
        formula(nemo(lambda t: 0.1 + 0.9 * cos((t - 100) / 900))),
        (100, 1000),
        1e-7,
        READ,
    ),
    Peer(
        "NeMo",
        "CosineAnnealing(optimizer, max_steps=1000, warmup_steps=100, constant_steps=200, min_lr=0.1)",
        "Cosine(1.0, 0.1, 700).warmup(100)",
        formula(lambda t: t / 100 if t <= 100 else 0.1 + 0.9 * cos(clip((t - 100) / 700))),
        (100, 800, 1000),
        1e-7,
        READ,
    ),
    Peer(
        "NeMo",
        "PolynomialHoldDecayAnnealing(optimizer, max_steps=1000, warmup_steps=100, hold_steps=200, power=2.0, min_lr=0.1)",
        "Constant(1.0).then(Polynomial(1.0, 0.1, 700, 2.0), at=200).warmup(100, origin='1/(n+1)')",
        formula(nemo(lambda t: 1.0 if t < 300 else 0.1 + 0.9 * (1 - (t - 300) / 700) ** 2)),
        (100, 300, 1000),
        1e-7,
        READ,
    ),
    Peer(
        "NeMo",
        "SquareAnnealing(optimizer, max_steps=1000, warmup_steps=100, min_lr=0.1)",
        "Clamp(Polynomial(1.0, 0.0, 900, 2.0), low=0.1).warmup(100, origin='1/(n+1)')",
        formula(nemo(lambda t: max(0.1, ((1000 - t) / 900) ** 2))),
        (100, 715, 1000),
        1e-7,
        READ,
    ),
    Peer(
        "NeMo",
        "SquareRootAnnealing(optimizer, max_steps=1000, warmup_steps=100, min_lr=0.1)",
        "Sequential([Shift(Linear(0.0, 1.0, 101), by=-1), Clamp(Polynomial(1.0, 0.0, 1000, 0.5), low=0.1)], [101], reset=False)",
        formula(nemo(lambda t: max(0.1, ((1000 - t) / 1000) ** 0.5))),
        (101, 990, 1000),
        1e-7,
        READ,
    ),
    Peer(
        "fairseq",
        "polynomial_decay: warmup_updates=100, total_num_update=1000, power=2.0, end_learning_rate=0.1",
        "Polynomial(1.0, 0.1, 900, 2.0).warmup(100)",
        formula(lambda t: t / 100 if t <= 100 else 0.1 + 0.9 * (1 - clip((t - 100) / 900)) ** 2),
        (100, 1000),
        1e-7,
        READ,
    ),
    Peer(
        "fairseq",
        "cosine: warmup_updates=100, warmup_init_lr=0.01, min_lr=0.1, lr_period_updates=900, t_mult=1, lr_shrink=0.1",
        "Cosine(1.0, 0.1, 900).warmup(100, start=0.01)",
        formula(
            lambda t: (
                0.01 + 0.99 * t / 100 if t < 100 else 0.1 ** ((t - 100) // 900) * (0.1 + 0.9 * cos(((t - 100) % 900) / 900))
            )
        ),
        (100, 1000),
        1e-7,
        READ,
        until=1000,
        differs="ours keeps the end value; theirs starts the next period, lower at both ends (here `Loop` with `Step`)",
    ),
    Peer(
        "fvcore",
        "CompositeParamScheduler([LinearParamScheduler(0, 1), CosineParamScheduler(1, 0.1)], [0.1, 0.9], ['rescaled'] * 2)",
        "Linear(0.0, 1.0, 100).then(Cosine(1.0, 0.1, 900))",
        formula(lambda t: t / 100 if t < 100 else 0.1 + 0.9 * cos(clip((t - 100) / 900))),
        (100, 1000),
        1e-7,
        READ + "; theirs ends at 1000",
    ),
]

LAMBDAS = [
    Peer(
        "torch",
        "LambdaLR(optimizer, lambda k: 0.95 ** (k // 30))",
        "Lambda(lambda step: 0.1 * 0.95 ** (step // 30).double())",
        stepped(lambda o: lr_scheduler.LambdaLR(o, lambda k: 0.95 ** (k // 30))),
        (30, 1000),
        1e-7,
        "their float64, computed step by step",
    ),
    Peer(
        "torch",
        "MultiplicativeLR(optimizer, lambda k: 0.99)",
        "Exponential(0.1, 0.99, 1)",
        stepped(lambda o: lr_scheduler.MultiplicativeLR(o, lambda k: 0.99)),
        (1000,),
        1e-7,
        "their float64, computed step by step",
    ),
]

PEERS = [*WSD, *WARMUPS, *LAMBDAS]
