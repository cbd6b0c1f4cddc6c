"""The ranks of a run compare how they start, through the store that they met in: no collective, and nobody waits."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from itertools import count
from typing import Any, Literal, final

import torch.distributed as dist

from tracelr.changes import changes
from tracelr.errors import OptimizerError, Words

Policy = Literal["warn", "strict", "off"]
POLICIES = ("warn", "strict", "off")
_LOOKS = (2, 100)  # calls of step(); a rank that trains with others has made its first before their second
_made = count()


@final
class RankWatch:
    """Says which ranks start from another step, or with other schedules, than the one that started first.

    Its schedulers are compared in the order in which they are built. A collective would hang where only some ranks have a
    scheduler, so each rank leaves word in the default store at its first step, and looks at its second what others left. Of
    ranks whose numbers of param groups differ, such as pipeline stages, nothing is said.
    """

    def __init__(self, policy: Policy) -> None:
        self._strict = policy == "strict"
        self._name = f"tracelr/{next(_made)}"
        self._calls = 0

    def over(self, start: Callable[[], int], described: Callable[[], dict[str, list[Any]]]) -> bool:
        """Take note of one call of `step()`, which goes on from `start`; say whether there is nothing left to compare."""
        if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
            return True
        self._calls += 1
        found = ""
        try:
            store = dist.distributed_c10d._get_default_store()
            if self._calls == 1:
                self._leave_word(store, start(), described())
            elif self._calls in _LOOKS:
                found = self._look(store)
        except (RuntimeError, ValueError, OSError):  # a backend without a store, or one whose server has left
            return True
        if found:
            self._say(found)
        return bool(found) or self._calls >= _LOOKS[-1]

    def _leave_word(self, store: dist.distributed_c10d.Store, start: int, described: dict[str, list[Any]]) -> None:
        own = json.dumps({"rank": dist.get_rank(), "step": start, "schedules": described})
        first = json.loads(store.compare_set(f"{self._name}/first", "", own))
        what = _difference(first, start, described)
        if what:
            place = store.add(f"{self._name}/places", 1)
            store.set(f"{self._name}/{place}", f"rank {dist.get_rank()} differs from rank {first['rank']}: {what}")

    def _look(self, store: dist.distributed_c10d.Store) -> str:
        places = [f"{self._name}/{k}" for k in range(1, min(store.add(f"{self._name}/places", 0), 8) + 1)]
        return "; ".join(store.get(place).decode() for place in places if store.check([place]))

    def _say(self, found: str) -> None:
        fix = "build the scheduler from the same file, and load the same checkpoint, on every rank"
        if self._strict:
            allowed = "the same schedules from the same step on every rank"
            raise OptimizerError("Scheduler(ranks)", Words(found), allowed, fix, limit=1000)
        text = f'tracelr: {found}; {fix}; or, where ranks are meant to differ, pass Scheduler(..., ranks="off")'
        warnings.warn(text, stacklevel=2)


def _difference(first: dict[str, Any], step: int, described: dict[str, list[Any]]) -> str:
    lengths = [{len(groups) for groups in each.values()} for each in (first["schedules"], described)]
    if lengths[0] != lengths[1]:
        return ""
    return changes(first["schedules"], described) or (f"step {first['step']} -> {step}" if step != first["step"] else "")
