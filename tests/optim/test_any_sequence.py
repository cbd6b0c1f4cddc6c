"""Random sequences of what happens to a scheduler in a run: every update uses the rate of a model of 50 lines.

`EXAMPLES=20000 pytest tests/optim/test_any_sequence.py` runs that many sequences of each kind in eager code.
"""

from __future__ import annotations

import copy
import os
import pickle
import warnings
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from support.optimizers import float32
from torch import nn
from torch.optim import SGD

from tracelr import Assignment, Linear, Plateau, Schedule, Scheduler, fuse
from tracelr.errors import OptimizerError

EXAMPLES = int(os.environ.get("EXAMPLES", "0"))
Line = tuple[float, float, int]  # start, end, steps: sums of powers of two, so that float64 has every value exactly
LINES: list[Line] = [(0.5, 1.0, 8), (1.0, 0.25, 16), (2.0, 2.0, 1), (1.0, 0.0, 4), (2.0, 0.5, 32)]
MODES = ("same", "factor", "list", "tags")


class Later(NamedTuple):
    at: int
    line: Line
    join: str
    warm: int


@dataclass
class Member:
    """A param group: its number, its tag, the number it was made with, its present number, and the line it follows."""

    name: int
    tag: str
    made: float
    own: float
    line: Line | None = None
    factor: float = 1.0
    seen: bool = False


@dataclass
class Model:
    count: int = 0
    scale: float = 1.0
    mode: str = "same"
    lines: list[Line] = field(default_factory=list)
    later: list[Later] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)

    def rate(self, one: Member) -> float:
        return one.own if one.line is None else one.factor * self.value(one.line, self.later, self.count)

    def value(self, line: Line, later: list[Later], step: int) -> float:
        if not later:
            return self.scale * at(line, step)
        *before, last = later
        if step < last.at:
            return self.value(line, before, step)
        then, here, t = self.value(line, before, last.at), at(last.line, step - last.at), step - last.at
        if last.warm:
            u = min(t / last.warm, 1.0)
            return (1 - u) * then + u * here
        first = at(last.line, 0)
        return here * then / first if last.join == "scale" else here + then - first if last.join == "shift" else here

    def ask(self, mode: str, lines: list[Line], count: int) -> None:
        """Follow another request from `count` on."""
        self.mode, self.lines, self.later, self.count = mode, lines, [], count
        for k, one in enumerate(self.members):
            self.bind(one, k)

    def bind(self, one: Member, place: int | None) -> None:
        """Give a group what was asked for; without a place, it was added later."""
        one.line, one.factor = self.lines[0], one.made if self.mode == "factor" else 1.0
        if self.mode == "list":
            one.line = None if place is None or place % 2 else self.lines[place % len(self.lines)]
        if self.mode == "tags" and one.tag != "a":
            one.line = None


def at(line: Line, step: int) -> float:
    start, end, steps = line
    return start + (end - start) * min(max(step, 0), steps) / steps


numbers = st.sampled_from([0.25, 0.5, 1.0, 2.0])
lines = st.lists(st.sampled_from(LINES), min_size=2, max_size=2)
places = st.integers(0, 5)


