"""tracelr at: print the value at a step."""

from __future__ import annotations

import argparse
from typing import final

import torch

from tracelr.cli.output import say, say_json
from tracelr.cli.source import choose
from tracelr.cli.verb import Verb, file_argument, json_argument, step_number


@final
class At(Verb):
    """Prints the value at each step."""

    name = "at"
    help = "print the value at one step or more"
    example = "tracelr at 'linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)' 0 1000 2k 50k 100k"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        file_argument(parser)
        parser.add_argument("steps", metavar="STEP", nargs="+", help="a step, such as 2000, 98k or 1.5M")
        json_argument(parser)

    def run(self, args: argparse.Namespace) -> int:
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


VERB = At()
