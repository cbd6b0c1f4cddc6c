"""The picture beside the exactness tables: python benchmarks/pictures.py writes benchmarks/exactness.svg"""

import sys
from pathlib import Path

import matplotlib
import torch
from mpmath import mp

matplotlib.use("svg")
from matplotlib import pyplot as plt
from rivals import curves

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.oracle import ulps

LAST = 100_000


def main() -> None:
    mp.prec = 300
    curve = curves(LAST)["cosine to 0"]
    left = torch.unique(torch.logspace(0, 5, 6000, dtype=torch.float64).round().long())  # steps before the end
    bins = torch.logspace(0, 5, 31, dtype=torch.float64)
    steps = (LAST - left).flip(0)
    exact = [curve.exact(step) for step in steps.tolist()]
    ways = {
        "optax": curve.by_optax(steps, LAST),
        "Keras": curve.by_keras(steps, LAST),
        "Cerebras' formula, float32": curve.by_cerebras(steps, LAST),
        "torch, stepped in doubles": curve.by_torch(steps, LAST),
        "tracelr": curve.ours(steps),
    }
    with plt.rc_context({"svg.hashsalt": "tracelr", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure, axes = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
        for name, rates in ways.items():
            assert rates is not None
            off = torch.tensor([ulps(rate, want) for rate, want in zip(rates.tolist(), exact, strict=True)])
            place = torch.bucketize((LAST - steps).double(), bins)
            worst = [float(off[place == k].max()) if (place == k).any() else float("nan") for k in range(len(bins))]
            shown = [(x, y) for x, y in zip(bins.tolist(), worst, strict=True) if y == y]
            style = {"color": "black", "linewidth": 2.0} if name == "tracelr" else {"linewidth": 1.2}
            axes.plot(*zip(*shown, strict=True), label=name, drawstyle="steps-mid", **style)
        axes.set(xscale="log", yscale="log", xlabel="steps before the end, of 100,000", ylabel="float32 units off, the most")
        axes.invert_xaxis()
        axes.axhline(0.5, color="gray", linewidth=0.8, linestyle="--")
        axes.annotate("at most half a unit: correctly rounded", (900, 0.08), fontsize="small", color="gray")
        axes.legend(fontsize="small", frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(Path(__file__).with_name("exactness.svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
