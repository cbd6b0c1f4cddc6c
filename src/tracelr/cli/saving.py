"""What a verb prints as JSON, and what it writes to files."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from tracelr.cli.output import say
from tracelr.files import write_whole


def say_json(value: Any) -> None:
    """Print JSON, for a script. It has no infinity and no NaN: each is null."""
    say(json.dumps(_finite(value), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def put(text: str, path: str | None) -> None:
    """Print a text, or write it to the file `path`."""
    text = text.rstrip("\n")
    if path is None:
        say(text)
    else:
        save(path, f"{text}\n".encode(errors="backslashreplace"))


def save(path: str, content: bytes | memoryview, what: str = "") -> None:
    """Write a file, and say that it was written, and `what` it holds."""
    write_whole(Path(path), content)
    say(f"wrote {path}{what}", sys.stdout if path != "/dev/stdout" else sys.stderr)
