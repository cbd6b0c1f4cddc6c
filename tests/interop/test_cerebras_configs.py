"""Every learning rate and scheduler published with the Cerebras Model Zoo, against the textbook formulas."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from mpmath import mp, mpf
from support.row import Exact, cosine, linear, piecewise, sequence

from tracelr import Schedule, Sequential, lowering
from tracelr.interop.load import from_dict, load
from tracelr.schedules.assignment import Assignment

ROWS, NEWER = (
    json.loads((Path(__file__).parent / "data" / f"cerebras_{name}.json").read_text())["rows"]
    for name in ("learning_rates", "schedulers")
)
LENGTHS = ("steps", "total_iters", "decay_steps")


def length(entry: dict[str, Any]) -> int:
    return next(entry[key] for key in LENGTHS if key in entry)


def formula(entry: dict[str, Any]) -> Exact:
    """The formula of one entry, from Cerebras' documentation, independently of `src`."""
    match entry["scheduler"].lower().removesuffix("lr"):
        case "constant":
            return lambda t: mpf(entry["learning_rate"])
        case "linear":
            return linear(entry["initial_learning_rate"], entry["end_learning_rate"], length(entry))
        case "cosinedecay":
            steps = entry.get("decay_steps") or length(entry)
            return cosine(entry["initial_learning_rate"], entry["end_learning_rate"], steps)
        case "cosine":
            peak, alpha = mpf(entry["initial_learning_rate"]), mpf(entry["alpha"])
            return lambda t: alpha * peak + peak * (1 - alpha) * cosine(1.0, 0.0, length(entry))(t)
        case "inversesquarerootdecay":
            return lambda t: mpf(entry["scale"]) / mp.sqrt(max(t, entry["warmup_steps"]))
        case "piecewiseconstant":
            return piecewise(entry["values"], entry["boundaries"])
    raise AssertionError(entry)


def whole(spec: Any) -> tuple[Exact, list[int]]:
    """The formula of a setting, and the steps where it changes."""
    if isinstance(spec, float):
        return (lambda t: mpf(spec)), []
    entries = spec if isinstance(spec, list) else [spec]
    milestones = [sum(map(length, entries[:k])) for k in range(1, len(entries))]
    last = entries[-1]
    inside = [v for key in (*LENGTHS, "warmup_steps") if (v := last.get(key))] + last.get("boundaries", [])
    return sequence([formula(e) for e in entries], milestones), [*milestones, *(sum(milestones[-1:]) + v for v in inside)]


def near(changes: list[int]) -> list[int]:
    """Both sides of every change, and steps over the run and far past it."""
    last = max(changes, default=1000)
    edges = {t + d for t in [0, *changes] for d in (-1, 0, 1) if t + d >= 0}
    return sorted(edges | {last * k // 97 for k in range(98)} | {last * 2 + 1, last * 1000})


def misses(schedule: Schedule, exact: Exact, steps: Iterable[int]) -> list[tuple[int, float, float]]:
    """The steps at which `schedule` is further from `exact` than half a float32 spacing."""
    steps = list(steps)
    with mp.workprec(300):
        pairs = [(t, got, exact(t)) for t, got in zip(steps, schedule(torch.tensor(steps)).tolist(), strict=True)]
        return [(t, got, float(want)) for t, got, want in pairs if abs(got - want) > abs(want) * mpf(2) ** -24 * (1 + 1e-6)]


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{k}-{row['from'].rpartition('/')[2]}" for k, row in enumerate(rows)]


@pytest.mark.parametrize("row", ROWS, ids=names(ROWS))
def test_every_published_setting_has_the_textbook_value_at_every_step(row, tmp_path):
    params = {
        "model": {"hidden_size": 768, "layers": [{"name": "a"}, None]},
        "optimizer": {"optimizer_type": "AdamW", "weight_decay_rate": 0.1, "learning_rate": row["spec"]},
        "runconfig": {"max_steps": 1000},
    }
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(params))
    exact, changes = whole(row["spec"])
    assert misses(load(file), exact, near(changes)) == []
    assert load(file).to_dict() == from_dict(params).to_dict()


def older(entry: dict[str, Any]) -> tuple[str, Any, Any]:
    """The key, the tag, and the setting as in older files, of an entry of a newer file."""
    ((name, inner),) = entry.items()
    inner = dict(inner)
    tag = inner.pop("param_group_tags", None)
    if name.startswith("Sequential"):
        return "lr", tag, [older(child)[2] for child in inner["schedulers"]]
    renamed = {"initial_val": "initial_learning_rate", "end_val": "end_learning_rate"}
    spec = {renamed.get(key, key): value for key, value in inner.items()} | {"scheduler": name.removesuffix("WD")}
    return "weight_decay" if name.endswith("WD") else "lr", tag, spec


@pytest.mark.parametrize("row", NEWER, ids=names(NEWER))
def test_every_published_list_of_schedulers_has_the_textbook_value_at_every_step(row, tmp_path):
    params = {"trainer": {"init": {"optimizer": {"AdamW": {"weight_decay": 0.1}}, "schedulers": row["spec"]}, "fit": {}}}
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(params))
    found = load(file)
    assignments = [Assignment("lr", None, found)] if isinstance(found, Schedule) else found
    expected = [older(entry) for entry in row["spec"]]
    assert [(one.key, one.tags, one.factor) for one in assignments] == [
        (key, None if tag is None else (tag,), None) for key, tag, _ in expected
    ]
    for one, (_, _, spec) in zip(assignments, expected, strict=True):
        exact, changes = whole(spec)
        assert misses(one.schedule, exact, near(changes)) == []


