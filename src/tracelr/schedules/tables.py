"""Tables: constant tensors of a module, made from its fields. They move with it to a device, but keep their dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tracelr import _torch
from tracelr.arithmetic import WITHOUT_FLOAT64, Table


class Tables(nn.Module):
    """Abstract base of a module whose tensors keep their dtype, and whose tables are made from values that it keeps.

    A table is not a parameter, and is not in the `state_dict`. It has the right values in a model that was built on the meta
    device, cast, or moved by `to_empty`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._tables: dict[str, tuple[Sequence[float], torch.dtype]] = {}

    def table(self, name: str) -> Any:
        """Return the table `name`, on the module's device: a tensor of integers, or a `Table` of values."""
        if self._tables[name][1] != torch.float64:
            return getattr(self, f"{name}_table")  # not get_buffer, which Dynamo of torch 2.6 does not trace
        wide = _torch.buffers_of(self).get(f"{name}_table")
        return Table(wide, getattr(self, f"{name}_high_table"), getattr(self, f"{name}_low_table"))

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
        for suffix, tensor in here.items():
            moved = None if tensor is None else tensor.to(device)
            self.register_buffer(f"{name}{suffix}_table", moved, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Tables:
        # .half() or .to(bfloat16) of a model reaches its schedules too; they follow it to a device, but not to a dtype.
        def keep_dtype(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        for name, (_, dtype) in self._tables.items():
            if dtype == torch.float64:  # because it cannot be moved to a device without float64
                _torch.buffers_of(self)[f"{name}_table"] = None
        super()._apply(keep_dtype, recurse)  # type: ignore[no-untyped-call]  # torch's is untyped
        place = self.place or torch.device("cpu")
        for name in self._tables:  # again, because .to_empty() moves no values
            self._make(name, place)
        return self
