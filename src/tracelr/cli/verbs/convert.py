"""tracelr convert: write a schedule for another library."""

from __future__ import annotations

import argparse
from typing import final

from tracelr.cli.verb import Verb, file_argument, output_argument

WRITTEN = (
    "native",
    "cerebras",
    "optax",
    "keras",
    "torch",
    "huggingface",
    "deepspeed",
    "torchtitan",
    "megatron",
    "mmengine",
    "timm",
)
"""The formats that are written, those of `tracelr.interop.convert`."""


@final
class Convert(Verb):
    """Prints a configuration, or code."""

    name = "convert"
    help = "print a schedule as a configuration or as code for another library"
    example = "tracelr convert 'linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)' --to optax"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        file_argument(parser)
        kinds = "a configuration: native, cerebras, keras or that of a training framework; optax and torch are Python"
        parser.add_argument("--to", required=True, choices=WRITTEN, metavar="FORMAT", help=kinds)
        output_argument(parser)


VERB = Convert()
