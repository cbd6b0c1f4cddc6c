"""Scripts that complete command lines. They hold every verb and flag, so that a shell starts no process for a key press."""

from __future__ import annotations

import argparse
import shlex
from typing import NamedTuple, final

from tracelr.cli.main import every, parser_of
from tracelr.cli.verb import target_names

_VALUES = {
    "target": tuple(target_names()),
    "key": ("lr", "weight_decay", "momentum", "betas[0]", "betas[1]"),
    "format": ("text", "code", "dot", "mermaid", "svg", "json"),
}
"""The values of flags that the parser takes as any text."""

_BASH = """\
# completion of tracelr, for bash and zsh
if [ -n "$ZSH_VERSION" ]; then
    whence compdef >/dev/null || { autoload -U compinit && compinit; }
    autoload -U +X bashcompinit && bashcompinit
fi
_tracelr() {
    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" verb="${COMP_WORDS[1]}" words=""
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "VERBS --help --version" -- "$word"))
        return
    fi
    case "$verb $before" in
VALUES
    esac
    if [ -n "$words" ]; then
        COMPREPLY=($(compgen -W "$words" -- "$word"))
        return
    fi
    case "$verb" in
FLAGS
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    case "$word" in
        -*) ;;
        *) COMPREPLY+=($(compgen -f -- "$word")) ;;
    esac
}
complete -o filenames -o bashdefault -F _tracelr tracelr"""


@final
class Flag(NamedTuple):
    """A flag of a verb: its spellings, what it does, whether it takes a value, and the values that are known."""

    names: tuple[str, ...]
    help: str
    takes: bool
    values: tuple[str, ...]


@final
class Command(NamedTuple):
    """A verb: its flags, and the words that may stand in its places."""

    name: str
    help: str
    flags: list[Flag]
    words: list[str]


def script(shell: str) -> str:
    """Return the script of a shell: "bash", "zsh" or "fish"."""
    verbs = every()
    parsers = parser_of(verbs)[1]
    found = [_command(verb.name, verb.help, parsers[verb.name]) for verb in verbs]
    return _fish(found) if shell == "fish" else _bash(found)


def _command(name: str, help: str, parser: argparse.ArgumentParser) -> Command:
    flags, words = list[Flag](), list[str]()
    for action in parser._actions:  # argparse has no public list of them
        values = _VALUES.get(action.dest, tuple(map(str, action.choices or ())))
        if action.option_strings:
            said = (action.help or "").partition(";")[0].partition(" (default")[0]
            flags.append(Flag(tuple(action.option_strings), said, action.nargs != 0, values))
        else:
            words += values
    return Command(name, help, flags, words)


def _bash(commands: list[Command]) -> str:
    values, flags = [], []
    for command in commands:
        for flag in command.flags:
            if flag.values:
                patterns = "|".join(f'"{command.name} {name}"' for name in flag.names)
                values.append(f"        {patterns}) words={shlex.quote(' '.join(flag.values))} ;;")
        names = " ".join([*command.words, *(name for flag in command.flags for name in flag.names)])
        flags.append(f"        {command.name}) words={shlex.quote(names)} ;;")
    verbs = " ".join(command.name for command in commands)
    lines = {"VERBS": verbs, "VALUES": "\n".join(values), "FLAGS": "\n".join(flags)}
    text = _BASH.replace("VERBS", lines["VERBS"])
    return text.replace("\nVALUES\n", f"\n{lines['VALUES']}\n").replace("\nFLAGS\n", f"\n{lines['FLAGS']}\n")


def _fish(commands: list[Command]) -> str:
    lines = ["# completion of tracelr, for fish", "complete -c tracelr -n __fish_use_subcommand -l version -s h -l help"]
    for command in commands:
        lines.append(f"complete -c tracelr -n __fish_use_subcommand -f -a {command.name} -d {shlex.quote(command.help)}")
        seen = f"complete -c tracelr -n '__fish_seen_subcommand_from {command.name}'"
        if command.words:
            lines.append(f"{seen} -f -a {shlex.quote(' '.join(command.words))}")
        for flag in command.flags:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names)
            values = f" -x -a {shlex.quote(' '.join(flag.values))}" if flag.values else " -r" if flag.takes else ""
            lines.append(f"{seen} {names}{values} -d {shlex.quote(flag.help)}")
    return "\n".join(lines)
