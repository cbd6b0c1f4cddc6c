"""The folder of a run: one process at a time writes there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracelr.checkpoint import writing
from tracelr.errors import CheckpointError, Words


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make `folder`, and keep it for this process: the lock ends with the process, however that ends.

    What a killed process left half written there is removed. Raises `CheckpointError` if another process has the folder, or
    if it cannot be one. Where there is no `fcntl` there is no lock.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder)
    try:
        with writing(folder):
            for part in folder.glob(".*.part"):
                part.unlink()
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Return an open file that holds the lock of the folder itself: no file is left behind."""
    try:
        import fcntl
    except ImportError:
        return None
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(opened)
        if not isinstance(error, BlockingIOError):
            return None  # a file system without locks
        given, allowed = Words("a folder that another process writes to"), "a folder of its own for each process"
        fix = "wait until that one has ended, or pass --out for another folder"
        raise CheckpointError(f"run folder {folder}", given, allowed, fix) from None
    return opened
