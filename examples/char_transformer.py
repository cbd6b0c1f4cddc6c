"""A character-level transformer, trained on the sources of Python's own library, with warm-up and cosine in the one graph.

Forward pass, gradients, clipping, AdamW and the schedule are one compiled step: Dynamo counts 1 graph and 0 recompiles.

    python examples/char_transformer.py --steps 300
"""

from __future__ import annotations

import argparse
import math
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from tracelr import Cosine, Linear, Scheduler, TrainStep

WIDTH, HEADS, LAYERS, CONTEXT, BATCH, PEAK = 64, 4, 2, 64, 16, 1e-2


class Run(NamedTuple):
    """What a run gave: the size of its alphabet, the loss and the rate of each step, and Dynamo's two counts."""

    letters: int
    losses: list[float]
    rates: list[float]
    graphs: int
    recompiles: int


def text(size: int = 400_000) -> str:
    """Return the first characters of the modules of the standard library, in the order of their names."""
    parts: list[str] = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        parts.append("".join(c for c in path.read_text(errors="ignore") if c.isascii()))
        if sum(map(len, parts)) >= size:
            break
    return "".join(parts)[:size]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.project, self.merge = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.think = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.project(self.before(x)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.merge(mixed.transpose(1, 2).flatten(2))
        x = x + self.think(self.between(x))
        return x


class Transformer(nn.Module):
    def __init__(self, letters: int) -> None:
        super().__init__()
        self.letter, self.place = nn.Embedding(letters, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)), nn.LayerNorm(WIDTH))
        self.head = nn.Linear(WIDTH, letters)
        nn.init.zeros_(self.head.weight)  # every letter is as likely: the first loss is ln(letters)
        nn.init.zeros_(self.head.bias)

    def forward(self, seen: Tensor) -> Tensor:
        x = self.letter(seen) + self.place(torch.arange(CONTEXT, device=seen.device))
        logits: Tensor = self.head(self.blocks(x))
        return logits.flatten(0, 1)


def batches(letters: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of text and, for each letter, the one after it."""
    draw = torch.Generator().manual_seed(0)
    while True:
        starts = torch.randint(len(letters) - CONTEXT - 1, (BATCH, 1), generator=draw)
        window = letters[starts + torch.arange(CONTEXT + 1)]
        yield window[:, :-1], window[:, 1:].flatten()


def main(steps: int = 300, backend: str = "inductor") -> Run:
    source = text()
    alphabet = sorted(set(source))
    number = {letter: k for k, letter in enumerate(alphabet)}
    letters = torch.tensor([number[letter] for letter in source])

    torch.manual_seed(0)
    model = Transformer(len(alphabet))
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.1)
    warm = max(steps // 10, 1)
    rate = Linear(start=0.0, end=PEAK, steps=warm).then(Cosine(start=PEAK, end=PEAK / 10, steps=steps - warm))
    scheduler = Scheduler(optimizer, lr=rate)
    step = TrainStep(model, nn.functional.cross_entropy, optimizer, scheduler, clip=1.0, backend=backend)

    counters.clear()
    losses, rates = list[float](), list[float]()
    for k, (seen, following) in zip(range(steps), batches(letters), strict=False):
        rates.append(scheduler.get_last_lr()[0])
        losses.append(float(step(seen, following)))
        if k % max(steps // 10, 1) == 0 or k == steps - 1:
            print(f"step {k:5}  loss {losses[-1]:.3f}  learning rate {rates[-1]:.2e}")
    graphs, recompiles = counters["stats"]["unique_graphs"], sum(counters["recompiles"].values())
    print(f"{len(alphabet)} letters, ln = {math.log(len(alphabet)):.3f}; {graphs} graph, {recompiles} recompiles")
    return Run(len(alphabet), losses, rates, graphs, recompiles)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--backend", default="inductor", help="of torch.compile; eager needs no C++ compiler")
    options = parser.parse_args()
    main(options.steps, options.backend)
