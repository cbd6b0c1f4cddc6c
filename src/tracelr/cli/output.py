"""What the command line prints. Every text goes through here, and is escaped for the terminal or the file that gets it."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

from tracelr.errors import printable

_ASCII = {ord(a): b for a, b in zip("─│┤┬└", "-||+`", strict=True)} | {0x2800 + k: "*" for k in range(256)}
"""The letters of a plot, for a terminal that has no others than ASCII."""
RED, BOLD, GREEN = "31", "1", "32"


def width() -> int:
    """Return how wide a picture in the terminal is: as wide as that is, from 40 to 120 columns."""
    return min(max(shutil.get_terminal_size((80, 24)).columns - 4, 40), 120)


def shows_braille() -> bool:
    """Return whether standard output takes the letters that a picture is made of."""
    try:
        "⠿┤".encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def coloured(stream: TextIO | None) -> bool:
    """Return whether `stream` is a terminal that shows colours, and nobody has asked for none (no-color.org)."""
    if stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def say(text: str, stream: TextIO | None = None, head: str = "", style: str = "") -> None:
    """Print lines. What does not print, such as an escape sequence in a name, or is not in the encoding, is escaped.

    `head` is printed before the text, on a terminal in the colour `style`.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None:  # the shell closed it
        return
    text = "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    head = f"\x1b[{style}m{head}\x1b[0m" if head and style and coloured(stream) else head
    print(f"{head}{text}", file=stream)


def drop() -> None:
    """Drop what standard output still holds: nobody can take it, and Python would try again when it ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
