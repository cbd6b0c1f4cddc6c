"""`load` and `from_dict`: the native and the older Cerebras format, paths, and mappings."""

import os
import subprocess
import sys

import pytest
import torch
import yaml
from support.table import ROWS

import tracelr
from tracelr.errors import ConfigError
from tracelr.interop._tools.checks import Place
from tracelr.interop._tools.yaml import mapping as mapping_of
from tracelr.interop._tools.yaml import read
from tracelr.interop.load import from_dict, load
from tracelr.interop.readers import READERS

LINEAR = {"scheduler": "Linear", "initial_learning_rate": 0.0, "end_learning_rate": 1.0, "steps": 4}


def rate(spec: object, **beside: object) -> tracelr.Schedule:
    return from_dict({"optimizer": {"learning_rate": spec, **beside}})


def one(scheduler: str, **keys: object) -> tracelr.Schedule:
    return rate({"scheduler": scheduler, **keys})


# -- native format -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.written])
def test_what_to_dict_writes_reads_back(name, tmp_path):
    schedule = ROWS[name].schedule
    file = tmp_path / "schedule.yaml"
    file.write_text(yaml.safe_dump(schedule.to_dict()))
    for back in (from_dict(schedule.to_dict()), load(file), load(str(file))):
        assert back.to_dict() == schedule.to_dict()
        assert back.fingerprint() == schedule.fingerprint()


def test_a_newly_registered_schedule_is_read(monkeypatch):
    monkeypatch.setitem(tracelr.schedules.base.REGISTRY, "Other", tracelr.Linear)
    assert from_dict({"schedule": "Other", "start": 0.0, "end": 1.0, "steps": 4})(1).item() == 0.25


def test_a_default_may_be_left_out():
    assert from_dict({"schedule": "Polynomial", "start": 1.0, "end": 0.0, "steps": 4}).power == 1.0


# -- older Cerebras files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [0.001, "0.001", "1e-3", "1.0E-03", "+.1e-2"])
def test_a_number_is_a_constant_also_as_text(given):
    assert rate(given).to_dict() == {"schedule": "Constant", "value": 0.001}


@pytest.mark.parametrize("given", [100_000, 1e5, "100000", "1e5", "1.0e5", "1.0E+05"])
def test_a_length_may_be_any_spelling_of_a_whole_number(given):
    schedule = rate(LINEAR | {"steps": given})
    assert schedule.steps == 100_000
    assert type(schedule.steps) is int


