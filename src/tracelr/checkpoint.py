"""Checkpoint files: written whole or not at all, read without running anything they hold."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch

from tracelr.errors import CheckpointError, Words

_SEAL = b"tracelr sha256 "  # a comment at the end of the ZIP file that torch writes, with the digest of all before it
_DIGITS = 64


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise `CheckpointError`, naming `path`, for what the system says against writing there."""
    try:
        yield
    except OSError as error:
        given, fix = Words(f"a path that cannot be written ({error.strerror or error})"), "free it, or choose another folder"
        raise CheckpointError(str(path), given, "one that can; what was there is as it was", fix) from error


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a file beside `path`, flush it to the disk, then put it in place: nobody ever sees half a file.

    What stands at `path` and is no file, such as a device or a pipe, is written into, never replaced; so is what a link
    leads to. Raises `CheckpointError` if the disk is full, or the folder refuses; what was at `path` is then still there.
    """
    given, path = path, Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with writing(given), path.open("wb") as file:
            write(file)
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with writing(given):
        try:
            with beside.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
            _sync(path.parent)
        finally:
            if not path.parent.is_file():
                beside.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Flush the folder too: the new name is in it."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def save(path: str | Path, state: Mapping[str, Any]) -> None:
    """Save `state` (tensors and plain types) to `path`, sealed with a checksum.

    A kill at any moment, or a full disk, leaves the checkpoint before it intact.
    """
    made = io.BytesIO()  # torch's own writer ends the process where the disk is full
    torch.save(dict(state), made)
    made.seek(-2, io.SEEK_END)  # the length of the comment, which is 0
    made.write((len(_SEAL) + _DIGITS).to_bytes(2, "little") + _SEAL)
    digest = hashlib.sha256(made.getbuffer()).hexdigest().encode()
    write_whole(Path(path), lambda file: (file.write(made.getbuffer()), file.write(digest)))


def load(path: str | Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the checkpoint in `path`, which must hold `keys`. Nothing is unpickled but tensors and plain types.

    Raises `CheckpointError` if the file is missing, truncated, damaged, or of another program.
    """
    where, fix = f"checkpoint {path}", "use a checkpoint that tracelr wrote, or start without it"
    try:
        raw = Path(path).read_bytes()
        end = raw.find(_SEAL, max(len(raw) - len(_SEAL) - _DIGITS, 0)) + len(_SEAL)  # a torch file of its own may have none
        if end >= len(_SEAL) and hashlib.sha256(raw[:end]).hexdigest().encode() != raw[end:]:
            raise ValueError("its checksum is of other bytes")
        state = torch.load(io.BytesIO(raw), weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(where, Words("no such file"), "a checkpoint", "check the path, or start without it") from None
    except Exception as error:  # torch has no one class for what is no checkpoint
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        damaged = Words(f"a file that is truncated or no checkpoint ({reason})")
        raise CheckpointError(where, damaged, "a checkpoint", fix, 200) from None
    missing = [key for key in keys if not isinstance(state, dict) or key not in state]
    if missing:
        given = sorted(map(str, state)) if isinstance(state, dict) else state
        raise CheckpointError(where, given, f"a mapping with the keys {', '.join(keys)}", fix)
    return state  # type: ignore[no-any-return]  # torch.load is untyped; it is a dict, checked above
