"""The entry point. It finds the verbs, runs one, and turns its errors into one line and an exit code."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pkgutil import iter_modules
from typing import NoReturn, final

from tracelr.cli import reading, verbs
from tracelr.cli.output import drop, say
from tracelr.cli.verb import Verb
from tracelr.errors import ConfigError, TracelrError, Unquoted

_ABOUT = """\
Look at learning-rate schedules, compare, convert, lower and verify them.

exit codes: 0 done; 1 a difference was found, or a verification failed; 2 bad input; 130 interrupted
"""


@final
class _Parser(argparse.ArgumentParser):
    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        if message:  # it holds words of the command line
            say(message.rstrip("\n"), sys.stderr)
        sys.exit(status)


def every() -> list[Verb]:
    """Return the verbs, sorted by name."""
    names = sorted(module.name for module in iter_modules(verbs.__path__))
    return [import_module(f"{verbs.__name__}.{name}").VERB for name in names]


def parser_of(found: Sequence[Verb]) -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog="tracelr", description=_ABOUT, formatter_class=layout)
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
        reading.CURRENT.set(reading.given(args))
        code = int(args.run(args))
        if sys.stdout is not None:
            sys.stdout.flush()
    except TracelrError as error:
        return _refused(error)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        drop()
        return 0
    except OSError as error:
        drop()
        where, reason = error.filename or "output", error.strerror or error
        fix = "correct the path, or free it"
        return _refused(ConfigError(str(where), Unquoted(reason), "a path that can be read or written", fix))
    except (MemoryError, RecursionError) as error:
        given, fix = Unquoted(f"an input that needs more than there is ({type(error).__name__})"), "pass a smaller one"
        return _refused(ConfigError(args.verb, given, "one within the limits of docs/faults.md", fix))
    except KeyboardInterrupt:
        return 130
    return code


def _refused(error: TracelrError) -> int:
    say(f"tracelr: error: {error}", sys.stderr)
    return 2
