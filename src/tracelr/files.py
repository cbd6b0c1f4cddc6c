"""Files that are written completely or not at all, and files that are looked at before they are read."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tracelr.errors import CheckpointError, TracelrError, Unquoted, suggest

if os.name == "posix":
    import fcntl

_LISTED = 1000  # names of a folder that are compared with a wrong one


@contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[BinaryIO | None]:
    """Open a file to read it. Yield None for a pipe or a device, which may never send anything, or never end."""

    def at_once(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))  # without it, opening a pipe waits for a writer

    with open(path, "rb", opener=at_once) as file:
        yield file if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None


def missing(path: str | os.PathLike[str]) -> str:
    """Return what to do about a path to a file that is not there: the similar name in its folder, if there is one."""
    folder, name = os.path.split(os.fspath(path))
    with suppress(OSError, ValueError):
        return suggest(name, os.listdir(folder or ".")[:_LISTED], otherwise="correct the path")
    return "correct the path"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise `CheckpointError`, which names `path`, if the system refuses to write there."""
    try:
        yield
    except TracelrError:
        raise
    except (OSError, ValueError) as error:  # a NUL in a path is a ValueError
        given = Unquoted(f"a path that cannot be written ({getattr(error, 'strerror', None) or error})")
        allowed = "a path that can be written; what was there is unchanged"
        raise CheckpointError(str(path), given, allowed, "free it, or choose another folder") from error


def write_whole(path: Path, *content: bytes | memoryview) -> None:
    """Write `content` to a new file beside `path`, flush it to the disk, and rename it to `path`. Nobody sees half a file.

    A file at `path` keeps its mode. A link is replaced, not followed. A device or a pipe is written to and never replaced,
    and so is an open file under the name that it has in /dev or /proc. What a killed writer of the same file has left there
    is removed. Raises `CheckpointError` if the disk is full or the folder cannot be written; the old file at `path` is then
    unchanged.
    """
    with writing(path):
        if _is_stream(path):
            with open(path, "wb") as stream:
                stream.writelines(content)
            return
        begin = f".tracelr-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}-"  # short, however long the name is
        _remove_left(path.parent, begin)
        old = _regular(path)
        part, opened = _new(path.parent, begin, 0o666 if old is None else 0o600)
        try:
            with os.fdopen(opened, "wb") as file:
                if old is not None and os.name == "posix":
                    _take_over(opened, old)
                file.writelines(content)
                file.flush()
                os.fsync(opened)
                if os.name == "posix":
                    os.replace(part, path)  # the lock on the open file ends later
            if os.name != "posix":
                os.replace(part, path)  # Windows renames no open file
        except BaseException:
            with suppress(OSError):
                os.unlink(part)
            raise
        _sync(path.parent)


def _is_stream(path: Path) -> bool:
    """Return whether `path` is there and not to be replaced: a device, a pipe, a folder, an open file like /dev/stdout."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(mode):
        folder = os.path.realpath(path.parent)
        return folder == "/dev" or folder.startswith("/proc/")
    return not stat.S_ISREG(mode)


def _regular(path: Path) -> os.stat_result | None:
    with suppress(FileNotFoundError):
        found = os.lstat(path)
        return found if stat.S_ISREG(found.st_mode) else None
    return None


def _new(folder: Path, begin: str, mode: int) -> tuple[str, int]:
    """Return the path of a new file with a name that nobody can predict, and the file, open and locked."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    while True:
        part = os.path.join(folder, f"{begin}{secrets.token_hex(8)}.part")
        opened = os.open(part, flags, mode)
        if os.name != "posix":
            return part, opened
        with suppress(OSError):  # a file system without locks: what is left there stays there
            fcntl.flock(opened, fcntl.LOCK_EX)
        if os.path.lexists(part):
            return part, opened
        os.close(opened)  # another writer took it for one that was left, before it was locked


def _remove_left(folder: Path, begin: str) -> None:
    """Remove the files of killed writers: those that nobody has locked."""
    for name in os.listdir(folder):
        if name.startswith(begin):
            part = os.path.join(folder, name)
            with suppress(OSError):  # in use, of another user, or removed by another writer
                opened = os.open(part, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
                try:
                    if os.name == "posix":
                        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        os.unlink(part)
                finally:
                    os.close(opened)
                if os.name != "posix":
                    os.unlink(part)  # Windows refuses if it is open


def _take_over(opened: int, old: os.stat_result) -> None:
    """Give the new file the owner, the group and the mode of the old one, as far as the process may."""
    for owner, group in ((old.st_uid, -1), (-1, old.st_gid)):
        with suppress(OSError):
            os.fchown(opened, owner, group)
    same = os.fstat(opened).st_gid == old.st_gid
    os.fchmod(opened, stat.S_IMODE(old.st_mode) & (0o777 if same else 0o707))


def _sync(folder: Path) -> None:
    """Flush the folder as well, because it holds the new name."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
