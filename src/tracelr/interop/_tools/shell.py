"""Reads the flags of a command line, or of the commands in a shell script. Nothing is run.

`\\` at the end of a line, `NAME=value`, `ARRAY=( ... )`, `$NAME`, `${NAME:-value}`, `: ${NAME:=value}`, `${NAME:+value}`,
`${ARRAY[@]}` and `$((1 * 2))` are understood. A value that needs anything else is an `Unset`, which a reader refuses if it
needs it.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, final

from tracelr.errors import Unquoted
from tracelr.interop._tools.checks import Place
from tracelr.interop._tools.python import evaluate

_COMMENT = re.compile(r"""('[^'\n]*'|"(?:\\.|[^"\\])*"|\\.)|(?:(?<=\s)|^)\#[^\n]*""", re.MULTILINE | re.DOTALL)
_ARITHMETIC = re.compile(r"\$\(\(([^()]*)\)\)")
_SUBSTITUTED = re.compile(r"\$\((?:[^()]|\([^()]*\))*\)|`[^`]*`")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{([#!]?\w+)(?:\[[@*]\])?(?::?[-=]([^{}]*))?\}|\{=([^{}]*)\})")
_NAME = re.compile(r"[A-Za-z_]\w*")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.DOTALL)
_FLAG = re.compile(r"--?([A-Za-z][\w.\-/]*)(?:=(.*))?", re.DOTALL)
_OVERRIDE = re.compile(r"\+{0,2}([A-Za-z_][\w.]*)=(.*)", re.DOTALL)
_FLAGS = re.compile(r"(^|\s)--?[A-Za-z]")
_COMMAND = re.compile(r"(^|\s)(--?[A-Za-z]|\+{0,2}[A-Za-z_][\w.]*=)")
"""What a text with flags has, and what a command has, whose flags may be of the form name=value."""
_OPEN, _CLOSE = ("if", "for", "while", "until", "case", "select"), ("fi", "done", "esac")
_SKIPPED = ("then", "else", "elif", "do", "export", "local", "declare", "readonly", "set", "time", "exec")
_DEFAULT = re.compile(r"\$\{(\w+):?=(.*)\}", re.DOTALL)
_DEEPEST = 5
_ENVIRONMENT = re.compile(r"[A-Z][A-Z0-9_]*")
_ALTERNATIVE = re.compile(r"\$\{(\w+):?\+((?:[^{}]|\$\{\w+\}){0,500})\}")
"""`${NAME:+text}`, which is the text if the variable is set, as those that the script sets are."""
_OUTPUT = re.compile(r"\$\{\?\}")
_MARK = re.compile("\0(\\d+)\0")
_VALUES = re.compile(r"(^|[_-])(kw)?args$")
"""The flags whose values may be of the form name=value."""
LARGEST = 100_000
"""The most characters of one value, and the most words."""


@final
class Unset:
    """A value that the script does not say."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __repr__(self) -> str:
        return self.what


@final
class _Twice:
    """The values of a flag that is given several times."""

    def __init__(self, values: list[Any], name: str) -> None:
        self.values, self.name = values, name

    def __repr__(self) -> str:
        return f"several values (pass --set {self.name}=VALUE): " + ", ".join(map(repr, self.values[:4]))


@final
class _End:
    """Stands between the words of two commands."""


@final
class _Names(dict[str, Any]):
    """The values of variables. Those that were passed stay as they are."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self.given = frozenset(given)

    def put(self, name: str, value: Any) -> None:
        """Set a variable, unless its value was passed."""
        if name not in self.given:
            self[name] = _missing(name) if isinstance(value, Unset) else value


def _missing(name: str) -> Unset:
    return Unset(f"${name}, which the script does not set (pass --set {name}=VALUE)")


def looks_like(text: str) -> bool:
    """Return whether a text is a shell script: it has a flag after a blank, and is not a mapping."""
    return re.search(r"(^|\s)--[A-Za-z][\w.-]*", text) is not None


def read(text: str, where: Place, given: Mapping[str, Any] | None = None) -> dict[Any, Any]:
    """Return the flags of the commands in a script by their names, and overrides such as `optim.lr=1e-3`.

    `given` has the values of variables; they replace those of the script.
    """
    names = _Names({key: str(value) for key, value in (given or {}).items()})
    words: list[Any] = []
    for statement, depth in _statements(text, where, names.given):
        words.extend([*_command(statement, depth, names), _End()])
        if len(words) > LARGEST:
            raise where.refuse(Unquoted("more words"), f"at most {LARGEST} of them", "keep the command only")
    found, read_ = flags(words), variables(text)
    used = [value for name, value in names.items() if name in read_ or not found]  # without a command, it is a part of one
    spare = [word for value in used for word in (value if isinstance(value, list) else _flags_in(value))]
    return {**flags(spare), **found}


def _flags_in(value: Any) -> list[Any]:
    """Return the words of a variable that holds flags: a script may pass it on in a way that is not understood."""
    return _split(value) if isinstance(value, str) and re.search(r"(^|\s)--?[A-Za-z]", value) else []


def flags(words: Sequence[Any]) -> dict[Any, Any]:
    """Return the flags of a command line: `--name value`, `--name=value`, `--name` (true), `name.key=value`.

    A name with dots is a path: `--optimizer.lr 1` is `{"optimizer": {"lr": "1"}}`.
    """
    found: dict[Any, list[Any]] = {}
    waiting: str | None = None
    for word in words:
        if isinstance(word, _End):
            waiting = None
            continue
        flag = _FLAG.fullmatch(word) if isinstance(word, str) else None
        override = _OVERRIDE.fullmatch(word) if isinstance(word, str) and flag is None else None
        if override and ((waiting is not None and _VALUES.search(waiting)) or _ENVIRONMENT.fullmatch(override[1])):
            override = None
        if flag or override:
            match = flag or override
            assert match is not None
            waiting = match[1] if match[2] is None else None
            found.setdefault(match[1], []).append(True if match[2] is None else _unquoted(match[2]))
        elif waiting is not None:
            last = found[waiting]
            last[-1] = word if last[-1] is True else [*(last[-1] if isinstance(last[-1], list) else [last[-1]]), word]
    nested: dict[Any, Any] = {}
    for name, values in found.items():
        inner, (*above, key) = nested, name.split(".")
        for each in above:
            below = inner.setdefault(each, {})
            inner = below if isinstance(below, dict) else {}
        inner[key] = values[0] if all(value == values[0] for value in values) else _Twice(values, name)
    return nested


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _statements(text: str, where: Place, given: Collection[str]) -> Iterator[tuple[list[str], int]]:
    """Yield the words of each statement, and how many blocks are around it. `( ... )` of an array stays in its words."""
    text = _COMMENT.sub(lambda match: match[1] or "", text.replace("\\\r\n", " "))
    text = re.sub(r"\\[ \t]*\n", " ", text)
    assigned = {*re.findall(r"\b(\w+)=", text), *given}
    text = _ALTERNATIVE.sub(lambda match: match[2] if match[1] in assigned else "", text)
    text = _ARITHMETIC.sub(lambda match: "${=" + re.sub(r"[{}$\s]", "", match[1]) + "}", text)
    text = _SUBSTITUTED.sub("${?}", text)
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    statement: list[str] = []
    depth, inside, open_ = 0, 0, 0
    try:
        for word in lexer:
            if inside or (word.startswith("(") and statement and statement[-1].endswith("=")):
                statement.extend(["("] * (inside == 0))
                inside += word.count("(") - word.count(")")
                statement.extend([] if set(word) <= set("()\n;") else [word])
                if inside <= 0:
                    inside = 0
                    statement.append(")")
                continue
            open_ += word.count("(") - word.count(")") if set(word) <= set("();<>|&\n") else 0
            if open_ < 0:  # the pattern of a case
                depth += statement[:1] == ["case"]
                statement, open_ = [], 0
            if set(word) <= set("();<>|&\n") and set(word) & set(";|&\n"):
                if statement:
                    yield statement, depth
                    depth = max(depth + (statement[0] in _OPEN) - (statement[0] in _CLOSE), 0)
                statement = []
            elif not set(word) <= set("()<>"):
                statement.append(word)
    except ValueError:
        raise where.refuse(Unquoted("quotes that are not closed"), "a shell script", "close them") from None
    if statement:
        yield statement, depth


def _command(statement: list[str], depth: int, names: _Names) -> list[Any]:
    """Do the assignments at the beginning of a statement, and return its other words, expanded."""
    words = _defaults(statement, names)
    while words and words[0] in _SKIPPED:
        words.pop(0)
    if words and words[0] in _OPEN + _CLOSE:
        if words[0] in ("for", "select"):
            names.put(words[1] if len(words) > 1 else "", Unset("a loop"))
        return []
    while words and (match := _ASSIGNMENT.fullmatch(words[0])):
        words.pop(0)
        name, value = match[1], match[3]
        if words and words[0] == "(" and not value:
            end = words.index(")") if ")" in words else len(words)
            assigned: Any = [each for word in words[1:end] for each in _expanded(word, names)]
            del words[: end + 1]
        else:
            pieces = _expanded(value, names)
            unset = next((each for each in pieces if isinstance(each, Unset)), None)
            assigned = " ".join(pieces) if unset is None else unset if len(pieces) == 1 else pieces
        more = bool(match[2]) and name in names
        if more:
            assigned = _joined(names[name], _unsure(assigned, name) if depth else assigned)
        branch = depth and not more and names.get(name, assigned) != assigned
        if branch or (isinstance(assigned, (str, list)) and len(assigned) > LARGEST):
            assigned = Unset(f"${name}, which a branch sets")
        names.put(name, assigned)
    return [each for word in words for each in _expanded(word, names)]


def _joined(before: Any, more: Any) -> Any:
    """Return what `NAME+=more` makes of a value."""
    if isinstance(before, str) and isinstance(more, str):
        return before + more
    return [word for value in (before, more) for word in _words(value)]


def _words(value: Any) -> list[Any]:
    return value if isinstance(value, list) else _split(value) if isinstance(value, str) else [value]


def _unsure(value: Any, name: str) -> list[Any]:
    """Return the flags in what a branch adds to a variable, with values that are not known."""
    names = [word.partition("=")[0] for word in _words(value) if isinstance(word, str) and word.startswith("-")]
    return [each for flag in names for each in (flag, _missing(name))]


def variables(text: str) -> set[str]:
    """Return the names of the variables that a script reads."""
    return set(re.findall(r"\$\{?(\w+)", text))


def _defaults(words: list[str], names: Mapping[str, Any]) -> list[str]:
    """Return the assignments that `: ${NAME:=value}` makes, and other words as they are."""
    if words[:1] != [":"]:
        return list(words)
    defaults = [match for word in words[1:] if (match := _DEFAULT.fullmatch(word))]
    return [f"{match[1]}={match[2]}" for match in defaults if names.get(match[1], "") == ""]


def _expanded(word: str, names: Mapping[str, Any]) -> list[Any]:
    """Return a word with the values of its variables; one that is a whole variable may become several words."""
    whole = _VARIABLE.fullmatch(word)
    if whole is not None:
        value = _variable(whole, names)
        if isinstance(value, str):
            return _split(value, _COMMAND)
        return list(value) if isinstance(value, list) else [value]
    unset: list[Unset] = []

    def mark(value: Any) -> str:
        """Return the text of a value; for one that is not known, a mark with its number."""
        if not isinstance(value, Unset):
            return str(value)
        unset.append(value)
        return f"\0{len(unset) - 1}\0"

    def put(match: re.Match[str]) -> str:
        value = _variable(match, names)
        return " ".join(map(mark, value)) if isinstance(value, list) else mark(value)

    text = _OUTPUT.sub(lambda _: mark(Unset("the output of a command")), word.replace("\0", ""))
    for _ in range(_DEEPEST):  # the default of a variable may be another one
        text, before = _VARIABLE.sub(put, text), text
        if text == before:
            break
    if unset:
        return _unmarked(text, unset)
    return _split(text) if re.search(r"\s", text) else [text]


def _unmarked(text: str, unset: Sequence[Unset]) -> list[Any]:
    """Return the words of a text in which marks stand for values that are not known; a flag keeps its name."""
    found: list[Any] = []
    for each in _split(text, _COMMAND) if re.search(r"\s", text) else [text]:
        marked = _MARK.search(each)
        flag = _FLAG.fullmatch(each) or _OVERRIDE.fullmatch(each)
        named = [f"--{flag[1]}"] if flag and flag[2] is not None and not _ENVIRONMENT.fullmatch(flag[1]) else []
        found.extend([each] if marked is None else [*named, unset[int(marked[1])]])
    return found


def _split(text: str, holds: re.Pattern[str] = _FLAGS) -> list[Any]:
    """Return the words of a value of a variable that holds flags; another value stays one word."""
    if not holds.search(text):
        return [text.strip()]
    try:
        return shlex.split(text.replace("\\\n", " "))
    except ValueError:
        return text.split()


def _variable(match: re.Match[str], names: Mapping[str, Any]) -> Any:
    if match[4] is not None:
        return _computed(match[4], names)
    name = match[1] or match[2]
    if name in names and names[name] != "":
        return names[name]
    if match[3] is not None:
        return match[3]
    return names.get(name, _missing(name))


def _computed(text: str, names: Mapping[str, Any]) -> Any:
    """Return the result of whole-number arithmetic as a string."""
    whole = {
        name: int(value) for name, value in names.items() if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value)
    }
    try:
        value = evaluate(ast.parse(text.replace("/", "//"), mode="eval").body, whole)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        value = None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else Unset(f"the result of $(({text[:40]}))")
