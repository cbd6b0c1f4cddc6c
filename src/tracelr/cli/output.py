"""What the command line prints. Every text goes through here, and is escaped for the terminal or the file that gets it."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from tracelr.errors import printable
from tracelr.files import write_whole

_ASCII = {ord(a): b for a, b in zip("─│┤┬└", "-||+`", strict=True)} | {0x2800 + k: "*" for k in range(256)}
"""The letters of a plot, for a terminal that has no others than ASCII."""


def say(text: str, stream: TextIO | None = None) -> None:
    """Print lines. What does not print, such as an escape sequence in a name, or is not in the encoding, is escaped."""
    stream = sys.stdout if stream is None else stream
    if stream is None:  # the shell closed it
        return
    text = "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    print(text, file=stream)


def say_json(value: Any) -> None:
    """Print JSON, for a script. It has no infinity and no NaN: each is null."""
    say(json.dumps(_finite(value), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def put(text: str, path: Path | None) -> None:
    """Print a text, or write it to the file `path`."""
    text = text.rstrip("\n")
    if path is None:
        say(text)
    else:
        write_whole(path, f"{text}\n".encode(errors="backslashreplace"))


def drop() -> None:
    """Drop what standard output still holds: nobody can take it, and Python would try again when it ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
