"""The step counter: one int64 tensor that compiled regions advance, and that the host reads and writes."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from tracelr import _torch

LARGEST = 2**63 - 1
"""The largest count: a schedule is long at its end, 2**53 at most, and stays there."""


@final
class Counter:
    """How many steps were made. `tensor` is what a compiled region adds to; its address never changes.

    On the CPU the host uses the tensor's own memory, which costs a tenth of a tensor op. On a device it keeps the count and
    reads the tensor back, which waits for the device, only after something else has written to it.

    >>> counter = Counter(3, torch.device("cpu"))
    >>> _ = counter.tensor.add_(2)
    >>> counter.read()
    5
    """

    def __init__(self, count: int, device: torch.device) -> None:
        self.tensor = torch.tensor(count, dtype=torch.int64, device=device)
        self._memory: Any = self.tensor.numpy() if device.type == "cpu" else None
        self._count, self._seen = count, _torch.version(self.tensor)
        self.shared = False  # whether a graph may move the tensor: a replayed CUDA graph leaves no trace in its version

    def read(self) -> int:
        """Return the count."""
        if self._memory is not None:
            return int(self._memory)
        if self.shared or _torch.version(self.tensor) != self._seen:
            self._count, self._seen = int(self.tensor), _torch.version(self.tensor)
        return self._count

    def advance(self, by: int | Tensor) -> Tensor:
        """Add to the count with tensor ops alone, and return the tensor. Past `LARGEST` it stays there and does not wrap."""
        room = LARGEST - self.tensor.clamp(min=0)
        return self.tensor.add_(torch.minimum(room, by) if isinstance(by, Tensor) else room.clamp(max=by))

    def add(self, by: int) -> int:
        """Add to the count on the host, up to `LARGEST`, and return it."""
        memory = self._memory
        if memory is None:
            self.write(min(self.read() + by, LARGEST))
            return self._count
        count = int(memory) + by
        if count > LARGEST:
            count = LARGEST
        memory[()] = count
        return count

    def write(self, count: int) -> None:
        """Set the count."""
        if self._memory is not None:
            self._memory[()] = count
            return
        self.tensor.fill_(count)
        self._count, self._seen = count, _torch.version(self.tensor)

    def __reduce__(self) -> tuple[type[Counter], tuple[int, torch.device]]:
        return Counter, (self.read(), self.tensor.device)  # a copy of each part would no longer share the memory
