"""Damaged checkpoints, settings of the environment, and keys that YAML reads as equal: one sentence, and exit code 2."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from support.damaged_runs import job
from support.terminal import Terminal
from torch import nn

from tracelr import Linear, Scheduler, checkpoint, lowering
from tracelr.cli.demo.digits import _restore
from tracelr.cli.demo.params import Params
from tracelr.errors import CheckpointError, ConfigError
from tracelr.interop.load import load

pytestmark = pytest.mark.usefixtures("command_line")

LINE = {"schedule": "Linear", "start": 0.0, "end": 1.0, "steps": 10}
NESTED = torch.nested.nested_tensor([torch.tensor([3])])


def state(schedules: Any, **more: Any) -> dict[str, Any]:
    return {"last_epoch": 3, "schedules": schedules if isinstance(schedules, str) else json.dumps(schedules)} | more


SHOWN: dict[str, tuple[int, Any]] = {
    "no factor": (0, state({"lr": [{"of": LINE}]})),
    "a factor that is none": (2, state({"lr": [{"of": LINE, "factor": "x"}]})),
    "deep JSON": (2, state("[" * 100_000)),
    "no JSON": (2, state("{")),
    "an empty mapping": (2, state({})),
    "a sparse count": (2, state({"lr": [LINE]}, last_epoch=torch.tensor([3]).to_sparse())),
    "a nested count": (2, state({"lr": [LINE]}, last_epoch=NESTED)),
    "a count of meta": (2, state({"lr": [LINE]}, last_epoch=torch.empty((), dtype=torch.int64, device="meta"))),
    "a count that is a list": (2, state({"lr": [LINE]}, last_epoch=[3])),
    "a surrogate": (0, state('{{"\\ud800": [{}, {}]}}'.format(json.dumps(LINE), json.dumps(LINE | {"end": 2.0})))),
    "NaN": (2, state('{"lr": [{"schedule": "Constant", "value": NaN}]}')),
    "a large number": (2, state('{"lr": [{"schedule": "Constant", "value": 1%s}]}' % ("0" * 5000))),
    "a list in a list": (2, [[1]]),
    "a number": (2, 3),
}


@pytest.mark.parametrize("name", SHOWN)
def test_damaged_checkpoints_are_shown_or_refused(name: str, tracelr_: Terminal) -> None:
    code, content = SHOWN[name]
    torch.save(content, "a.pt")
    said = tracelr_("show", "a.pt", code=code)
    assert (code == 0) == (not said.startswith("tracelr: error: "))
    assert len(said.splitlines()) == 1 or code == 0


def restored(change: Any) -> Any:
    """Load the checkpoint of a run after `change` of its state."""
    params = Params.read(job(Path()))
    model = nn.Sequential(nn.Linear(4, 2))
    optimizer = params.optimizer(model.parameters())
    scheduler = Scheduler(optimizer, lr=params.schedule, on_change="strict")
    fresh = copy.deepcopy((model.state_dict(), scheduler.state_dict()))
    model(torch.ones(4)).sum().backward()
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    history: list[Any] = [(0, 0.1, 2.0), (1, 0.1, 1.0)]
    held = dict(
        model=model.state_dict(),
        optimizer=optimizer.state_dict(),
        scheduler=scheduler.state_dict(),
        history=history,
        params=params.text,
        step=2,
    )
    held = copy.deepcopy(held)
    change(held)
    checkpoint.save("checkpoint.pt", held)
    again = nn.Sequential(nn.Linear(4, 2))
    again.load_state_dict(fresh[0])
    bound = params.optimizer(again.parameters())
    return _restore(Path("checkpoint.pt"), params, again, bound, Scheduler(bound, lr=params.schedule, on_change="strict"))


CHANGES: dict[str, Any] = {
    "no history": lambda held: held.update(history=[]),
    "a longer history": lambda held: held["history"].append((2, 0.1, 1.0)),
    "a history of other steps": lambda held: held.update(history=[(5, 0.1, 1.0), (6, 0.1, 1.0)]),
    "an infinite step": lambda held: held.update(history=[(float("inf"), 0.1, 1.0)] * 2),
    "a huge number": lambda held: held.update(history=[(0, 10**400, 1.0)] * 2),
    "a history of text": lambda held: held.update(history="ab"),
    "a history of None": lambda held: held.update(history=None),
    "params of None": lambda held: held.update(params=None),
    "a tensor of params": lambda held: held.update(params=torch.ones(3)),
    "no state of the optimizer": lambda held: held["optimizer"].update(state={}),
    "state of another optimizer": lambda held: held["optimizer"]["state"].update({0: {"momentum_buffer": torch.ones(2, 4)}}),
    "a moment of another shape": lambda held: held["optimizer"]["state"][0].update(exp_avg=torch.ones(7)),
    "a sparse moment": lambda held: held["optimizer"]["state"][0].update(exp_avg=torch.ones(2, 4).to_sparse()),
    "a group without betas": lambda held: held["optimizer"]["param_groups"][0].pop("betas"),
    "a group with betas of text": lambda held: held["optimizer"]["param_groups"][0].update(betas=("x", "y")),
    "an optimizer of None": lambda held: held.update(optimizer=None),
    "a model of another shape": lambda held: held["model"].update({"0.weight": torch.ones(1)}),
    "a model of a number": lambda held: held.update(model=3),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_run_does_not_resume_from_a_foreign_state(name: str) -> None:
    assert restored(lambda held: None) == [(0, 0.1, 2.0), (1, 0.1, 1.0)]
    with pytest.raises(CheckpointError, match=r"^checkpoint checkpoint\.pt: given "):
        restored(CHANGES[name])


SAME = ("1000", "1_000", "0x3e8", "1000.0", "1.0e+3", "1e3", "0b1111101000", "16:40")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *itertools.pairwise(SAME),
        ("true", "1"),
        ("yes", "1.0"),
        ("false", "0"),
        ("0", "-0.0"),
        ("~", "null"),
    ],
)
@pytest.mark.parametrize("form", ["{{{}: 1, {}: 2}}", "{{x: {{{}: 1, y: 2, {}: 3}}}}", "{}: 1\n{}: 2\n"])
def test_keys_that_are_one_key(one: str, other: str, form: str) -> None:
    Path("a.yaml").write_text(form.format(one, other))
    with pytest.raises(ConfigError, match="each key once"):
        load("a.yaml")


@pytest.mark.parametrize(("one", "other"), [("1000", '"1000"'), ("1", "2"), ("true", '"true"'), ("<<", "a")])
def test_keys_that_differ(one: str, other: str) -> None:
    value = "{b: 1}" if one == "<<" else "1"
    Path("a.yaml").write_text(f"{{{one}: {value}, {other}: 2}}")
    with pytest.raises(ConfigError, match="one of the formats below"):
        load("a.yaml")


@pytest.mark.parametrize("command", ["'", '"', "\\", "/nowhere/cc", "true", "false", "echo", ".", " "])
def test_a_compiler_that_is_none(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from tracelr.__main__ import main

    monkeypatch.setenv("CC", command)
    code = main(["verify", "linear(0, 1, 9)", "--target", "c"])
    said = capsys.readouterr().err
    assert (code, said.startswith("tracelr: error: ")) in ((2, True), (0, False))
    assert code == (0 if not command.strip() else 2)
    assert lowering.lower(Linear(0.0, 1.0, 9), "c").text


def test_a_default_device_of_meta(tracelr_: Terminal) -> None:
    wanted = (
        tracelr_("show", "linear(0, 1, 9) | multi_step(1, 0.1, [3, 5])"),
        tracelr_("diff", "linear(0, 1, 9)", "linear(0, 1, 9)"),
    )
    torch.set_default_device("meta")
    try:
        got = (
            tracelr_("show", "linear(0, 1, 9) | multi_step(1, 0.1, [3, 5])"),
            tracelr_("diff", "linear(0, 1, 9)", "linear(0, 1, 9)"),
        )
    finally:
        torch.set_default_device(None)
    assert got == wanted
