"""The entry point. It finds the verbs, runs one, and turns its errors into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pkgutil import iter_modules

from tracelr.cli import verbs
from tracelr.cli.reading import CURRENT, given
from tracelr.cli.verb import Verb
from tracelr.errors import ConfigError, TracelrError, Unquoted

_ABOUT = """\
Look at learning-rate schedules, compare, convert, lower and verify them.

exit codes: 0 done; 1 a difference was found, or a verification failed; 2 bad input; 130 interrupted
"""


def every() -> list[Verb]:
    """Return the verbs, sorted by name."""
    names = sorted(module.name for module in iter_modules(verbs.__path__))
    return [import_module(f"{verbs.__name__}.{name}").VERB for name in names]


def parser_of(found: Sequence[Verb]) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="tracelr", description=_ABOUT, formatter_class=layout)
    parser.add_argument("--version", action="version", version=f"tracelr {version('tracelr')}")
    listed = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in found:
        epilog = f"example:\n  {verb.example}"
        command = listed.add_parser(verb.name, help=verb.help, description=verb.help, epilog=epilog, formatter_class=layout)
        verb.arguments(command)
        command.set_defaults(run=verb.run)
    return parser


def _joined(argv: list[str]) -> list[str]:
    """Return the arguments with the flags after `--`, as in `tracelr show -- --lr 1e-4`, as one text."""
    cut = argv.index("--") + 1 if "--" in argv else len(argv)
    return argv if not argv[cut : cut + 1] or not argv[cut].startswith("-") else [*argv[:cut], shlex.join(argv[cut:])]


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit code: 0 done, 1 a difference was found, 2 bad input, 130 interrupted."""
    args = parser_of(every()).parse_args(_joined(sys.argv[1:] if argv is None else argv))
    try:
        CURRENT.set(given(args))
        code = int(args.run(args))
        sys.stdout.flush()
    except TracelrError as error:
        print(f"tracelr: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, ValueError) as error:
        if not isinstance(error, OSError) and "null" not in str(error):  # a NUL in a path is a ValueError
            raise
        where, reason = getattr(error, "filename", None) or "output", getattr(error, "strerror", None) or error
        fix = "correct the path, or free it"
        refused = ConfigError(str(where), Unquoted(reason), "a path that can be written", fix)
        print(f"tracelr: error: {refused}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code
