"""The step counter: an int64 tensor that compiled regions advance, and that the host reads and writes."""

from __future__ import annotations

from typing import Any, final

import torch
import torch.distributed as dist
from torch import Tensor

from tracelr import _torch
from tracelr.errors import OptimizerError, Unquoted

LARGEST = 2**63 - 1
"""The largest count. Every schedule is constant from step 2**53 on, so larger counts would give the same values."""


def limited(by: int | Tensor, count: Tensor) -> Tensor:
    """Return `by`, or less where `count` + `by` would exceed `LARGEST`.

    >>> limited(2, torch.tensor(3)), limited(2, torch.tensor(LARGEST - 1))
    (tensor(2), tensor(1))
    """
    room = LARGEST - count.clamp(min=0)
    return torch.minimum(room, by) if isinstance(by, Tensor) else room.clamp(max=by)


@final
class Counter:
    """The number of steps made. A compiled region adds to `tensor`, whose address never changes.

    On the CPU the host reads and writes the tensor's memory, at a tenth of the cost of a tensor operation. On a device it
    keeps a copy of the count and reads the tensor, which waits for the device, only after something else has written to it.

    >>> counter = Counter(3, torch.device("cpu"))
    >>> _ = counter.tensor.add_(2)
    >>> counter.read()
    5
    """

    def __init__(self, count: int, device: torch.device) -> None:
        self.tensor = torch.tensor(count, dtype=torch.int64, device=device)
        array: Any = self.tensor.reshape(1).numpy() if device.type == "cpu" else None
        self._memory: Any = None if array is None else memoryview(array)  # quicker to read than the array
        self._count, self._seen = count, _torch.version(self.tensor)
        self.latest = count  # what the last `add` made: another thread may have added since
        self.shared = False  # whether a graph may write to the tensor: a replayed CUDA graph does not change its version

    def read(self) -> int:
        """Return the count."""
        if self._memory is not None:
            return int(self._memory[0])
        if self.shared or _torch.version(self.tensor) != self._seen:
            self._count, self._seen = int(self.tensor), _torch.version(self.tensor)
        return self._count

    def advance(self, by: int | Tensor) -> Tensor:
        """Add to the count by tensor operations alone, and return the tensor. It stops at `LARGEST` and does not wrap."""
        return self.tensor.add_(limited(by, self.tensor))

    def add(self, by: int) -> int:
        """Add to the count on the host, up to `LARGEST`, and return it."""
        memory = self._memory
        if memory is None:
            self.write(min(self.read() + by, LARGEST))
            self.latest = self._count
            return self._count
        count: int = memory[0] + by  # from here to the end Python calls nothing, so no other thread runs
        if count > LARGEST:
            count = LARGEST
        memory[0] = self.latest = count
        return count

    def write(self, count: int) -> None:
        """Set the count."""
        if self._memory is not None:
            self._memory[0] = count
            return
        self.tensor.fill_(count)
        self._count, self._seen = count, _torch.version(self.tensor)

    def __reduce__(self) -> tuple[type[Counter], tuple[int, torch.device]]:
        # copied one by one, the tensor and the array would not share memory
        return Counter, (self.read(), self.tensor.device)


def compare_counts(count: int) -> None:
    """Compare the count that a step would lead to with those of all ranks; raise `OptimizerError` on every rank."""
    if not is_distributed():
        return
    device = torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")
    ends = torch.tensor([count, -count], device=device)
    dist.all_reduce(ends, dist.ReduceOp.MAX)
    highest, lowest = int(ends[0]), -int(ends[1])
    if highest != lowest:
        every = [0] * dist.get_world_size()
        dist.all_gather_object(every, count)
        given = Unquoted("; ".join(f"rank {rank} at {at}" for rank, at in enumerate(every)))
        fix = "pass as increment what all ranks did together, such as a sum by all_reduce"
        raise OptimizerError("Scheduler.step(increment)", given, "the same count on every rank", fix, limit=1000)


def is_distributed() -> bool:
    """Say whether this process is one of a distributed run."""
    return dist.is_available() and dist.is_initialized()
