"""Files that are written completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracelr.errors import CheckpointError, Unquoted


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise `CheckpointError`, which names `path`, where the system refuses to write there."""
    try:
        yield
    except OSError as error:
        given, fix = (
            Unquoted(f"a path that cannot be written ({error.strerror or error})"),
            "free it, or choose another folder",
        )
        raise CheckpointError(str(path), given, "a path that can be written; what was there is unchanged", fix) from error


def write_whole(path: Path, *content: bytes | memoryview) -> None:
    """Write `content` to a file beside `path`, flush it to the disk, then rename it to `path`: nobody sees half a file.

    A device or a pipe at `path` is written into and never replaced. A link is followed. Raises `CheckpointError` if the disk
    is full or the folder refuses; the old file at `path` is then still there.
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
