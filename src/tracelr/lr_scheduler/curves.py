"""The decays of the family, bound to the learning rate."""

from typing import final

from tracelr.cerebras import CURVES
from tracelr.lr_scheduler.named import Rate


@final
class ConstantLR(Rate, curve=CURVES["Constant"]):
    """The same learning rate at every step: `tracelr.Constant`.

    `learning_rate` is the rate. `total_iters` is how many steps it lasts where schedulers follow one another, and does
    nothing elsewhere. torch's `ConstantLR` is a factor for some steps.

    >>> ConstantLR(learning_rate=0.1).schedule(7)
    tensor(0.1000)
    """


@final
class PolynomialLR(Rate, curve=CURVES["Polynomial"]):
    r"""A power of the remaining time: `tracelr.Polynomial`.

    .. math:: f(t) = e + (s - e) (1 - \tfrac{t}{m})^p, \quad m = n \text{, or with cycle } m = n \max(1, \lceil t/n \rceil)

    with s = `initial_learning_rate`, e = `end_learning_rate`, n = `total_iters` steps, p = `power`, any number above 0. It
    holds e from step n on, or with `cycle` continues on a longer line, as in Keras; in the original it never does.

    >>> PolynomialLR(initial_learning_rate=0.1, end_learning_rate=0.0, total_iters=100, power=2.0).schedule(50)
    tensor(0.0250)
    """


@final
class LinearLR(Rate, curve=CURVES["Linear"]):
    r"""A straight line: `tracelr.Linear`.

    .. math:: f(t) = s + (e - s) \tfrac{t}{n}, \quad 0 \le t \le n

    with s = `initial_learning_rate`, e = `end_learning_rate`, n = `total_iters` steps; then e, or with `cycle` what
    `PolynomialLR` does. torch's `LinearLR` is a factor, a warm-up by default.

    >>> LinearLR(initial_learning_rate=0.0, end_learning_rate=0.1, total_iters=100).schedule(50)
    tensor(0.0500)
    """


@final
class ExponentialLR(Rate, curve=CURVES["Exponential"]):
    r"""Multiply by a rate every so many steps, smoothly or all at once: `tracelr.Exponential`.

    .. math:: f(t) = s\, r^{t/n} \quad\text{or}\quad f(t) = s\, r^{\lfloor t/n \rfloor}

    with s = `initial_learning_rate`, r = `decay_rate` above 0, n = `total_iters` steps; the second form is `staircase`. It
    has no end. In torch's `ExponentialLR` the rate is that of one step, which is `total_iters=1`.

    >>> ExponentialLR(initial_learning_rate=0.1, total_iters=100, decay_rate=0.5).schedule(200)
    tensor(0.0250)
    """


@final
class InverseExponentialTimeDecayLR(Rate, curve=CURVES["InverseExponentialTimeDecay"]):
    r"""Divide by a line, or a power, of the time: `tracelr.InverseTime`.

    .. math:: f(t) = \frac{s}{1 + r\, t^k / n} \quad\text{or}\quad f(t) = \frac{s}{1 + r \lfloor t^k / n \rfloor}

    with s = `initial_learning_rate`, k = `step_exponent`, n = `total_iters` steps, r = `decay_rate`, 0 or more; the second
    form is `staircase`. It has no end.

    >>> decay = InverseExponentialTimeDecayLR(initial_learning_rate=0.1, step_exponent=1, total_iters=100, decay_rate=1.0)
    >>> decay.schedule(100)
    tensor(0.0500)
    """


@final
class InverseSquareRootDecayLR(Rate, curve=CURVES["InverseSquareRootDecay"]):
    r"""Flat for some steps, then falling with one over the square root of the step: `tracelr.InverseSqrt`.

    .. math:: f(t) = \frac{s\, c}{\sqrt{\max(t, n)}}

    with s = `initial_learning_rate`, c = `scale`, n = `warmup_steps`. The flat part, and the largest value, is
    :math:`s c / \sqrt n`; it warms nothing up. It has no end.

    >>> InverseSquareRootDecayLR(initial_learning_rate=0.1, warmup_steps=4).schedule(16)
    tensor(0.0250)
    """


@final
class CosineDecayLR(Rate, curve=CURVES["CosineDecay"]):
    r"""Half a cosine, then flat: `tracelr.Cosine`.

    .. math:: f(t) = e + \tfrac{1}{2} (s - e) (1 + \cos(\pi \tfrac{t}{n})), \quad 0 \le t \le n

    with s = `initial_learning_rate`, e = `end_learning_rate`, n = `total_iters` steps.

    >>> CosineDecayLR(initial_learning_rate=0.1, end_learning_rate=0.0, total_iters=100).schedule(50)
    tensor(0.0500)
    """


@final
class MultiplicativeLR(Rate, curve=CURVES["Multiplicative"]):
    r"""Multiply by the same number every step: `tracelr.Exponential`.

    .. math:: f(t) = s\, c^t

    with s = `initial_learning_rate`, c = `coefficient` above 0. It has no end. torch's `MultiplicativeLR` multiplies by a
    function of the step.

    >>> MultiplicativeLR(initial_learning_rate=0.1, coefficient=0.5).schedule(2)
    tensor(0.0250)
    """
