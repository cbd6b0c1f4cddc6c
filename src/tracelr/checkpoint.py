"""Checkpoint files. They are written completely or not at all, and no code in them is run when they are read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile

import torch

from tracelr.errors import CheckpointError, Unquoted
from tracelr.files import open_regular, write_whole

_SEAL = b"tracelr sha256 "  # begins a comment at the end of torch's ZIP file: the digest of all bytes before it
_DIGITS, _BLOCK = 64, 2**20


def save(path: str | Path, state: Mapping[str, Any]) -> None:
    """Save `state` (tensors and plain types) to `path`, sealed with a checksum.

    If the process is killed, or the disk is full, the previous checkpoint stays intact.
    """
    made = io.BytesIO()  # torch's own writer ends the process when the disk is full
    torch.save(dict(state), made)
    made.seek(-2, io.SEEK_END)  # the length of the ZIP comment, which torch leaves at 0
    made.write((len(_SEAL) + _DIGITS).to_bytes(2, "little") + _SEAL)
    digest = hashlib.sha256(made.getbuffer()).hexdigest().encode()
    write_whole(Path(path), made.getbuffer(), digest)


def load(path: str | Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the checkpoint in `path`, which must hold `keys`. Only tensors and plain types are unpickled.

    Raises `CheckpointError` if the file is missing, truncated or damaged, or if another program wrote it.
    """
    where, fix = f"checkpoint {path}", "use a checkpoint that tracelr wrote, or start without it"
    try:
        with open_regular(path) as file:
            if file is None:
                raise ValueError("not a regular file")
            _check(file)
            file.seek(0)
            state = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(
            where, Unquoted("no such file"), "a checkpoint", "check the path, or start without it"
        ) from None
    except Exception as error:  # torch raises many classes for a file that is not a checkpoint
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        damaged = Unquoted(f"a file that is truncated, or not a checkpoint ({reason})")
        raise CheckpointError(where, damaged, "a checkpoint", fix, 200) from None
    missing = [key for key in keys if not isinstance(state, dict) or key not in state]
    if missing:
        given = sorted(map(str, state)) if isinstance(state, dict) else state
        raise CheckpointError(where, given, f"a mapping with the keys {', '.join(keys)}", fix)
    return state  # type: ignore[no-any-return]  # torch.load is untyped; a dict unless `keys` is empty


def _check(file: BinaryIO) -> None:
    """Raise `ValueError` if the checksum is wrong, or if torch's records would need more memory than the file is long."""
    size = file.seek(0, io.SEEK_END)
    begin = max(size - len(_SEAL) - _DIGITS, 0)
    file.seek(begin)
    tail = file.read()
    if _SEAL in tail:  # a plain torch file has no seal
        end = tail.index(_SEAL) + len(_SEAL)
        digest, left = hashlib.sha256(), begin + end
        file.seek(0)
        while left and (block := file.read(min(left, _BLOCK))):
            digest.update(block)
            left -= len(block)
        if digest.hexdigest().encode() != tail[end:]:
            raise ValueError("its checksum does not match its bytes")
    with ZipFile(file) as archive:
        records = archive.infolist()
    if any(one.compress_type != ZIP_STORED for one in records) or sum(one.file_size for one in records) > size:
        raise ValueError("records that are compressed, or share their bytes; torch writes neither")
