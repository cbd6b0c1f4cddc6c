"""AdamW as one Triton kernel that computes its own learning rate: the emitted function is inlined.

Runs on a GPU where there is one and in Triton's interpreter elsewhere, and compares 20 steps with torch.optim.AdamW driven
by tracelr's scheduler:

    pip install 'tracelr[triton]' && python examples/triton_adamw.py
"""

# A kernel is not a Python function, and has no Python types.
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# pyright: reportIndexIssue=false, reportMissingImports=false

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from tracelr import Cosine, Linear, Scheduler
from tracelr.lowering import lower

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # Triton reads it when it is imported

import triton  # noqa: E402
import triton.language as tl  # noqa: E402

SCHEDULE = Linear(start=0.0, end=6e-3, steps=5).then(Cosine(start=6e-3, end=6e-4, steps=10))
BETAS, EPS, DECAY, STEPS = (0.9, 0.95), 1e-8, 0.1, 20

with TemporaryDirectory() as folder:
    lower(SCHEDULE, "triton").save(Path(folder, "emitted.py"))
    sys.path.insert(0, folder)
    lr = import_module("emitted").lr
    sys.path.remove(folder)


@triton.jit
def adamw(
    weight, grad, mean, square, step, rates, n,
    beta1: tl.constexpr, beta2: tl.constexpr, eps: tl.constexpr, decay: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One update of `weight`; `step` holds how many there have been. `rates` gets the learning rate of each."""
    done = tl.load(step)
    rate = lr(done)
    if tl.program_id(0) == 0:
        tl.store(rates + done, rate)
    count = (done + 1).to(tl.float64)
    left1 = 1.0 - tl.exp2(count * tl.log2(tl.full((), beta1, tl.float64)))
    left2 = 1.0 - tl.exp2(count * tl.log2(tl.full((), beta2, tl.float64)))

    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < n
    g, w = tl.load(grad + i, mask=inside), tl.load(weight + i, mask=inside)
    m, v = tl.load(mean + i, mask=inside), tl.load(square + i, mask=inside)
    w = w * (1.0 - rate * decay)
    m = m + (g - m) * (1.0 - beta1)
    v = v * beta2 + g * g * (1.0 - beta2)
    w = w - (rate / left1.to(tl.float32)) * m / (tl.sqrt_rn(v / left2.to(tl.float32)) + eps)
    tl.store(weight + i, w, mask=inside)
    tl.store(mean + i, m, mask=inside)
    tl.store(square + i, v, mask=inside)


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(1000, generator=generator).to(DEVICE)
    grads = torch.randn(STEPS, 1000, generator=generator).to(DEVICE)

    weight, mean, square = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    step, rates = torch.zeros((), dtype=torch.int64, device=DEVICE), torch.empty(STEPS, device=DEVICE)
    for grad in grads:
        grid = (triton.cdiv(weight.numel(), 256),)
        arguments = (weight, grad, mean, square, step, rates, weight.numel())
        # an option of the compiler, not of the kernel
        adamw[grid](*arguments, *BETAS, EPS, DECAY, BLOCK=256, enable_fp_fusion=False)  # pyright: ignore[reportCallIssue]
        step += 1

    parameter = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.AdamW([parameter], betas=BETAS, eps=EPS, weight_decay=DECAY)
    scheduler = Scheduler(optimizer, lr=SCHEDULE)
    expected = []
    for grad in grads:
        expected.append(torch.tensor(optimizer.param_groups[0]["lr"]).item())  # in float32, as the kernel has it
        parameter.grad = grad.clone()
        optimizer.step()
        scheduler.step()

    differing = sum(a != b for a, b in zip(rates.tolist(), expected, strict=True))
    distance = float((weight - parameter.detach()).abs().max())
    print(f"{STEPS} steps on {DEVICE}: {differing} learning rates differ, weights differ by at most {distance:.1e}")
    if differing or not distance < 1e-6:
        sys.exit(1)


if __name__ == "__main__":
    main()
