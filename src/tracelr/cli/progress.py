"""Says what a verb works on, on a terminal, if it takes more than a second."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tracelr.drawing.axes import short_name

_DELAY = 1.0  # seconds


@contextmanager
def progress(total: int, what: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that is called with the name of each of `total` pieces of work before it begins.

    It shows a bar with tqdm where standard error is a terminal and tqdm is installed, and elsewhere nothing.
    """
    bar = _bar(total, what)
    done = 0

    def tell(name: str) -> None:
        nonlocal done
        if bar is not None:
            bar.update(int(done > 0))
            bar.set_postfix_str(short_name(name, 40))
        done += 1

    try:
        yield tell
    finally:
        if bar is not None:
            bar.close()


def _bar(total: int, what: str) -> Any:
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=total, desc=what, delay=_DELAY, leave=False, file=sys.stderr)
