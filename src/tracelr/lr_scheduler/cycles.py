"""The stairs and the cycles of the family, bound to the learning rate."""

from typing import final

from tracelr.cerebras import CURVES
from tracelr.lr_scheduler.named import Rate


@final
class PiecewiseConstantLR(Rate, curve=CURVES["PiecewiseConstant"]):
    r"""One rate after another: `tracelr.PiecewiseConstant`.

    .. math:: f(t) = v_k, \quad m_{k-1} \le t < m_k

    with v = `learning_rates` and m = `milestones`, the steps **at** which the next rate starts: exactly one fewer, strictly
    increasing.

    >>> import torch
    >>> PiecewiseConstantLR(learning_rates=[0.1, 0.01], milestones=[2]).schedule(torch.arange(4))
    tensor([0.1000, 0.1000, 0.0100, 0.0100])
    """


@final
class MultiStepLR(Rate, curve=CURVES["MultiStep"]):
    r"""Multiply by a factor at each milestone: `tracelr.MultiStep`.

    .. math:: f(t) = s\, \gamma^k, \quad k = \#\{i : m_i \le t\}

    with s = `initial_learning_rate`, γ = `gamma` above 0, m = `milestones` (increasing steps; a repeated one counts twice).

    >>> import torch
    >>> MultiStepLR(initial_learning_rate=0.1, gamma=0.1, milestones=[2]).schedule(torch.arange(4))
    tensor([0.1000, 0.1000, 0.0100, 0.0100])
    """


@final
class StepLR(Rate, curve=CURVES["Step"]):
    r"""Multiply by a factor once every so many steps: `tracelr.Step`.

    .. math:: f(t) = s\, \gamma^{\lfloor t/n \rfloor}

    with s = `initial_learning_rate`, n = `step_size` steps, γ = `gamma` above 0. It has no end.

    >>> import torch
    >>> StepLR(initial_learning_rate=0.1, step_size=2, gamma=0.1).schedule(torch.arange(5))
    tensor([0.1000, 0.1000, 0.0100, 0.0100, 0.0010])
    """


@final
class CosineAnnealingLR(Rate, curve=CURVES["CosineAnnealing"]):
    r"""A whole cosine wave, again and again: `tracelr.CosineAnnealing`.

    .. math:: f(t) = e + \tfrac{1}{2} (s - e) (1 + \cos(\pi \tfrac{t}{n}))

    with s = `initial_learning_rate`, e = `eta_min`, n = `T_max` steps. It **rises again** after n; `CosineDecayLR` holds e.

    >>> import torch
    >>> CosineAnnealingLR(initial_learning_rate=0.1, T_max=2).schedule(torch.arange(5))
    tensor([0.1000, 0.0500, 0.0000, 0.0500, 0.1000])
    """


@final
class CosineAnnealingWarmRestarts(Rate, curve=CURVES["CosineAnnealingWarmRestarts"]):
    r"""Half a cosine, again and again from the top: `tracelr.WarmRestarts`.

    .. math:: f(t) = e + \tfrac{1}{2} (s - e) (1 + \cos(\pi \tfrac{t - t_i}{t_{i+1} - t_i})),
        \quad t_i \le t < t_{i+1}, \quad t_i = \lceil n\, (1 + \mu + \dots + \mu^{i-1}) \rceil

    with s = `initial_learning_rate`, e = `eta_min`, n = `T_0` steps, μ = `T_mult`, any number from 1 to 512. The original is
    a square wave from the first restart on, and has no μ but 1.

    >>> import torch
    >>> CosineAnnealingWarmRestarts(initial_learning_rate=1.0, T_0=2, T_mult=2).schedule(torch.arange(7))
    tensor([1.0000, 0.5000, 1.0000, 0.8536, 0.5000, 0.1464, 1.0000])
    """


@final
class CyclicLR(Rate, curve=CURVES["Cyclic"]):
    r"""Up and down between two rates: `tracelr.Cyclic`.

    .. math:: f(t) = l + (h - l)\, a\, x(t), \quad a = 1,\ 2^{-c} \text{ or } \gamma^t, \quad c = \lfloor t / (u + d) \rfloor

    with l = `base_lr`, h = `max_lr`, u = `step_size_up` and d = `step_size_down` steps (None: as many as u), and x the
    triangle that is 0 at multiples of u + d and 1 u steps later. `mode` picks a: "triangular", "triangular2" or "exp_range",
    with γ = `gamma`. `scale_mode` says nothing, here as in the original: it follows from `mode`.

    >>> import torch
    >>> CyclicLR(base_lr=0.0, max_lr=1.0, step_size_up=2, mode="triangular2").schedule(torch.arange(7))
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000, 0.2500, 0.5000])
    """


@final
class OneCycleLR(Rate, curve=CURVES["OneCycle"]):
    r"""Up to a peak, down below the start, then flat: `tracelr.OneCycle`.

    It goes through the points (step, rate): (0, s), (p n - 1, h), (n - 1, s / d), and with `three_phase` also
    (2 (p n - 1), s) on the way down, with s = `initial_learning_rate`, h = `max_lr`, n = `total_steps`, p = `pct_start`,
    d = `final_div_factor`. `anneal_strategy` is "cos" or "linear". From step n - 1 on it holds its last value; the original
    goes on, below 0 on a line.

    >>> import torch
    >>> cycle = OneCycleLR(0.5, 1.0, total_steps=6, pct_start=0.5, final_div_factor=5.0, anneal_strategy="linear")
    >>> cycle.schedule(torch.arange(8))
    tensor([0.5000, 0.7500, 1.0000, 0.7000, 0.4000, 0.1000, 0.1000, 0.1000])
    """
