"""Checkpoint files: written whole or not at all, read without running anything they hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any

import torch

from tracelr.errors import CheckpointError, explain


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a file beside `path`, flush it to the disk, then put it in place: nobody ever sees half a file."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def save(path: str | Path, state: Mapping[str, Any]) -> None:
    """Save `state` (tensors and plain types) to `path`; a kill at any moment leaves the checkpoint before it intact."""
    write_whole(Path(path), lambda file: torch.save(dict(state), file))


def load(path: str | Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the checkpoint in `path`, which must hold `keys`. Nothing is unpickled but tensors and plain types.

    Raises `CheckpointError` if the file is missing, truncated, or of another program.
    """
    where, fix = f"checkpoint {path}", "use a checkpoint that tracelr wrote, or start without it"
    try:
        state = torch.load(path, weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{where}: there is no such file; to fix it: check the path, or start without it.") from None
    except (RuntimeError, EOFError, UnpicklingError, KeyError, ValueError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise CheckpointError(
            f"{where}: it cannot be read, it is truncated or no checkpoint ({reason}); to fix it: {fix}."
        ) from None
    missing = [key for key in keys if not isinstance(state, dict) or key not in state]
    if missing:
        given = sorted(map(str, state)) if isinstance(state, dict) else state
        raise CheckpointError(explain(where, given, f"a mapping with the keys {', '.join(keys)}", fix))
    return state  # type: ignore[no-any-return]