class Machine(RuleBasedStateMachine):
    """A scheduler that drives SGD in eager code; the groups hold floats."""

    tensors = False
    fused = False

    @initialize(
        made=st.lists(numbers, min_size=1, max_size=3), mode=st.sampled_from(MODES), lines=lines, plateau=st.booleans()
    )
    def begin(self, made: list[float], mode: str, lines: list[Line], plateau: bool) -> None:
        self.model, self.parameters, self.names = Model(), dict[int, nn.Parameter](), 0
        self.plateau = Plateau(factor=0.5, patience=0) if plateau else None
        self.saved: Any = None
        self.stash: list[tuple[Member, dict[str, Any]]] = []
        self.model.members = [self.member(number) for number in made]
        self.optimizer = SGD([self.group(one) for one in self.model.members], lr=1.0)
        self.drive(mode, lines)

    def member(self, made: float) -> Member:
        self.names += 1
        self.parameters[self.names] = nn.Parameter(torch.zeros(1))
        return Member(self.names, "ab"[self.names % 2 - 1], made, made)

    def group(self, one: Member) -> dict[str, Any]:
        lr = torch.tensor(one.made) if self.tensors else one.made
        return {"params": [self.parameters[one.name]], "lr": lr, "tags": one.tag}

    def schedule(self, line: Line) -> Schedule:
        return Linear(*line) if self.plateau is None else Linear(*line) * self.plateau.scale

    def drive(self, mode: str, lines: list[Line], count: int = 0, given: list[Line | None] | None = None) -> None:
        """Build the scheduler that is asked for, or one for each of the `given` lines."""
        if mode == "tags" and all(one.tag != "a" for one in self.model.members):
            mode = "same"
        self.model.ask(mode, lines, count)
        made = {one: self.schedule(one) for one in {*lines, *LINES}}
        asked: dict[str, Any] = {"same": {"lr": made[lines[0]]}, "factor": {"lr_factor": made[lines[0]]}}.get(mode, {})
        if mode == "list":
            listed = [one.line for one in self.model.members] if given is None else given
            asked = {"lr": [None if one is None else made[one] for one in listed]}
        if mode == "tags":
            asked = {"assignments": [Assignment("lr", ("a",), made[lines[0]])]}
        self.scheduler = Scheduler(self.optimizer, **asked, last_epoch=count - 1)
        self.compile()

    def compile(self) -> None:
        if self.fused:
            self.compiled = fuse(self.optimizer, self.scheduler, backend="aot_eager")

    def groups(self) -> list[dict[str, Any]]:
        return self.optimizer.param_groups

    def some(self, place: int) -> tuple[int, Member]:
        return place % len(self.model.members), self.model.members[place % len(self.model.members)]

    def added(self) -> None:
        """The groups that came since the last update are bound by now."""
        for one in self.model.members:
            one.seen = True

    # -- what happens in a run ----------------------------------------------------------------------------------------------

    @rule(times=st.sampled_from([1, 1, 1, 3]))
    def update(self, times: int) -> None:
        for _ in range(times):
            self.one_update()

    def one_update(self) -> None:
        for parameter in self.parameters.values():
            parameter.data.zero_()
            parameter.grad = torch.ones(1)
        wanted = [float32(self.model.rate(one)) for one in self.model.members]
        if self.fused:
            try:
                self.compiled()
            except OptimizerError as error:  # it may refuse other groups, before anything moves
                if "call fuse(optimizer, scheduler) again" not in str(error):
                    raise
                self.compile()
                self.compiled()
        else:
            self.optimizer.step()
        used = [-self.parameters[one.name].item() for one in self.model.members]
        assert used == wanted, (used, wanted, self.model, self.scheduler)
        if not self.fused:
            self.scheduler.step()
        self.model.count += 1
        assert self.scheduler.last_epoch == self.model.count
        held = [float32(lr) for lr in self.scheduler.get_last_lr()]
        assert held == [float32(self.model.rate(one)) for one in self.model.members]
        self.stash = [(one, {**group, "gone": True}) for one, group in self.stash]
        self.added()

    @rule(by=st.sampled_from([0, 2, 5, 1000]))
    def jump(self, by: int) -> None:
        if self.fused:
            self.scheduler.last_epoch = self.model.count + by
        else:
            self.scheduler.step(increment=by)
        self.model.count += by
        self.added()

    @precondition(lambda self: not self.fused)
    @rule()
    def skipped(self) -> None:
        self.scheduler.step(found_inf=torch.tensor(1.0))

    @rule(count=st.integers(0, 12))
    def go_to(self, count: int) -> None:
        self.scheduler.last_epoch = self.model.count = count
        self.added()

    @precondition(lambda self: len(self.model.members) < 5)
    @rule(made=numbers)
    def add_group(self, made: float) -> None:
        one = self.member(made)
        self.optimizer.add_param_group(self.group(one))
        self.model.bind(one, None)
        self.model.members.append(one)

    @precondition(lambda self: len(self.model.members) > 1)
    @rule(place=places)
    def remove_group(self, place: int) -> None:
        k, one = self.some(place)
        if one.seen:
            self.stash.append((one, self.groups()[k]))
        del self.groups()[k], self.model.members[k]

    @precondition(lambda self: any("gone" in group for _, group in self.stash))
    @rule()
    def add_what_was_removed(self) -> None:
        one, group = self.stash.pop(next(k for k, (_, group) in enumerate(self.stash) if "gone" in group))
        one.own = float(group["lr"])
        self.model.bind(one, None)
        self.model.members.append(one)
        self.optimizer.add_param_group({key: value for key, value in group.items() if key != "gone"})

    @rule(order=st.randoms(use_true_random=False))
    def reorder(self, order: Any) -> None:
        places = list(range(len(self.model.members)))
        order.shuffle(places)
        self.groups()[:] = [self.groups()[k] for k in places]
        self.model.members = [self.model.members[k] for k in places]

    @rule(place=places, deep=st.booleans())
    def replace_dict(self, place: int, deep: bool) -> None:
        k, _ = self.some(place)
        group = dict(self.groups()[k])
        self.groups()[k] = {**group, "params": list(group["params"])} if deep else group

    @rule(dicts=st.booleans())
    def replace_list(self, dicts: bool) -> None:
        self.optimizer.param_groups = [dict(group) if dicts else group for group in self.groups()]

    @rule(place=places, number=st.sampled_from([4.0, 0.125]), kind=st.sampled_from(["float", "tensor", "in place"]))
    def set_a_number(self, place: int, number: float, kind: str) -> None:
        k, one = self.some(place)
        if not one.seen:  # it would be the number that the group was made with
            return
        held = self.groups()[k]["lr"]
        if kind == "in place" and isinstance(held, torch.Tensor):
            held.fill_(number)
        else:
            self.groups()[k]["lr"] = torch.tensor(number) if kind == "tensor" else number
        one.own = number

    @rule(mode=st.sampled_from(MODES), lines=lines, count=st.sampled_from([0, 0, 3]), detach=st.booleans())
    def second_scheduler(self, mode: str, lines: list[Line], count: int, detach: bool) -> None:
        for one, group in zip(self.model.members, self.groups(), strict=True):
            one.own = float(group["lr"])
        if detach or self.fused:  # Dynamo keeps a compiled update, and so its scheduler
            self.scheduler.detach()
        del self.scheduler
        self.compiled = None
        self.added()
        self.drive(mode, lines, count)

    @precondition(lambda self: len(self.model.later) < 3)
    @rule(line=st.sampled_from(LINES), how=st.sampled_from([("jump", 0), ("jump", 4), ("scale", 0), ("shift", 0)]))
    def continue_with(self, line: Line, how: tuple[Any, int]) -> None:
        if all(one.line is None for one in self.model.members):
            return
        before = [float32(self.model.rate(one)) for one in self.model.members]
        rates = self.scheduler.continue_with(Linear(*line), join=how[0], warm=how[1])
        self.model.later = [*self.model.later, Later(self.model.count, line, *how)]
        assert [float32(one) for one in rates.before] == before
        assert [float32(one) for one in rates.after] == [float32(self.model.rate(one)) for one in self.model.members]
        self.added()

    @precondition(lambda self: self.plateau is not None and self.model.scale > 2**-6)
    @rule()
    def worse(self) -> None:
        assert self.plateau is not None
        self.plateau.update(1.0)
        if self.plateau.bad or self.plateau.scale.item() != self.model.scale:
            self.model.scale /= 2
        assert self.plateau.scale.item() == self.model.scale

    @rule()
    def save(self) -> None:
        one_file = {"optimizer": self.optimizer.state_dict(), "scheduler": self.scheduler.state_dict()}
        if self.plateau is not None:
            one_file["plateau"] = self.plateau.state_dict()
        self.saved = copy.deepcopy(one_file), copy.deepcopy(self.model)

    @precondition(lambda self: self.saved is not None)
    @rule(order=st.sampled_from(["os", "so", "o", "s"]), plateau_first=st.booleans())
    def load(self, order: str, plateau_first: bool) -> None:
        state, then = self.saved
        if [one.name for one in then.members] != [one.name for one in self.model.members]:
            return
        self.loaded(state, order, plateau_first)
        if "s" in order:
            self.model.count, self.model.later = then.count, then.later
        if "o" in order:
            for one, group in zip(self.model.members, state["optimizer"]["param_groups"], strict=True):
                one.own = float(group["lr"])
        self.model.scale = then.scale
        self.added()

    def loaded(self, state: Any, order: str, plateau_first: bool) -> None:
        loads = [self.optimizer.load_state_dict if one == "o" else self.scheduler.load_state_dict for one in order]
        for load, key in zip(loads, order, strict=True):
            load(copy.deepcopy(state["optimizer" if key == "o" else "scheduler"]))
        if self.plateau is not None:
            self.plateau.load_state_dict(state["plateau"])

    @precondition(lambda self: self.saved is not None)
    @rule(order=st.sampled_from(["os", "so"]), plateau_first=st.booleans())
    def another_process(self, order: str, plateau_first: bool) -> None:
        state, then = self.saved
        model = self.model = copy.deepcopy(then)
        own = [float(group["lr"]) for group in state["optimizer"]["param_groups"]]
        self.plateau = None if self.plateau is None else Plateau(factor=0.5, patience=0)
        self.stash = []
        self.optimizer = SGD([self.group(one) for one in model.members], lr=1.0)
        given = [one.line for one in model.members]
        if model.mode == "list" and all(one is None for one in given):
            given = None
            model.members = model.members[:]
        later, count = model.later, model.count
        self.drive(model.mode, model.lines, 0, given)
        for one, number, line in zip(model.members, own, given or [one.line for one in model.members], strict=True):
            one.own, one.line = number, line if model.mode == "list" else one.line
        self.loaded(state, order, plateau_first)
        model.later, model.count, model.scale = later, count, then.scale
        self.added()

    @precondition(lambda self: not self.fused)
    @rule(how=st.sampled_from([copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]))
    def copied(self, how: Any) -> None:
        whole = how((self.optimizer, self.scheduler, self.plateau, self.parameters, [group for _, group in self.stash]))
        self.optimizer, self.scheduler, self.plateau, self.parameters, stash = whole
        self.stash = [(one, group) for (one, _), group in zip(self.stash, stash, strict=True)]

    def teardown(self) -> None:
        if hasattr(self, "scheduler"):
            self.one_update()


class Tensors(Machine):
    """The groups hold tensors."""

    tensors = True


class Fused(Machine):
    """A fused update."""

    fused = True


@pytest.mark.parametrize(("machine", "examples", "steps"), [(Machine, 120, 25), (Tensors, 80, 25), (Fused, 2, 8)])
def test_every_update_uses_the_rate_of_the_model(machine: type[Machine], examples: int, steps: int) -> None:
    if EXAMPLES and machine.fused:
        pytest.skip("EXAMPLES is for eager code")
    options = settings(
        max_examples=EXAMPLES or examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=not EXAMPLES,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_state_machine_as_test(machine, settings=options)
