"""dump: the formats say the same thing, the code format runs, and the bytes depend on the schedule alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.graphs import traced
from support.oracle import probes
from support.table import ROWS
from torch import nn

from tracelr import Constant, Linear, PiecewiseConstant
from tracelr.__main__ import main
from tracelr.errors import LoweringError
from tracelr.interop import load as config
from tracelr.lowering import dump, passes, stages, trace
from tracelr.lowering.printing import FORMATS

EVERY = pytest.mark.parametrize("name", ROWS)


def run_code(text: str):
    space: dict[str, object] = {}
    exec(compile(text, "dumped.py", "exec"), space)
    return space["lr"]


@EVERY
def test_the_code_format_runs_alone_with_the_bits_of_eager(name: str) -> None:
    row = ROWS[name]
    graph = passes.run(traced(name))
    lr = run_code(dump(graph, "code"))
    for step in torch.tensor([*probes(row.ends, seed=4, random_steps=40), -1, 2**60]):
        assert torch.equal(lr(step).view(torch.int32), row.schedule(step).view(torch.int32)), step


def test_the_code_format_runs_at_every_stage_and_over_many_steps() -> None:
    row = ROWS["piecewise_constant"]
    steps = torch.arange(0, 3000, 7)
    for name, graph in passes.stages(traced("piecewise_constant", batch=True)):
        assert torch.equal(run_code(dump(graph, "code"))(steps), row.schedule(steps)), name


def test_the_code_format_holds_the_value_of_a_parameter_and_survives_its_name() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lr, self.aten, self.torch = (
                nn.Parameter(torch.tensor(0.1)),
                nn.Parameter(torch.tensor(2.0)),
                nn.Parameter(torch.tensor(torch.inf)),
            )

        def forward(self, step):
            return torch.minimum(self.lr * self.aten * step.float(), self.torch)

    text = dump(Named(), "code")
    assert "lr_ = torch.tensor(0.10000000149011612, dtype=torch.float32)  # its value when this was written" in text
    assert run_code(text)(torch.tensor(3)) == Named()(torch.tensor(3))


def test_the_text_format_has_one_line_per_node() -> None:
    graph = passes.run(trace(Linear(0.0, 1.0, 10).then(PiecewiseConstant([0.1, 0.2], [2**24 + 1]))))
    lines = dump(graph, "text").splitlines()
    nodes = [node for node in graph.nodes if node.op in ("get_attr", "call_function")]
    assert lines[0] == "lr(step: i64[]) -> f32[]: Sequential"
    assert lines[-1] == f"  return {graph.result.name}"
    assert [line.split(":")[0].strip() for line in lines[1:-1]] == [node.name for node in nodes]
    assert "  schedules_1_values_table: f64[2] = table(0.1, 0.2)  # schedules.1" in lines
    line = next(line for line in lines if "ge.Tensor" in line)
    assert line.startswith(
        "  ge: b8[1] = ge.Tensor(unsqueeze, schedules_1_milestones_table)  # schedules.1 | return ops.table_lookup(step, "
    )
    assert "  schedules_1_milestones_table: i64[1] = table(16777217)  # schedules.1" in lines


def test_a_parameter_is_dumped_by_name_and_not_by_value() -> None:
    assert dump(Constant(torch.tensor(0.5)), "text") == dump(Constant(torch.tensor(0.7)), "text")
    assert "value: f32[] = parameter(value)  # ." in dump(Constant(torch.tensor(0.5)), "text")


def test_the_raw_graph_can_be_dumped_too() -> None:
    assert "_assert_tensor_metadata" in dump(trace(Constant(0.5)), "text")
    assert "_assert_tensor_metadata" not in dump(Constant(0.5), "text")


def test_an_unknown_format_lists_the_formats() -> None:
    with pytest.raises(LoweringError) as caught:
        dump(Constant(0.5), "pdf")
    assert str(caught.value) == f"dump(format): given 'pdf'; allowed: {', '.join(FORMATS)}; to fix it: use one of these."
    assert set(FORMATS) == {"text", "code", "dot", "mermaid", "svg", "json"}


SCRIPT = """
import hashlib
from support.table import ROWS
from tracelr.lowering import dump, lower, passes, trace
from tracelr.lowering.printing import FORMATS
found = []
for name in ("sequential_nested", "piecewise_constant"):
    graph = passes.run(trace(ROWS[name].schedule))
    made = (lower(graph, target).bytes for target in ("c", "cuda", "hip", "onnx", "opencl", "triton"))
    for data in (*(dump(graph, format).encode() for format in sorted(FORMATS)), *made):
        found.append(hashlib.sha256(data).hexdigest())
