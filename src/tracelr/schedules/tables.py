"""Tables: a module's constant tensors, derived from its fields, that follow it to a device and to nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tracelr import _torch
from tracelr.arithmetic import WITHOUT_FLOAT64, Table


class Tables(nn.Module):
    """Abstract base of a module whose tensors keep their dtype, and whose tables are made from values it remembers.

    A table is no parameter and no part of the `state_dict`. A model built on the meta device, cast, or moved by `to_empty`
    has it right.
    """

    def __init__(self) -> None:
        super().__init__()
        self._tables: dict[str, tuple[Sequence[float], torch.dtype]] = {}

    def table(self, name: str) -> Any:
        """Return the table `name`, on the module's device: a tensor of integers, or a `Table` of values."""
        if self._tables[name][1] != torch.float64:
            return self.get_buffer(f"{name}_table")
        wide = _torch.buffers_of(self).get(f"{name}_table")
        return Table(wide, self.get_buffer(f"{name}_high_table"), self.get_buffer(f"{name}_low_table"))

    @property
    def place(self) -> torch.device | None:
        """The device that the tables are on; None without tables."""
        for name in self._tables:
            table = self.table(name)
            return (table.high if isinstance(table, Table) else table).device
        return None

    def register_table(self, name: str, values: Sequence[float], dtype: torch.dtype) -> None:
        """Keep `values` as the table `name`."""
        self._tables[name] = values, dtype
        self._make(name, torch.device("cpu"))

    def _make(self, name: str, device: torch.device) -> None:
        values, dtype = self._tables[name]
        if dtype != torch.float64:
            self.register_buffer(f"{name}_table", torch.tensor(values, dtype=dtype, device=device), persistent=False)
            return
        wide = torch.tensor(values, dtype=dtype, device="cpu")
        high = wide.to(torch.float32)
        low = torch.where(high.isfinite(), wide - high, 0.0).to(torch.float32)
        here = {"": None if device.type in WITHOUT_FLOAT64 else wide, "_high": high, "_low": low}
        for part, tensor in here.items():
            moved = None if tensor is None else tensor.to(device)
            self.register_buffer(f"{name}{part}_table", moved, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Tables:
        # A model's .half() or .to(bfloat16) reaches its schedules too; they follow it to a device, never to a dtype.
        def keep_dtype(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        for name, (_, dtype) in self._tables.items():
            if dtype == torch.float64:  # it could not be moved to a device without float64
                _torch.buffers_of(self)[f"{name}_table"] = None
        super()._apply(keep_dtype, recurse)  # type: ignore[no-untyped-call]  # torch's is untyped
        place = self.place or torch.device("cpu")
        for name in self._tables:  # made anew: .to_empty() moves no values
            self._make(name, place)
        return self
