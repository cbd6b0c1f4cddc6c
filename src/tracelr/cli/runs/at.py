"""Runs tracelr at: print the value at a step."""

from __future__ import annotations

import argparse

import torch

from tracelr.cli.output import say
from tracelr.cli.reading import step_number
from tracelr.cli.saving import say_json
from tracelr.cli.source import choose


def run(args: argparse.Namespace) -> int:
    """Run the verb, and return the exit code."""
    steps = [step_number(step) for step in args.steps]
    chosen = choose(args.file, args.key, args.tag)
    found = []
    for one in chosen:
        with torch.no_grad():
            values = one.schedule(torch.tensor(steps, device="cpu"))
        bits = (values.view(torch.int32).long() & 0xFFFFFFFF).tolist()
        for step, value, word in zip(steps, values.tolist(), bits, strict=True):
            row = {"step": step, "value": value, "hex": float.hex(value), "bits": f"0x{word:08x}"}
            found.append(row if one.assignment is None else {"of": one.name} | row)
    if args.json:
        say_json(found)
        return 0
    for row in found:
        say("\t".join(map(str, [*([] if "of" not in row else [row["of"]]), row["step"], row["value"]])))
    return 0
