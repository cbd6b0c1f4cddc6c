"""The Cerebras schedulers of one curve each, for the learning rate."""

from typing import final

from tracelr.interop.cerebras.curves import CURVES
from tracelr.lr_scheduler.base import LearningRateScheduler


@final
class ConstantLR(LearningRateScheduler, curve=CURVES["Constant"]):
    """The same learning rate at every step: `tracelr.Constant`.

    `learning_rate` is the rate. `total_iters` is how many steps it lasts in a sequence, and has no effect
    elsewhere. torch's `ConstantLR` is a factor for some steps.

    >>> ConstantLR(learning_rate=0.1).schedule(7)
    tensor(0.1000)
    """


@final
class PolynomialLR(LearningRateScheduler, curve=CURVES["Polynomial"]):
    r"""A power of the remaining time: `tracelr.Polynomial`.

    .. math:: f(t) = e + (s - e) (1 - \tfrac{t}{m})^p, \quad m = n \text{, or with cycle } m = n \max(1, \lceil t/n \rceil)

    with s = `initial_learning_rate`, e = `end_learning_rate`, n = `total_iters` steps, p = `power`, any number above 0. It
    is e from step n on, or with `cycle` continues on a longer curve, as in Keras; in the original it never does.

    >>> PolynomialLR(initial_learning_rate=0.1, end_learning_rate=0.0, total_iters=100, power=2.0).schedule(50)
    tensor(0.0250)
    """


@final
class LinearLR(LearningRateScheduler, curve=CURVES["Linear"]):
    r"""A straight line: `tracelr.Linear`.

    .. math:: f(t) = s + (e - s) \tfrac{t}{n}, \quad 0 \le t \le n

    with s = `initial_learning_rate`, e = `end_learning_rate`, n = `total_iters` steps; then e, or with `cycle` it continues
    as `PolynomialLR` does. torch's `LinearLR` is a factor, a warm-up by default.

    >>> LinearLR(initial_learning_rate=0.0, end_learning_rate=0.1, total_iters=100).schedule(50)
    tensor(0.0500)
    """


@final
class ExponentialLR(LearningRateScheduler, curve=CURVES["Exponential"]):
    r"""Multiply by a rate every n steps, smoothly or all at once: `tracelr.Exponential`.

    .. math:: f(t) = s\, r^{t/n} \quad\text{or}\quad f(t) = s\, r^{\lfloor t/n \rfloor}

    with s = `initial_learning_rate`, r = `decay_rate` above 0, n = `total_iters` steps; the second form is `staircase`. It
    has no end. torch's `ExponentialLR` multiplies at every step, which is `total_iters=1`.

    >>> ExponentialLR(initial_learning_rate=0.1, total_iters=100, decay_rate=0.5).schedule(200)
    tensor(0.0250)
    """


@final
class InverseExponentialTimeDecayLR(LearningRateScheduler, curve=CURVES["InverseExponentialTimeDecay"]):
    r"""Divide by a line, or a power, of the time: `tracelr.InverseTime`.

    .. math:: f(t) = \frac{s}{1 + r\, t^k / n} \quad\text{or}\quad f(t) = \frac{s}{1 + r \lfloor t^k / n \rfloor}

    with s = `initial_learning_rate`, k = `step_exponent`, n = `total_iters` steps, r = `decay_rate`, 0 or more; the second
    form is `staircase`. It has no end.

    >>> decay = InverseExponentialTimeDecayLR(initial_learning_rate=0.1, step_exponent=1, total_iters=100, decay_rate=1.0)
    >>> decay.schedule(100)
    tensor(0.0500)
    """


@final
class InverseSquareRootDecayLR(LearningRateScheduler, curve=CURVES["InverseSquareRootDecay"]):
    r"""Constant for some steps, then proportional to one over the square root of the step: `tracelr.InverseSqrt`.

    .. math:: f(t) = \frac{s\, c}{\sqrt{\max(t, n)}}

    with s = `initial_learning_rate`, c = `scale`, n = `warmup_steps`. The constant value, which is the largest, is
    :math:`s c / \sqrt n`; there is no warm-up from below. It has no end.

    >>> InverseSquareRootDecayLR(initial_learning_rate=0.1, warmup_steps=4).schedule(16)
    tensor(0.0250)
    """


@final
class CosineDecayLR(LearningRateScheduler, curve=CURVES["CosineDecay"]):
    r"""Half a cosine, then flat: `tracelr.Cosine`.

    .. math:: f(t) = e + \tfrac{1}{2} (s - e) (1 + \cos(\pi \tfrac{t}{n})), \quad 0 \le t \le n

    with s = `initial_learning_rate`, e = `end_learning_rate`, n = `total_iters` steps.

    >>> CosineDecayLR(initial_learning_rate=0.1, end_learning_rate=0.0, total_iters=100).schedule(50)
    tensor(0.0500)
    """


@final
class MultiplicativeLR(LearningRateScheduler, curve=CURVES["Multiplicative"]):
    r"""Multiply by the same number every step: `tracelr.Exponential`.

    .. math:: f(t) = s\, c^t

    with s = `initial_learning_rate`, c = `coefficient` above 0. It has no end. torch's `MultiplicativeLR` multiplies by a
    function of the step.

    >>> MultiplicativeLR(initial_learning_rate=0.1, coefficient=0.5).schedule(2)
    tensor(0.0250)
    """


