"""The base class of the verbs, and the arguments that several verbs share.

This file and those of `verbs` say what the command line takes. They import neither torch nor a schedule, because `--help`,
completion and the errors of a command line need none. What a verb computes is in the file of the same name in `runs`.
"""

from __future__ import annotations

import argparse
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import ClassVar

FILE = (
    "a training configuration (YAML, JSON, TOML, INI, a script, Python literals), a checkpoint, '-' for standard input, "
    "module:object, the flags of a command after --, or a line such as "
    "'linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)'"
)
LENGTHS = {
    "steps": ("duration", "N", "of a run that the file gives in epochs: its number of optimizer updates"),
    "steps-per-epoch": ("steps_per_epoch", "N", "the optimizer updates of an epoch"),
    "samples": ("samples_per_epoch", "N", "the samples of an epoch, with --devices"),
    "devices": ("devices", "D", "the number of data-parallel devices"),
    "batch-size": ("batch_size", "B", "the samples of an update, on all devices"),
    "accumulation": ("accumulation", "N", "the batches of an update, in place of those in the file"),
    "tokens-per-step": ("tokens_per_step", "N", "the tokens of an update"),
}
"""The options that say how long a run is: the field of `Units` that each one sets, its placeholder, and its help."""


class Verb(ABC):
    """Abstract base of every verb. `help` is one line, `example` a command line that works where the sources are.

    `steady` says that the example prints the same every time. `writes` names the file that the example makes, if any.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    example: ClassVar[str]
    steady: ClassVar[bool] = True
    writes: ClassVar[str] = ""

    @abstractmethod
    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments of the verb."""

    def run(self, args: argparse.Namespace) -> int:
        """Run the verb, and return the exit code."""
        import_module("tracelr.cli.reading").take(args)
        return int(import_module(f"tracelr.cli.runs.{self.name}").run(args))


def modules(folders: Iterable[str]) -> list[str]:
    """Return the modules in folders without importing them. pkgutil does the same, but takes 10 ms to import."""
    files = [name for folder in folders for name in os.listdir(folder)]
    return sorted(name[:-3] for name in files if name.endswith(".py") and not name.startswith("_"))


def target_names() -> list[str]:
    """Return the names of the targets, which are those of their files."""
    spec = find_spec("tracelr.lowering")
    return modules([f"{path}/targets" for path in (spec and spec.submodule_search_locations) or ()])


TARGETS = ", ".join(target_names())
"""Every target, for help texts."""


def file_argument(parser: argparse.ArgumentParser, choose: bool = True) -> None:
    """Declare FILE, and the options that pick one of several assignments."""
    parser.add_argument("file", metavar="FILE", help=FILE)
    if choose:
        choice_arguments(parser)


def choice_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that pick one of several assignments."""
    parser.add_argument("--key", help="of several assignments, those of this key, such as lr or weight_decay")
    parser.add_argument("--tag", metavar="NAME", help="of several assignments, those for the groups with this tag")
    group = parser.add_argument_group("what a training configuration does not say")
    for name, (field, metavar, words) in LENGTHS.items():
        group.add_argument(f"--{name}", dest=f"units_{field}", metavar=metavar, help=words)
    group.add_argument(
        "--as", dest="as_format", metavar="FORMAT", help="the format of the file, a name of tracelr list formats"
    )
    group.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting by its path, or a variable of a script",
    )


def json_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for a script")


def output_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `-o`."""
    parser.add_argument("-o", "--output", metavar="PATH", help="write to this file instead")
