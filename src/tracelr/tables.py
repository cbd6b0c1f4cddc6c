"""Tables: a module's constant tensors, derived from its fields, that follow it to a device and to nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class Tables(nn.Module):
    """Abstract base of a module whose tensors keep their dtype, and whose tables are made from values it remembers.

    A table is no parameter and no part of the `state_dict`. A model built on the meta device, cast, or moved by `to_empty`
    has it right.
    """

    def __init__(self) -> None:
        super().__init__()
        self._tables: dict[str, tuple[Sequence[float], torch.dtype]] = {}

    def table(self, name: str) -> Tensor:
        """Return the table `name`, on the module's device."""
        return self.get_buffer(f"{name}_table")

    def keep(self, name: str, values: Sequence[float], dtype: torch.dtype) -> None:
        """Keep `values` as the table `name`."""
        self._tables[name] = values, dtype
        self._make(name, torch.device("cpu"))

    def _make(self, name: str, device: torch.device) -> None:
        values, dtype = self._tables[name]
        self.register_buffer(f"{name}_table", torch.tensor(values, dtype=dtype, device=device), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Tables:
        # A model's .half() or .to(bfloat16) reaches its schedules too; they follow it to a device, never to a dtype.
        def keep_dtype(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        super()._apply(keep_dtype, recurse)  # type: ignore[no-untyped-call]
        for name in self._tables:  # made anew: .to_empty() moves no values
            self._make(name, self.table(name).device)
        return self
