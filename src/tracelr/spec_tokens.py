"""The tokens of a spec: what the text is cut into, and the errors that point into it."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn, final

from tracelr.errors import ConfigError, Location, TracelrError, Words

_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<number>(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?[kM]?(?![\w.]))"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<string>'[^'\n]*'|\"[^\"\n]*\")|(?P<mark>[|+\-*()\[\],=.])"
)


@final
class Token(NamedTuple):
    kind: str
    text: str
    at: int


@final
class Tokens:
    """The tokens of a text, and how far they are read."""

    def __init__(self, text: str, where: str) -> None:
        self.text, self.where, self._k = text, where, 0
        self._listed = self._cut()

    def _cut(self) -> list[Token]:
        found, at = [], 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None:
                word = re.match(r"[\w.]+|.", self.text[at:], re.S)
                allowed = "a number, a name, a string, or one of | + - * ( ) [ ] , = ."
                raise self.refuse(at, word[0] if word else "", allowed, "correct it there")
            if match.lastgroup != "space":
                found.append(Token(str(match.lastgroup), match[0], at))
            at = match.end()
        return [*found, Token("end", "the end", len(self.text))]

    def refuse(self, at: int, given: object, allowed: str, fix: str) -> ConfigError:
        """Return the error of a place; the caller raises it."""
        where, location = self._place(at)
        return ConfigError(where, given, allowed, fix, at=location)

    def blame(self, at: int, error: TracelrError) -> ConfigError:
        """Return a schedule's own error as one of a place, with a caret under it."""
        return error.of(ConfigError, *self._place(at))

    def _place(self, at: int) -> tuple[str, Location]:
        line = self.text.count("\n", 0, at) + 1
        column = at - self.text.rfind("\n", 0, at)
        place = f"line {line}, column {column}" if "\n" in self.text.strip() else f"column {column}"
        return f"{self.where}: {place}", Location.within(self.text, line, column)

    @property
    def now(self) -> Token:
        """The next token."""
        return self._listed[self._k]

    def ahead(self, *marks: str) -> bool:
        """Say whether the next token is one of `marks`."""
        return self.now.kind == "mark" and self.now.text in marks

    @property
    def after(self) -> Token:
        """The token after the next one."""
        return self._listed[min(self._k + 1, len(self._listed) - 1)]

    def take(self) -> Token:
        """Return the next token and go past it."""
        self._k += 1
        return self._listed[self._k - 1]

    def expect(self, mark: str) -> Token:
        """Return the next token, which must be `mark`, and go past it."""
        if not self.ahead(mark):
            self.unexpected(repr(mark))
        return self.take()

    def unexpected(self, allowed: str) -> NoReturn:
        """Raise: the next token is not one of the `allowed` ones."""
        given = Words("the end") if self.now.kind == "end" else Words(self.now.text)
        raise self.refuse(self.now.at, given, allowed, "write it there")
