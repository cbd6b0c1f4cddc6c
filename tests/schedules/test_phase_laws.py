"""Laws of the words about a schedule, for random trees of every class: they say what the values do."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import torch
from support.trees import Trees

from tracelr import Schedule
from tracelr.arithmetic import LAST_STEP
from tracelr.errors import TracelrError
from tracelr.schedules.describe.phases import Phase, phases


def steps_in(phase: Phase, draw: random.Random) -> torch.Tensor:
    """Return steps of a phase in order: those at its ends, a few runs without gaps, and steps of every size."""
    last = LAST_STEP if phase.until is None else phase.until - 1
    width = last - phase.first
    found = {phase.first + k for k in range(min(width, 100) + 1)} | {last - k for k in range(min(width, 100) + 1)}
    for _ in range(20):
        at = phase.first + draw.choice([draw.randrange(width + 1), int(width ** draw.random())])
        found |= {at, min(at + 1, last)}
    return torch.tensor(sorted(found))


def broken(schedule: Schedule, draw: random.Random) -> str | None:
    """Return the first law that the phases of `schedule` break."""
    found = phases(schedule)
    if found[0].first != 0 or found[-1].until is not None or any(a.until != b.first for a, b in pairwise(found)):
        return "phases leave steps out"
    for phase in found[:20]:
        values = schedule(steps_in(phase, draw))
        moves = values.double().diff()
        if values[0] != phase.start:
            return f"{phase.steps} begins with {float(values[0])}, not {phase.start}"
        if " rises " in f" {phase.words}" and bool((moves < 0).any()):
            return f"{phase.steps} {phase.words}, and falls"
        if " falls " in f" {phase.words}" and bool((moves > 0).any()):
            return f"{phase.steps} {phase.words}, and rises"
        if phase.words.startswith("holds") and bool((moves != 0).any()):
            return f"{phase.steps} {phase.words}, and moves"
        if phase.period is not None and not (phase.low <= float(values.min()) and float(values.max()) <= phase.high):
            return f"{phase.steps} {phase.words}, and has {float(values.min())} and {float(values.max())}"
    return None


@pytest.mark.parametrize("depth", [0, 1, 3, 5])
def test_the_words_say_what_a_random_tree_does(depth: int) -> None:
    draw = random.Random(depth)
    for seed in range(60):
        schedule = Trees(f"words {depth} {seed}", wild=seed % 2 == 0).tree(depth)
        assert broken(schedule, draw) is None, schedule


@pytest.mark.parametrize("depth", [1, 3])
def test_a_schedule_holds_from_the_beginning_of_its_last_phase(depth: int) -> None:
    """Where the last phase is flat, nothing changes after the length, so that what follows cuts nothing off."""
    for seed in range(60):
        try:
            schedule = Trees(f"length {depth} {seed}", wild=False).tree(depth)
        except TracelrError:
            continue
        last = phases(schedule)[-1]
        if not last.shape and schedule.length is not None:
            assert schedule(max(last.first, schedule.length)) == schedule(LAST_STEP), schedule
