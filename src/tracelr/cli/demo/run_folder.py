"""The folder of a run: one process at a time writes there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tracelr.errors import CheckpointError, ConfigError, Unquoted
from tracelr.files import writing


def run_folder(file: Path, parent: Path = Path("runs")) -> Path:
    """Return the default folder of a run: that of the name of its params file, in `parent`.

    Raises `ConfigError` if the name, such as "...yaml", or a link leads to any other place.
    """
    folder = parent / file.stem
    with writing(folder):
        inside = folder.name == file.stem and folder.resolve() == parent.resolve() / folder.name
    if not inside:
        given, fix = Unquoted(f"a name that leads to {folder.resolve()}"), "pass --out, or rename the file"
        raise ConfigError(f"run folder {folder}", given, f"a folder in {parent}", fix)
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make `folder` and lock it for this process. The lock ends with the process, even if the process is killed.

    Raises `CheckpointError` if another process holds the lock, or if nothing can be written there.
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
        yield
    finally:
        lock.release()
