"""Files that are written completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracelr.errors import CheckpointError, Unquoted


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise `CheckpointError`, which names `path`, if the system refuses to write there."""
    try:
        yield
    except OSError as error:
        given = Unquoted(f"a path that cannot be written ({error.strerror or error})")
        allowed = "a path that can be written; what was there is unchanged"
        raise CheckpointError(str(path), given, allowed, "free it, or choose another folder") from error


def write_whole(path: Path, *content: bytes | memoryview) -> None:
    """Write `content` to a file beside `path`, flush it to the disk, and rename it to `path`. Nobody sees half a file.

    A device or a pipe at `path` is written to and never replaced. A link is followed. Raises `CheckpointError` if the disk
    is full or the folder cannot be written; the old file at `path` is then unchanged.
    """
    given, path = path, Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with writing(given), path.open("wb") as file:
            file.writelines(content)
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with writing(given):
        try:
            with beside.open("wb") as file:
                file.writelines(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            _sync(path.parent)
        finally:
            if not path.parent.is_file():
                beside.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Flush the folder as well, because it holds the new name."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
