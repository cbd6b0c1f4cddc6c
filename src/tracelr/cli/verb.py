"""The base class of the verbs, and what several verbs share."""

from __future__ import annotations

import argparse
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from tracelr.arithmetic import LAST_STEP
from tracelr.cli.reading import reading_arguments
from tracelr.errors import ScheduleError
from tracelr.lowering.targets import target_names

TARGETS = ", ".join(target_names())
"""Every target, for help texts."""
FILE = (
    "a training configuration (YAML, JSON, TOML, INI, a script, Python literals), a checkpoint, '-' for standard input, "
    "module:object, the flags of a command after --, or a line such as "
    "'linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)'"
)


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

    @abstractmethod
    def run(self, args: argparse.Namespace) -> int:
        """Run the verb, and return the exit code."""


def file_argument(parser: argparse.ArgumentParser, choose: bool = True) -> None:
    """Declare FILE, and the options that pick one of several assignments."""
    parser.add_argument("file", metavar="FILE", help=FILE)
    if choose:
        choice_arguments(parser)


def choice_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that pick one of several assignments."""
    parser.add_argument("--key", help="of several assignments, those of this key, such as lr or weight_decay")
    parser.add_argument("--tag", metavar="NAME", help="of several assignments, those for the groups with this tag")
    reading_arguments(parser)


def json_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for a script")


def output_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `-o`."""
    parser.add_argument("-o", "--output", type=Path, help="write to this file instead")


def step_number(text: str) -> int:
    """Return the step that a text such as 2000, 2_000, 2k, 1.5M or 2e3 spells.

    >>> step_number("98k")
    98000
    """
    match = re.fullmatch(r"([0-9][0-9_]{0,30}(?:\.[0-9]{1,6})?)(?:[eE]([0-9]{1,2}))?([kM]?)", text)
    if match:
        whole, _, part = match[1].replace("_", "").partition(".")
        power = int(match[2] or 0) + {"": 0, "k": 3, "M": 6}[match[3]] - len(part)
        value = int(whole + part) * int(10 ** max(power, 0))
        if power >= 0 and value <= LAST_STEP:
            return value
    raise ScheduleError("step", text, "a whole number from 0 to 2**53, such as 2000, 98k or 1e6", "write one")