@final
class PiecewiseConstantLR(LearningRateScheduler, curve=CURVES["PiecewiseConstant"]):
    r"""One rate after another: `tracelr.PiecewiseConstant`.

    .. math:: f(t) = v_k, \quad m_{k-1} \le t < m_k

    with v = `learning_rates` and m = `milestones`, the steps **at** which the next rate starts: exactly one fewer, strictly
    increasing.

    >>> import torch
    >>> PiecewiseConstantLR(learning_rates=[0.1, 0.01], milestones=[2]).schedule(torch.arange(4))
    tensor([0.1000, 0.1000, 0.0100, 0.0100])
    """


@final
class MultiStepLR(LearningRateScheduler, curve=CURVES["MultiStep"]):
    r"""Multiply by a factor at each milestone: `tracelr.MultiStep`.

    .. math:: f(t) = s\, \gamma^k, \quad k = \#\{i : m_i \le t\}

    with s = `initial_learning_rate`, γ = `gamma` above 0, m = `milestones` (increasing steps; a repeated one counts twice).

    >>> import torch
    >>> MultiStepLR(initial_learning_rate=0.1, gamma=0.1, milestones=[2]).schedule(torch.arange(4))
    tensor([0.1000, 0.1000, 0.0100, 0.0100])
    """


@final
class StepLR(LearningRateScheduler, curve=CURVES["Step"]):
    r"""Multiply by a factor every n steps: `tracelr.Step`.

    .. math:: f(t) = s\, \gamma^{\lfloor t/n \rfloor}

    with s = `initial_learning_rate`, n = `step_size` steps, γ = `gamma` above 0. It has no end.

    >>> import torch
    >>> StepLR(initial_learning_rate=0.1, step_size=2, gamma=0.1).schedule(torch.arange(5))
    tensor([0.1000, 0.1000, 0.0100, 0.0100, 0.0010])
    """


@final
class CosineAnnealingLR(LearningRateScheduler, curve=CURVES["CosineAnnealing"]):
    r"""A full cosine wave, repeated: `tracelr.CosineAnnealing`.

    .. math:: f(t) = e + \tfrac{1}{2} (s - e) (1 + \cos(\pi \tfrac{t}{n}))

    with s = `initial_learning_rate`, e = `eta_min`, n = `T_max` steps. It **rises again** after n, where `CosineDecayLR` is
    constant.

    >>> import torch
    >>> CosineAnnealingLR(initial_learning_rate=0.1, T_max=2).schedule(torch.arange(5))
    tensor([0.1000, 0.0500, 0.0000, 0.0500, 0.1000])
    """


@final
class CosineAnnealingWarmRestarts(LearningRateScheduler, curve=CURVES["CosineAnnealingWarmRestarts"]):
    r"""Half a cosine, repeated from the peak: `tracelr.WarmRestarts`.

    .. math:: f(t) = e + \tfrac{1}{2} (s - e) (1 + \cos(\pi \tfrac{t - t_i}{t_{i+1} - t_i})),
        \quad t_i \le t < t_{i+1}, \quad t_i = \lceil n\, (1 + \mu + \dots + \mu^{i-1}) \rceil

    with s = `initial_learning_rate`, e = `eta_min`, n = `T_0` steps, μ = `T_mult`, any number from 1 to 512. The original is
    a square wave from the first restart on, and allows only μ = 1.

    >>> import torch
    >>> CosineAnnealingWarmRestarts(initial_learning_rate=1.0, T_0=2, T_mult=2).schedule(torch.arange(7))
    tensor([1.0000, 0.5000, 1.0000, 0.8536, 0.5000, 0.1464, 1.0000])
    """


@final
class CyclicLR(LearningRateScheduler, curve=CURVES["Cyclic"]):
    r"""Up and down between two rates: `tracelr.Cyclic`.

    .. math:: f(t) = l + (h - l)\, a\, x(t), \quad a = 1,\ 2^{-c} \text{ or } \gamma^t, \quad c = \lfloor t / (u + d) \rfloor

    with l = `base_lr`, h = `max_lr`, u = `step_size_up` and d = `step_size_down` steps (None: as many as u), and x the
    triangle that is 0 at multiples of u + d and 1 u steps later. `mode` picks a: "triangular", "triangular2" or "exp_range",
    with γ = `gamma`. `scale_mode` has no effect, here and in the original, because it follows from `mode`.

    >>> import torch
    >>> CyclicLR(base_lr=0.0, max_lr=1.0, step_size_up=2, mode="triangular2").schedule(torch.arange(7))
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000, 0.2500, 0.5000])
    """


@final
class OneCycleLR(LearningRateScheduler, curve=CURVES["OneCycle"]):
    r"""Up to a peak, down below the start, then flat: `tracelr.OneCycle`.

    It goes through the points (step, rate): (0, s), (p n - 1, h), (n - 1, s / d), and with `three_phase` also
    (2 (p n - 1), s) on the way down, with s = `initial_learning_rate`, h = `max_lr`, n = `total_steps`, p = `pct_start`,
    d = `final_div_factor`. `anneal_strategy` is "cos" or "linear". From step n - 1 on it keeps its last value; the original
    continues, and a linear one falls below 0.

    >>> import torch
    >>> cycle = OneCycleLR(0.5, 1.0, total_steps=6, pct_start=0.5, final_div_factor=5.0, anneal_strategy="linear")
    >>> cycle.schedule(torch.arange(8))
    tensor([0.5000, 0.7500, 1.0000, 0.7000, 0.4000, 0.1000, 0.1000, 0.1000])
    """