def published():
    for row in ROWS:
        yield from_dict({"optimizer": {"learning_rate": row["spec"]}})
    for row in NEWER:
        found = from_dict({"schedulers": row["spec"]})
        yield from [found] if isinstance(found, Schedule) else [one.schedule for one in found]


def without_numbers(value: Any) -> Any:
    """A schedule as plain types, with 0 for each number."""
    if isinstance(value, dict):
        return {key: without_numbers(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [without_numbers(entry) for entry in value]
    return 0 if isinstance(value, int | float) and not isinstance(value, bool) else value


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["of each form", "every"])
def test_every_published_setting_traces(every):
    """The graphs of settings that differ in their numbers alone have the same operations."""
    found = {str(one if every else without_numbers(one.to_dict())): one for one in published()}
    assert len(found) > (90 if every else 9)
    for one in found.values():
        assert lowering.dump(one, "text")


def test_there_are_72_published_settings():
    assert (len(ROWS), len(NEWER)) == (54, 18)


def test_a_curve_may_be_longer_than_it_runs():
    """params_gpt3_20b.yaml: 34 000 steps of a cosine over 262 000."""
    row = next(row for row in ROWS if row["from"].endswith("params_gpt3_20b.yaml"))
    schedule = from_dict({"optimizer": {"learning_rate": [*row["spec"], {"scheduler": "Constant", "learning_rate": 0.5}]}})
    assert isinstance(schedule, Sequential)
    assert schedule.milestones == (1000, 35_000)
    assert schedule.schedules[1].steps == 262_000


def test_the_unused_alpha_of_a_published_linear_changes_nothing():
    warmup, decay = ROWS[36]["spec"]
    without = [warmup, {key: decay[key] for key in decay.keys() - {"alpha"}}]
    assert len(without[1]) == len(decay) - 1
    settings = [from_dict({"optimizer": {"learning_rate": spec}}).to_dict() for spec in (ROWS[36]["spec"], without)]
    assert settings[0] == settings[1]


@pytest.mark.parametrize(
    ("row", "step", "value"),
    [
        (0, 3750, 5e-6),  # half of a warm-up to 1e-5
        (3, 10_000, 1e-4),  # the second line starts at its milestone
        (7, 23_630 + 2_363_000 // 2, 4.3e-5 * 0.55),  # the middle of a cosine to a tenth
        (7, 23_630 + 2_363_000, 4.3e-6),
        (25, 0, 8307**-0.5),
        (25, 4 * 8307, 8307**-0.5 / 2),
        (27, 9_999, 5e-4),
        (27, 10_000, 1e-5),
    ],
)
def test_a_few_values_by_hand(row, step, value):
    schedule = from_dict({"optimizer": {"learning_rate": ROWS[row]["spec"]}})
    assert schedule(step).item() == pytest.approx(value, rel=1e-7)