def test_yaml_reads_1e5_as_a_number(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("a: [1e5, 1e-5, -.5E+3, 1., 12, '1e5', 1e5x, e5]\n")
    assert read(file)["a"] == [1e5, 1e-5, -500.0, 1.0, 12, "1e5", "1e5x", "e5"]


@pytest.mark.parametrize("name", ["Linear", "linear", "LINEAR", "LinearLR", "linearlr"])
def test_a_name_ignores_case_and_a_final_lr(name):
    assert one(**LINEAR | {"scheduler": name}).to_dict() == tracelr.Linear(0.0, 1.0, 4).to_dict()


@pytest.mark.parametrize("key", ["steps", "decay_steps", "total_iters"])
def test_a_length_has_three_names(key):
    entry = {"scheduler": "Linear", "initial_learning_rate": 0.0, "end_learning_rate": 1.0, key: 4}
    schedule = rate([entry, {"scheduler": "Constant", "learning_rate": 2.0}])
    assert schedule.to_dict() == tracelr.Linear(0.0, 1.0, 4).then(tracelr.Constant(2.0)).to_dict()


@pytest.mark.parametrize(
    ("entry", "schedule"),
    [
        ({"scheduler": "Constant", "learning_rate": 0.1, "steps": 3}, tracelr.Constant(0.1)),
        (
            {
                "scheduler": "Polynomial",
                "learning_rate": 1.0,
                "end_learning_rate": 0,
                "decay_steps": 4,
                "power": 2,
                "cycle": True,
            },
            tracelr.Polynomial(1.0, 0.0, 4, 2.0, True),
        ),
        (
            {"scheduler": "Exponential", "initial_learning_rate": 1, "decay_steps": 4, "decay_rate": 0.5, "staircase": True},
            tracelr.Exponential(1.0, 0.5, 4, True),
        ),
        (
            {
                "scheduler": "InverseExponentialTimeDecay",
                "initial_learning_rate": 1.0,
                "step_exponent": 2,
                "decay_steps": 4,
                "decay_rate": 0.5,
            },
            tracelr.InverseTime(1.0, 0.5, 4, 2.0),
        ),
        ({"scheduler": "InverseSquareRootDecay"}, tracelr.InverseSqrt(1.0, 1)),
        (
            {"scheduler": "InverseSquareRootDecay", "initial_learning_rate": 0.5, "scale": 8, "warmup_steps": 4.0},
            tracelr.InverseSqrt(2.0, 4),
        ),
        ({"scheduler": "Cosine", "initial_learning_rate": 1.0, "decay_steps": 4}, tracelr.Cosine(1.0, 0.0, 4)),
        ({"scheduler": "Cosine", "initial_learning_rate": 0.5, "alpha": 0.5, "steps": 4}, tracelr.Cosine(0.5, 0.25, 4)),
        (
            {"scheduler": "PiecewiseConstant", "learning_rates": [1, "5e-1"], "milestones": [0]},
            tracelr.PiecewiseConstant([1.0, 0.5], [0]),
        ),
    ],
    ids=lambda v: v["scheduler"] if isinstance(v, dict) else "",
)
def test_each_name_gives_its_schedule(entry, schedule):
    assert rate(entry).to_dict() == rate([entry]).to_dict() == schedule.to_dict()


def test_a_list_of_one_entry_is_the_entry():
    assert rate([LINEAR]).to_dict() == rate(LINEAR).to_dict()


def test_decay_steps_beside_steps_is_the_length_of_the_curve():
    schedule = rate([LINEAR | {"decay_steps": 8}, {"scheduler": "Constant", "learning_rate": 0.1}])
    assert schedule(torch.arange(6)).tolist() == pytest.approx([0.0, 0.125, 0.25, 0.375, 0.1, 0.1])


FALL = {"scheduler": "Linear", "initial_learning_rate": 1.0, "end_learning_rate": 0.0, "steps": 8}
GLOBAL, OWN = [0.5, 0.375, 0.25], [1.0, 0.875, 0.75]


@pytest.mark.parametrize(
    ("second", "beside", "values"),
    [
        ({}, {}, OWN),
        ({"disable_lr_steps_reset": False}, {}, OWN),
        ({"disable_lr_steps_reset": True}, {}, GLOBAL),
        ({}, {"disable_lr_steps_reset": True}, GLOBAL),
        ({"disable_lr_steps_reset": False}, {"disable_lr_steps_reset": True}, OWN),
    ],
)
def test_disable_lr_steps_reset_makes_the_time_of_an_entry_the_global_step(second, beside, values):
    schedule = rate([LINEAR, FALL | second], **beside)
    assert schedule(torch.arange(4, 7)).tolist() == values


def test_each_entry_has_its_own_reset():
    schedule = rate([LINEAR, FALL | {"steps": 2, "disable_lr_steps_reset": True}, FALL])
    assert schedule.reset == (True, False, True)
    assert rate([LINEAR, FALL, FALL]).reset is True
    assert rate([LINEAR, FALL, FALL], disable_lr_steps_reset=True).reset is False


# -- results --------------------------------------------------------------------------------------------------------------


def test_load_schedule_is_one_schedule_or_a_clear_error(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("cosine(1, 0, 10)")
    schedule: tracelr.Schedule = tracelr.load_schedule(file)
    assert schedule.to_dict() == tracelr.Cosine(1.0, 0.0, 10).to_dict()
    file.write_text('assignments: [{key: weight_decay, schedule: {schedule: "cosine(1, 0, 10)"}}]')
    with pytest.raises(ConfigError) as caught:
        tracelr.load_schedule(file)
    assert str(caught.value).startswith(
        f"{file}: given 1 assignment, listed below; allowed: one schedule for the rate of every"
    )
    assert "Cosine(start=1.0, end=0.0, steps=10)" in str(caught.value)
    file.write_text("schedule: Cosine\nstart: 1\nend: 0\nsteps: 5ep")
    assert tracelr.load_schedule(file, tracelr.Units(steps_per_epoch=2)).length == 10


def test_importing_tracelr_does_not_import_yaml():
    code = "import sys, tracelr, tracelr.interop.load; sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_exactly_one_reader_matches_each_example():
    for reader in READERS.values():
        mapping = mapping_of(reader.EXAMPLE.encode(), Place("example"))
        assert [other for other in READERS.values() if other.matches(mapping)] == [reader]
        units = tracelr.Units(steps_per_epoch=1000, batch_size=4096, devices=32)
        assert isinstance(from_dict(mapping, units=units), tracelr.Schedule | list)


def test_an_error_has_no_cause(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("a: [1\nb: 2\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


# -- wrong arguments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.yaml", "none.yaml: given no such file; allowed: a file that is there"),
        (os.curdir, ".: given a path that cannot be read (Is a directory); allowed: a file"),
        ("a\0b", "a\\x00b: given a path that cannot be read (embedded null byte); allowed: a file"),
    ],
)
def test_a_path_that_cannot_be_read(path, message):
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{message}; to fix it: correct the path."


@pytest.mark.parametrize("path", [None, 0, True, {"optimizer": {}}])
def test_a_path_that_is_not_a_path(path):
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"load(path): given {path!r}; allowed: a path; to fix it: pass the path of a file."


def test_from_dict_names_its_place():
    with pytest.raises(
        ConfigError, match=r"^mapping: given 3; allowed: a mapping; to fix it: pass a dict, or write keys and values\.$"
    ):
        from_dict(3)
    with pytest.raises(ConfigError, match=r"^checkpoint: schedule: given 'X'; allowed: "):
        from_dict({"schedule": "X"}, where="checkpoint")


def test_a_mapping_that_contains_itself():
    mapping: dict[str, object] = {"schedule": "Product"}
    mapping["schedules"] = [mapping]
    with pytest.raises(ConfigError) as caught:
        from_dict(mapping)
    assert (
        str(caught.value)
        == "mapping: given a mapping that is nested too deeply; allowed: a shallow one; to fix it: nest it less."
    )
