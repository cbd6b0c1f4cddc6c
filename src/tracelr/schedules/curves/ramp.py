from torch import Tensor

from tracelr.arithmetic import Arithmetic, Real
from tracelr.schedules.base import Schedule
from tracelr.schedules.describe.segments import Segments, along, ramp
from tracelr.schedules.easing import easing
from tracelr.schedules.fields import EasingName, Flag, NonNegativeSteps, Ratio, Scalar


class Ramp(Schedule):
    r"""From `start` to `end` over `steps` along a named curve, then flat.

    .. math:: f(t) = e + (s - e)\, d(\tfrac{t}{n}), \quad 0 \le t \le n, \quad \text{or, rising, }
        f(t) = s + (e - s)\, d(1 - \tfrac{t}{n})

    with s = `start`, e = `end`, n = `steps` (0: `end` at once) and d = `kind`, the factor of a decay:

    =================  ==============================  ==========================================================
    `kind`             d at x = t / n                  also called
    =================  ==============================  ==========================================================
    ``"linear"``       1 - x
    ``"cosine"``       (1 + cos πx) / 2                "cos" (torch)
    ``"sqrt"``         √(1 - x)
    ``"square"``       (1 - x)²
    ``"1-sqrt"``       1 - √x                          "sqrt" (torchtitan), "minus_sqrt" (Megatron)
    ``"1-square"``     1 - x²                          "power" with 2 (timm)
    ``"exponential"``  (rˣ - r) / (1 - r), r: `ratio`  "exp" (timm); Megatron's 2 · 0.5ˣ - 1 has r = 0.5
    ``"log"``          log(1 + n - t) / log(1 + n)     mirrored, DeepSpeed's warm-up
    =================  ==============================  ==========================================================

    A warm-up is a mirrored decay: with `rising` the same `kind` runs backwards, so that "1-sqrt" is 1 - √(1 - x), as in
    Hugging Face, and "log" is log(1 + t) / log(1 + n). Source: Hägele et al. 2024 (arXiv 2405.18392) for "1-sqrt".

    >>> import torch
    >>> Ramp(start=1.0, end=0.0, steps=4, kind="1-sqrt")(torch.arange(6))
    tensor([1.0000, 0.5000, 0.2929, 0.1340, 0.0000, 0.0000])
    >>> Ramp(start=0.0, end=1.0, steps=4, kind="1-sqrt", rising=True)(torch.arange(6))
    tensor([0.0000, 0.1340, 0.2929, 0.5000, 1.0000, 1.0000])
    """

    start: Scalar
    end: Scalar
    steps: NonNegativeSteps
    kind: EasingName
    ratio: Ratio = 0.5
    rising: Flag = False

    def forward(self, step: Tensor, ops: Arithmetic) -> Real:
        return ops.ramp(step, self.steps, self.start, self.end, *easing(ops, self.kind, self.steps, self.ratio, self.rising))

    def own_segments(self) -> Segments:
        return ramp(self, self.start, self.end, self.steps, along(self.kind))
