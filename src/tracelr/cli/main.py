"""The entry point. It finds the verbs, runs one, and turns its errors into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn, final

from tracelr.cli import verbs
from tracelr.cli.output import BOLD, RED, coloured, drop, say
from tracelr.cli.verb import Verb, modules
from tracelr.errors import ConfigError, TracelrError, Unquoted, suggest
from tracelr.files import missing
from tracelr.interop.native.names import check_calls

_ABOUT = """\
Look at learning-rate schedules, compare, convert, lower and verify them.

exit codes: 0 done; 1 a difference was found, or a verification failed; 2 bad input; 130 interrupted
"""


@final
class _Layout(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal, up to 120 columns, with bold headings where colours are shown."""

    def __init__(self, prog: str, **more: Any) -> None:
        super().__init__(prog, width=min(shutil.get_terminal_size().columns - 2, 120), **more)

    def start_section(self, heading: str | None) -> None:
        bold = heading and coloured(sys.stdout)
        super().start_section(f"\x1b[{BOLD}m{heading}\x1b[0m" if bold else heading)


@final
class Parser(argparse.ArgumentParser):
    """A parser whose errors name the verb, the flag or the value that is similar to a wrong one."""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        if message:  # it holds words of the command line
            say(message.rstrip("\n"), sys.stderr)
        sys.exit(status)

    def error(self, message: str) -> NoReturn:
        say(self.format_usage().rstrip("\n"), sys.stderr)
        say(message, sys.stderr, f"{self.prog}: error: ", RED)
        sys.exit(2)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            near = suggest(value, list(map(str, action.choices)), "did you mean", "")
            listed = ", ".join(map(str, action.choices))
            asked = f"; {near}?" if near else ""
            raise argparse.ArgumentError(action, f"invalid choice: {value!r} (choose from {listed}){asked}")

    def flags(self) -> list[str]:
        """Return the flags of this parser."""
        return [flag for action in self._actions for flag in action.option_strings]


def every() -> list[Verb]:
    """Return the verbs, sorted by name."""
    return [import_module(f"{verbs.__name__}.{name}").VERB for name in modules(verbs.__path__)]


def parser_of(found: Sequence[Verb]) -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the command line, and that of each verb."""
    parser = Parser(prog="tracelr", description=_ABOUT, formatter_class=_Layout)
    parser.add_argument("--version", action="version", version=f"tracelr {import_module('tracelr').__version__}")
    listed = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    commands = {}
    for verb in found:
        epilog = f"example:\n  {verb.example}"
        commands[verb.name] = command = listed.add_parser(
            verb.name, help=verb.help, description=verb.help, epilog=epilog, formatter_class=_Layout
        )
        verb.arguments(command)
        command.set_defaults(run=verb.run)
    return parser, commands


def _joined(argv: list[str]) -> list[str]:
    """Return the arguments with the flags after `--`, as in `tracelr show -- --lr 1e-4`, as one text."""
    cut = argv.index("--") + 1 if "--" in argv else len(argv)
    return argv if not argv[cut : cut + 1] or not argv[cut].startswith("-") else [*argv[:cut], shlex.join(argv[cut:])]


def parsed(argv: list[str]) -> argparse.Namespace:
    """Return the parsed arguments; an unknown flag ends the program with the similar one."""
    parser, commands = parser_of(every())
    if argv and argv[0].startswith("-") and argv[0] not in parser.flags():
        near = suggest(argv[0], parser.flags(), "did you mean", "")
        parser.error(f"unrecognized arguments: {argv[0]}" + (f"; {near}?" if near else ""))
    args, rest = parser.parse_known_args(_joined(argv))
    if rest:
        command = commands[args.verb]
        flag = next((one for one in rest if one.startswith("-")), "").partition("=")[0]
        near = suggest(flag, command.flags(), "did you mean", "")
        command.error(f"unrecognized arguments: {' '.join(rest)}" + (f"; {near}?" if near else ""))
    return args


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit code: 0 done, 1 a difference was found, 2 bad input, 130 interrupted."""
    args = parsed(sys.argv[1:] if argv is None else argv)
    try:
        for name in ("file", "a", "b"):
            if name in args:
                _check_path(getattr(args, name))
        for file in getattr(args, "files", []):
            _check_path(file)
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


def _check_path(given: str) -> None:
    """Raise `ConfigError` for a file that is not there, or a wrong name in a line, before torch is imported to read it."""
    called = given.partition("(")[0]
    code = "." in called or given.lstrip().startswith(("get_", "-")) or "\n" in given.strip()
    if called != given and not code and not os.path.lexists(given):
        check_calls(given)
    if given.startswith("-") or any(mark in given for mark in "(\n") or ":" in given or os.path.lexists(given):
        return
    fix = missing(given)
    more = ", or write a line with calls, such as 'cosine(3e-4, 0, 1000)'" if "." not in given else ""
    raise ConfigError(given, Unquoted("no such file"), "a file, a line of text, module:object, or -", fix + more)


def _refused(error: TracelrError) -> int:
    say(str(error), sys.stderr, "tracelr: error: ", RED)
    return 2
