"""Rows of other libraries for single curves, and for curves that are compositions here (power laws, factor strings)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optax
import torch
import transformers

from support.peers.peer import Peer

Values = Callable[[list[int]], Sequence[float]]

ONCE = "our rounding to float32"
SINGLE = "their float32 throughout"


def at(formula: Callable[[int], float]) -> Values:
    """Return the values of `formula` at the steps, in Python's floats."""
    return lambda steps: [formula(step) for step in steps]


def hf(build: Callable[..., Any], *args: int, **kwargs: float) -> Values:
    """Return 0.1 times the values of the library's function at the steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    (factor,) = build(optimizer, *args, **kwargs).lr_lambdas
    return at(lambda t: 0.1 * factor(t))


def formula(library: str, theirs: str, ours: str, value: Callable[[int], float], *ends: int, **differs: Any) -> Peer:
    return Peer(library, theirs, ours, at(value), ends, 2e-7, ONCE, **differs)


# -- curves with a class ---------------------------------------------------------------------------------------------------


def tanh(t: int) -> float:
    x = t / 300
    return 1e-5 + 0.5 * (0.1 - 1e-5) * (1 - math.tanh(-7.0 * (1 - x) + 3.0 * x)) if t < 300 else 1e-5


def cosine_k(t: int) -> float:
    return 1e-3 + 0.5 * (0.1 - 1e-3) * (1 + math.cos(math.pi * t**1.5 / 1000**1.5)) if t < 1000 else 1e-3


def polynomial_k(t: int) -> float:
    return 1e-3 + (0.1 - 1e-3) * (1 - t**2.0 / 1000**2.0) ** 0.5 if t < 1000 else 1e-3


def rex(t: int) -> float:
    x = t / 1000
    return 0.001 + (0.1 - 0.001) * ((1 - x) / (1 - x / 2)) if t < 1000 else 0.001


def waves(cycles: str, start: int = 0) -> Peer:
    wave = f"CosineWaves(0.1, 0.0, {1000 - start}, {cycles})"
    ours = f"Linear(0.0, 0.1, {start}).then({wave})" if start else wave
    call = f"get_cosine_schedule_with_warmup(optimizer, {start}, 1000, num_cycles={cycles})"
    theirs = hf(transformers.get_cosine_schedule_with_warmup, start, 1000, num_cycles=eval(cycles))
    return Peer("transformers", call, ours, theirs, (start or 1, 500, 1000), 2e-7, ONCE)


def restarts(cycles: int, steps: int = 1000) -> Peer:
    call = f"get_cosine_with_hard_restarts_schedule_with_warmup(optimizer, 0, {steps}, num_cycles={cycles})"
    ours = f"CosineWaves(0.1, 0.0, {steps}, {cycles}, restart=True)"
    theirs = hf(transformers.get_cosine_with_hard_restarts_schedule_with_warmup, 0, steps, num_cycles=cycles)
    return Peer("transformers", call, ours, theirs, (steps // cycles, steps), 2e-7, ONCE)


CURVES = [
    formula(
        "timm", "TanhLRScheduler(optimizer, 300, lr_min=1e-5)", "Tanh(0.1, 1e-5, 300).then(Constant(1e-5))", tanh, 210, 300
    ),
    formula(
        "timm",
        "TanhLRScheduler(optimizer, 300, lr_min=1e-5), alone",
        "Tanh(0.1, 1e-5, 300)",
        tanh,
        210,
        300,
        until=300,
        differs="ours keeps its last value, which is not `end`; theirs jumps to lr_min",
    ),
    formula(
        "timm",
        "CosineLRScheduler(optimizer, 1000, lr_min=1e-3, k_decay=1.5)",
        "KDecay(0.1, 1e-3, 1000, k=1.5)",
        cosine_k,
        1000,
    ),
    formula(
        "timm",
        "PolyLRScheduler(optimizer, 1000, power=0.5, lr_min=1e-3, k_decay=2.0)",
        "KDecay(0.1, 1e-3, 1000, k=2.0, power=0.5)",
        polynomial_k,
        1000,
    ),
    formula(
        "pytorch_optimizer", "REXScheduler(optimizer, 1000, max_lr=0.1, min_lr=0.001)", "Rex(0.1, 0.001, 1000)", rex, 1000
    ),
    Peer(
        "optax",
        "cosine_decay_schedule(0.1, 1000, alpha=0.1, exponent=2.5)",
        "CosinePower(0.1, 0.01, 1000, 2.5)",
        lambda steps: optax.cosine_decay_schedule(0.1, 1000, 0.1, 2.5)(np.array(steps)).tolist(),
        (1000,),
        1e-6,
        SINGLE,
    ),
    waves("0.5"),
    waves("1"),
    waves("1.5", 100),
    waves("1 / 3"),
    waves("7"),
    restarts(1),
    restarts(3, 999),
    restarts(4),
    restarts(7),
]

# -- powers of the step ----------------------------------------------------------------------------------------------------

PEAK = (512 * 400) ** -0.5  # Noam's, for d_model = 512 and 400 steps of warm-up
NEMO = "max_steps=10_000, min_lr=0"


def noam(t: int) -> float:
    return 512**-0.5 * min(t**-0.5, t * 400**-1.5) if t else 0.0


def fairseq_inverse_sqrt(t: int) -> float:
    return t * 0.1 / 400 if t < 400 else 0.1 * 400**0.5 * t**-0.5


def megatron_inverse_sqrt(t: int) -> float:
    if t <= 100:
        return 0.1 * t / 100
    return max(0.01, 0.1 * 100**0.5 / max(t, 1) ** 0.5) if t <= 20_000 else 0.01


def nemo_inverse_sqrt(t: int) -> float:
    return 0.1 * (t + 1) / 101 if t <= 100 else 0.1 / ((t + 1) / 101) ** 0.5


def nemo_noam_hold(t: int) -> float:
    if t <= 100:
        return 0.1 * (t + 1) / 101
    return 0.1 if t < 300 else 0.1 * max(1, 100**0.6) / max(1, (t - 200) ** 0.6)


def big_vision_rsqrt(t: int) -> float:
    rate = 0.1 / math.sqrt(1 + (t + 20 - 100) / 50) if t >= 100 else 0.1 / math.sqrt(1 + 20 / 50)
    return rate * min(1.0, t / 100) * min(1.0, max(0, 1000 - t) / 200)


def levanter_inverse_sqrt(t: int) -> float:
    return 0.1 * t / 100 if t < 100 else max(0.03, 0.1 * min(1.0, 1 / math.sqrt(max(t - 100 + 100, 1) / 200)))


def levanter_inverse(t: int) -> float:
    return max(0.01, 0.1 * min(1.0, 1 / ((0.1 / 0.01 - 1) * max(t, 1) / 1000 + 1)))


def levanter_power(t: int) -> float:
    return min(0.1, 256 * 4.6 * (t * 256 * 4096) ** -0.51) if t else 0.1


def olmo_inverse_sqrt(t: int) -> float:
    return 0.1 * t / 100 if t < 100 else 0.01 + (0.1 - 0.01) * math.sqrt(100 / max(100, t))


POWERS = [
    Peer(
        "transformers",
        "get_inverse_sqrt_schedule(optimizer, 100)",
        "Sequential([Linear(0.0, 0.1, 100), InverseSqrt(0.1, 100)], [100], reset=False)",
        hf(transformers.get_inverse_sqrt_schedule, 100),
        (100, 1000),
        2e-7,
        ONCE,
    ),
    Peer(
        "transformers",
        "get_inverse_sqrt_schedule(optimizer, 100, timescale=50)",
        "Sequential([Linear(0.0, 0.1, 100), PowerLaw(0.1, 0.5, 50, shift=-50)], [100], reset=False)",
        hf(transformers.get_inverse_sqrt_schedule, 100, timescale=50),
        (100, 1000),
        2e-7,
        ONCE,
    ),
    Peer(
        "transformers",
        "get_inverse_sqrt_schedule(optimizer, 0)",
        "PowerLaw(0.1, 0.5, 10_000, shift=10_000)",
        hf(transformers.get_inverse_sqrt_schedule, 0),
        (10_000,),
        2e-7,
        ONCE,
    ),
    formula(
        "fairseq",
        "inverse_sqrt: lr=0.1, warmup_updates=400",
        "Sequential([Linear(0.0, 0.1, 400), InverseSqrt(0.1, 400)], [400], reset=False)",
        fairseq_inverse_sqrt,
        400,
        2000,
    ),
    formula(
        "Megatron-LM",
        "inverse-square-root: max_lr=0.1, min_lr=0.01, lr_warmup_steps=100, lr_decay_steps=20_000",
        "Sequential([Linear(0.0, 0.1, 100), Clamp(InverseSqrt(0.1, 100), low=0.01), Constant(0.01)], [100, 20_001], "
        "reset=False)",
        megatron_inverse_sqrt,
        100,
        10_000,
        20_000,
    ),
    formula(
        "NeMo",
        f"InverseSquareRootAnnealing(optimizer, warmup_steps=100, {NEMO})",
        "Sequential([Shift(Linear(0.0, 0.1, 101), -1), PowerLaw(0.1, 0.5, 101, shift=1)], [100], reset=False)",
        nemo_inverse_sqrt,
        100,
        1000,
    ),
    formula(
        "NeMo",
        f"T5InverseSquareRootAnnealing(optimizer, constant_steps=1000, {NEMO})",
        "PowerLaw(1000**-0.5, 0.5, 1000)",
        lambda t: 1 / max(t, 1000) ** 0.5,
        1000,
        2000,
    ),
    formula(
        "NeMo",
        f"NoamAnnealing(optimizer, d_model=512, warmup_steps=400, {NEMO}), lr=1",
        f"Sequential([Clamp(Linear(0.0, {PEAK!r}, 400), low={PEAK / 400!r}), InverseSqrt({PEAK!r}, 400)], [400], reset=False)",
        lambda t: noam(max(t, 1)),
        400,
        2000,
    ),
    formula(
        "NeMo",
        f"NoamHoldAnnealing(optimizer, decay_rate=0.6, warmup_steps=100, hold_steps=200, {NEMO})",
        "Sequential([Shift(Linear(0.0, 0.1, 101), -1), PowerLaw(0.1, 0.6, 100, shift=-200)], [100], reset=False)",
        nemo_noam_hold,
        100,
        300,
        1000,
    ),
    formula(
        "Paddle",
        "NoamDecay(512, 400)",
        f"Sequential([Linear(0.0, {PEAK!r}, 400), InverseSqrt({PEAK!r}, 400)], [400], reset=False)",
        noam,
        400,
        2000,
    ),
    formula(
        "flax",
        "rsqrt_schedule(0.1, shift=100)",
        "PowerLaw(0.1, 0.5, 100, shift=100)",
        lambda t: 0.1 * (t + 100) ** -0.5 * 100**0.5,
        1000,
    ),
    formula(
        "big_vision",
        "rsqrt: timescale=50, shift=20, warmup_steps=100, cooldown_steps=200, total_steps=1000, lr 0.1",
        "Product([Linear(0.0, 1.0, 100), PowerLaw((5 / 7)**0.5 * 0.1, 0.5, 70, shift=-30), Shift(Linear(1.0, 0.0, 200), 800)])",
        big_vision_rsqrt,
        100,
        800,
        1000,
    ),
    formula(
        "Levanter",
        "inv_sqrt: lr=0.1, min_lr_ratio=0.3, warmup=100, timescale=200",
        "Linear(0.0, 0.1, 100).then(Clamp(PowerLaw(0.1, 0.5, 200, shift=100), low=0.03))",
        levanter_inverse_sqrt,
        100,
        200,
        3000,
    ),
    formula(
        "Levanter",
        "inv: lr=0.1, min_lr_ratio=0.1, decay of 1000 steps",
        "Clamp(InverseTime(0.1, 9.0, 1000), low=0.01, high=0.1 / 1.009)",
        levanter_inverse,
        1,
        1000,
    ),
    formula(
        "Levanter",
        "power: lr=0.1, batch_size=256, seq_length=4096, a=4.6, b=-0.51",
        "Clamp(PowerLaw(256 * 4.6 * 2**(20 * -0.51), 0.51), high=0.1)",
        levanter_power,
        92,
        100_000,
    ),
    formula(
        "OLMo-core",
        "InvSqrtWithWarmup(warmup=100, alpha_f=0.1)",
        "Sequential([Linear(0.0, 0.1, 100), PowerLaw(0.09, 0.5, 100) + 0.01], [100], reset=False)",
        olmo_inverse_sqrt,
        100,
        2000,
    ),
    formula(
        "ParameterSchedulers.jl",
        "Inv(0.1, 0.01, 2)",
        "PowerLaw(0.1, 2, 100, shift=100)",
        lambda t: 0.1 / (1 + t * 0.01) ** 2,
        1000,
    ),
]

# -- factor strings --------------------------------------------------------------------------------------------------------


def factors(names: str) -> Callable[[int], float]:
    """Return base_learning_rate=0.5, warmup_steps=100, decay_factor=0.5, steps_per_decay=300, steps_per_cycle=400."""
    table: dict[str, Callable[[int], float]] = {
        "constant": lambda t: 0.5,
        "linear_warmup": lambda t: min(1.0, t / 100),
        "rsqrt_decay": lambda t: 1 / math.sqrt(max(t, 100)),
        "rsqrt_normalized_decay": lambda t: math.sqrt(100) / math.sqrt(max(t, 100)),
        "decay_every": lambda t: 0.5 ** (t // 300),
        "cosine_decay": lambda t: 0.5 * (1 + math.cos(math.pi * (max(0.0, (t - 100) / 400) % 1.0))),
    }
    return lambda t: math.prod(table[name](t) for name in names.split(" * "))


STRINGS = [
    formula(
        "T5-style factors", f'"{names}"', f"Product([Constant(0.5), Linear(0.0, 1.0, 100), {ours}])", factors(names), *ends
    )
    for names, ours, ends in [
        ("constant * linear_warmup * rsqrt_decay", "InverseSqrt(0.1, 100)", (100, 1000)),
        (
            "constant * linear_warmup * rsqrt_normalized_decay * decay_every",
            "InverseSqrt(1.0, 100), Step(1.0, 0.5, 300)",
            (100, 300, 900),
        ),
        ("constant * linear_warmup * cosine_decay", "Shift(WarmRestarts(1.0, 0.0, 400), 100)", (100, 500, 900)),
    ]
]

# -- exponentials, stairs, sums --------------------------------------------------------------------------------------------


def linear_cosine(t: int) -> float:
    x = min(t, 1000) / 1000
    return 0.1 * ((0.1 + 1 - x) * 0.5 * (1 + math.cos(math.pi * 2 * 5 * x)) + 1e-4)


def proportion(t: int) -> float:
    rate = 0.01 + 0.09 * 0.5 * (1 + math.cos(math.pi * min(t, 1000) / 1000))
    return 0.5 + (2.0 - 0.5) * (rate - 0.01) / (0.1 - 0.01)


def increase(cosine: bool) -> Callable[[int], float]:
    def value(t: int) -> float:
        x = min(t / 1000, 1.0)
        return 0.01 + (0.1 - 0.01) * (0.5 * (math.cos(math.pi * (1 - x)) + 1) if cosine else x)

    return value


def equal_widths(t: int) -> float:
    return [0.1 * 0.3**k for k in range(5)][int((t / 1000 + 1e-6) * 5)]


def factor_scheduler(t: int) -> float:
    return max(0.1 * 0.5 ** (max(t - 1, 0) // 100), 1e-3)


def chebyshev(epochs: int) -> list[float]:
    """Return the factors of epochs 2, 3, ...; `epochs` is a power of two."""
    nodes = [1 / (0.525 - 0.475 * math.cos((k + 0.5) * math.pi / epochs)) for k in range(epochs)]
    order = [0]
    while len(order) < epochs - 2:
        order = [k for first in order for k in (first, 2 * len(order) - 1 - first)]
    return [nodes[k] for k in order]


CHEBYSHEV = [0.1 * factor for factor in chebyshev(8)]

STAIRS = [
    formula(
        "Paddle",
        "NaturalExpDecay(0.1, gamma=0.01)",
        f"Exponential(0.1, {math.exp(-0.01)!r}, 1)",
        lambda t: 0.1 * math.exp(-0.01 * t),
        1000,
    ),
    formula(
        "Paddle",
        "natural_exp_decay(0.1, 100, 0.5, staircase=True), static graph",
        f"Exponential(0.1, {math.exp(-0.5)!r}, 100, staircase=True)",
        lambda t: 0.1 * math.exp(-0.5 * (t // 100)),
        100,
        1000,
    ),
    formula(
        "MindSpore",
        "NaturalExpDecayLR(0.1, 0.005, 100, is_stair=True)",
        f"Exponential(0.1, {math.exp(-0.5)!r}, 100, staircase=True)",
        lambda t: 0.1 * math.exp(-0.005 * (t // 100) * 100),
        100,
        1000,
    ),
    formula(
        "fairseq",
        "tri_stage, its decay: decay_steps=1000, final_lr_scale=0.01",
        "Shorten(Exponential(0.1, 0.01, 1000), 1000)",
        lambda t: 0.1 * math.exp(math.log(0.01) / 1000 * min(t, 1000)),
        1000,
    ),
    formula(
        "TensorFlow",
        "LinearCosineDecay(0.1, 1000, num_periods=5, alpha=0.1, beta=1e-4)",
        "0.1 * (Product([Linear(1.1, 0.1, 1000), Shorten(CosineWaves(1.0, 0.0, 1000, 5), 1000)]) + 1e-4)",
        linear_cosine,
        100,
        1000,
    ),
    formula(
        "OneFlow",
        "LinearCosineDecayConf: decay_batches=1000, num_periods=5, alpha=0.1, beta=1e-4",
        "0.1 * (Product([Linear(1.1, 0.1, 1000), Shorten(CosineWaves(1.0, 0.0, 1000, 5), 1000)]) + 1e-4)",
        linear_cosine,
        100,
        1000,
    ),
    formula(
        "pytorch_optimizer",
        "ProportionScheduler(CosineScheduler, max_lr=0.1, min_lr=0.01, max_value=2.0, min_value=0.5)",
        "(Cosine(0.1, 0.01, 1000) - 0.01) * (1.5 / 0.09) + 0.5",
        proportion,
        1000,
    ),
    formula(
        "pytorch_optimizer",
        "get_chebyshev_schedule(optimizer, num_epochs=8)",
        f"PiecewiseConstant({[float(f'{value:.9g}') for value in CHEBYSHEV]}, list(range(3, 10)))",
        lambda t: CHEBYSHEV[min(max(t - 2, 0), 7)],
        2,
        9,
    ),
    formula(
        "Megatron-LM",
        "wd_incr_style='linear', start_wd=0.01, end_wd=0.1, wd_incr_steps=1000",
        "Linear(0.01, 0.1, 1000)",
        increase(cosine=False),
        1000,
    ),
    formula(
        "Megatron-LM",
        "wd_incr_style='cosine', start_wd=0.01, end_wd=0.1, wd_incr_steps=1000",
        "Cosine(0.01, 0.1, 1000)",
        increase(cosine=True),
        1000,
    ),
    # these end, or raise, at step 1000, so the two comparisons stop before it
    formula(
        "fvcore",
        "StepWithFixedGammaParamScheduler(0.1, num_decays=4, gamma=0.3, num_updates=1000)",
        "Step(0.1, 0.3, 200)",
        equal_widths,
        200,
        400,
    ),
    formula(
        "fvcore",
        "StepParamScheduler(1000, [0.1, 0.03, 0.009, 0.0027, 0.00081])",
        "PiecewiseConstant([0.1, 0.03, 0.009, 0.0027, 0.00081], [200, 400, 600, 800])",
        equal_widths,
        200,
        400,
    ),
    formula(
        "MXNet",
        "MultiFactorScheduler([100, 300], 0.3, base_lr=0.1)",
        "MultiStep(0.1, 0.3, [101, 301])",
        lambda t: 0.1 * 0.3 ** ((t > 100) + (t > 300)),
        100,
        300,
    ),
    formula(
        "MXNet",
        "FactorScheduler(100, 0.5, stop_factor_lr=1e-3, base_lr=0.1)",
        "Clamp(Shift(Step(0.1, 0.5, 100), 1), low=1e-3)",
        factor_scheduler,
        100,
        700,
        2000,
    ),
    formula(
        "OneFlow",
        "PiecewiseConstantConf: boundaries=[100, 300], values=[0.1, 0.03, 0.01]",
        "PiecewiseConstant([0.1, 0.03, 0.01], [101, 301])",
        lambda t: [0.1, 0.03, 0.01][(t > 100) + (t > 300)],
        100,
        300,
    ),
    formula(
        "OneFlow",
        "PiecewiseScalingConf: boundaries=[100, 300], scales=[1.0, 0.5, 0.2], lr 0.1",
        "0.1 * PiecewiseConstant([1.0, 0.5, 0.2], [101, 301])",
        lambda t: 0.1 * [1.0, 0.5, 0.2][(t > 100) + (t > 300)],
        100,
        300,
    ),
]

PEERS = [*CURVES, *POWERS, *STRINGS, *STAIRS]
