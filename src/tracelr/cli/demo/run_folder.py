"""The folder of a run: one process at a time writes there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tracelr.errors import CheckpointError, Unquoted
from tracelr.files import writing


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make `folder` and lock it for this process. The lock ends with the process, even if the process is killed.

    Files that a killed process left half written are removed. Raises `CheckpointError` if another process holds the lock, or
    if nothing can be written there.
    """
    lock = FileLock(folder / ".lock")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            given, allowed = Unquoted("a folder that another process writes to"), "a folder of its own for each process"
            fix = "wait until that process has ended, or pass --out for another folder"
            raise CheckpointError(f"run folder {folder}", given, allowed, fix) from None
    try:
        with writing(folder):
            for part in folder.glob(".*.part"):
                part.unlink()
        yield
    finally:
        lock.release()