"""
ELSEWHERE = f"import sys; sys.path[:0] = sys.argv[1:]\n{SCRIPT}\nimport tracelr; print(tracelr.__file__, *found, sep='\\n')"


@pytest.mark.slow
def test_two_processes_two_hash_seeds_two_folders_the_same_bytes(tmp_path: Path) -> None:
    tests = Path(__file__).parents[1]
    copy = tmp_path / "an other place"
    shutil.copytree(tests.parent / "src", copy)
    here: dict[str, list[str]] = {}
    exec(SCRIPT, here)
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(copy), str(tests)],
        cwd=copy,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    where, *digests = done.stdout.splitlines()
    assert Path(where).is_relative_to(copy)
    assert digests == here["found"]
    assert len(set(digests)) == len(digests) == 2 * (len(FORMATS) + 6)


@pytest.mark.parametrize("format", FORMATS)
def test_no_dump_names_a_path(format: str) -> None:
    text = dump(ROWS["sequential"].schedule, format)
    assert str(Path(__file__).parents[2]) not in text
    assert ".py" not in text


def test_a_formula_typed_into_an_interpreter_has_no_line_and_no_path() -> None:
    space: dict[str, object] = {"nn": nn}
    exec("class Typed(nn.Module):\n    def forward(self, step):\n        return step.double().float() * 2.0\n", space)
    text = dump(space["Typed"](), "text")  # type: ignore[operator]
    assert "File" not in text
    assert "mul: f32[] = mul.Tensor(to_copy_1, full)  # .\n" in text


@pytest.mark.parametrize("format", FORMATS)
def test_a_batch_has_every_format(format: str) -> None:
    graph = passes.run(traced("sequential_nested", batch=True))
    text = dump(graph, format)
    assert ("i64[N]" in text) or "i64#91;N#93;" in text
    assert text != dump(passes.run(traced("sequential_nested")), format)


def test_the_command_line_dumps_every_format_and_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(
        "optimizer: {learning_rate: {scheduler: Linear, initial_learning_rate: 0.1, end_learning_rate: 0.0, steps: 9}}"
    )
    graph = trace(config.load(file))
    last = passes.run(graph)

    def run(*options: str) -> str:
        assert main(["dump", str(file), *options]) == 0
        return capsys.readouterr().out

    for format in FORMATS:
        assert run("--format", format) == dump(last, format).rstrip("\n") + "\n"
    assert run("--after", "fold_constants") == dump(passes.run(graph, "fold_constants")) + "\n"
    assert run("--batch").startswith("lr(step: i64[N]) -> f32[N]: Linear\n")
    shown = run("--stages")
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("==== ")] == [n for n, _ in stages(graph)]
    assert shown.endswith(f"==== rename\n{dump(last)}\n")
    assert run("--format", "svg", "-o", str(tmp_path / "lr.svg")) == f"wrote {tmp_path / 'lr.svg'}\n"
    assert (tmp_path / "lr.svg").read_text() == dump(last, "svg")
    assert main(["dump", str(file), "--after", "fuse"]) == 2
    assert "allowed: trace, drop_noops, " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["dump", "--help"])
    usage = capsys.readouterr().out
    assert all(format in usage for format in FORMATS)
