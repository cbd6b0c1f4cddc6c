"""Assignments in the native format: written, read, and the message of each mistake."""

import pytest
import yaml
from support.cerebras_trainer_files import TAGS, TWICE, UP

from tracelr import Constant, Sequential
from tracelr.errors import ConfigError
from tracelr.interop.load import from_dict, load
from tracelr.schedules.assignment import Assignment

OURS = [
    Assignment("lr", ("a", None), Sequential([UP, Constant(1.0)], [4]), "adjust_learning_rate"),
    Assignment("lr", ("b",), UP),
    Assignment("weight_decay", None, UP),
]


def test_assignments_round_trip(tmp_path):
    written = {"assignments": [one.to_dict() for one in OURS]}
    file = tmp_path / "assignments.yaml"
    file.write_text(yaml.safe_dump(written))
    assert from_dict(written) == load(file) == OURS


def test_what_an_assignment_may_leave_out():
    given = [{"key": "lr", "schedule": UP.to_dict()}, {"key": "momentum", "tags": "a", "schedule": UP.to_dict()}]
    assert from_dict({"assignments": given}) == [Assignment("lr", None, UP), Assignment("momentum", ("a",), UP)]


def given(**changes: object) -> dict[str, object]:
    return {"assignments": [{"key": "lr", "schedule": UP.to_dict()} | changes]}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"assignments": 3}, "assignments: given 3; allowed: a list of assignments, with at least one entry; to fix it: write such a list."),
        ({"assignments": [3]}, "assignments[0]: given 3; allowed: a mapping with the keys key and schedule; to fix it: write {key: lr, schedule: {...}}."),
        ({"assignments": [{}], "tags": 3}, "given the key 'tags'; allowed: assignments; to fix it: remove it."),
        (given(tag="a"), "assignments[0]: given the key 'tag'; allowed: factor, key, schedule, tags; to fix it: rename it to 'tags'."),
        (given(key=None), "assignments[0].key: given None; allowed: the key of a param group, such as lr; to fix it: add key: lr."),
        (given(factor=2), "assignments[0].factor: given 2; allowed: the key of a param group, or null; to fix it: leave it out, or name the key."),
        (given(tags=3), f"assignments[0].tags: given 3; {TAGS}"),
        (given(schedule=0.1), "assignments[0].schedule: given 0.1; allowed: a schedule; to fix it: write {schedule: <name>, ...}."),
        (given(schedule={"schedule": "Linear", "start": 0, "end": 1, "steps": -1}), "assignments[0].schedule.steps: Linear.steps: given -1; allowed: an int from 0 to 2**53; to fix it: pass a number of steps in this range."),
        ({"assignments": [{"key": "lr", "schedule": UP.to_dict()}] * 2}, f"assignments[1]: given lr of every group, set at [0] too; {TWICE}"),
    ],
)  # fmt: skip
def test_errors(mapping, message):
    with pytest.raises(ConfigError) as caught:
        from_dict(mapping)
    assert str(caught.value) == f"mapping: {message}"
