"""StableHLO: each op gives what torch gives, for every platform, and none of XLA's shortcuts changes a bit."""

from __future__ import annotations

import pytest
import torch
from support.graphs import bits, traced
from support.operations import OPERATIONS, formula, operation
from torch import nn

from tracelr import Constant, Exponential, Linear
from tracelr.errors import LoweringError
from tracelr.lowering import lower, trace
from tracelr.lowering.spec import OPS
from tracelr.lowering.targets import _toolchain, find, stablehlo

NEEDS_JAX = pytest.mark.skipif(find("stablehlo").missing() is not None, reason="no JAX")


@NEEDS_JAX
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_op_in_stablehlo_gives_what_torch_gives(name: str) -> None:
    schedule = formula(OPERATIONS[name])
    steps = torch.cat([torch.arange(-120, 120), torch.tensor([2**31, 2**53 + 1, -(2**53), 2**62, -(2**63)])])
    want = torch.stack([schedule(step) for step in steps])
    got = lower(operation(name), "stablehlo").run(steps)
    assert ((bits(got) == bits(want)) | (got.isnan() & want.isnan())).all()


@NEEDS_JAX
def test_the_text_is_the_same_for_every_platform_and_jax_stays_as_it_was() -> None:
    import jax

    artifact = lower(traced("sequential_nested"), "stablehlo", name="lr_2")
    assert artifact.text.startswith("module @jit_lr_2 ")
    assert "func.func public @main(%arg0: tensor<i64>) -> (tensor<f32>" in artifact.text
    assert {artifact.on(platform) for platform in stablehlo.PLATFORMS} == {artifact.text}
    assert artifact.run(torch.arange(3)).dtype == torch.float32
    assert artifact.run(torch.arange(0)).shape == (0,)
    assert not jax.config.jax_enable_x64
    with pytest.raises(LoweringError) as caught:
        artifact.on("metal")
    assert str(caught.value) == (
        "module.on(platform): given 'metal'; allowed: cpu, cuda, rocm, tpu; to fix it: use one of these names."
    )


@NEEDS_JAX
def test_a_tie_is_rounded_as_torch_rounds_it() -> None:
    # 1 / 1997 is rounded up by nearly half a unit: half of these quotients, times it, are not ties any more.
    k = torch.arange(2**25 - 3999, 2**25, 2)
    schedule = Linear(0.0, 1.0, 1997 * 2**26)
    assert torch.equal(lower(schedule, "stablehlo").run(1997 * k), schedule(1997 * k))


@NEEDS_JAX
def test_a_subnormal_rate_is_not_flushed_to_zero() -> None:
    schedule = Exponential(1.0, 0.5, 1)
    steps = torch.arange(120, 152)
    assert lower(schedule, "stablehlo").run(steps).tolist() == [2.0**-k for k in range(120, 150)] + [0.0, 0.0]
    assert lower(schedule * -3.0, "stablehlo").run(steps).tolist() == (schedule * -3.0)(steps).tolist()


@NEEDS_JAX
def test_a_parameter_keeps_the_value_that_it_had_when_it_was_lowered() -> None:
    start = nn.Parameter(torch.tensor(0.1))
    assert lower(Constant(start), "stablehlo").run(0) == start


@NEEDS_JAX
def test_a_graph_that_stablehlo_cannot_write_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        LoweringError, match=r"lower\(graph, 'stablehlo'\): given a batch graph; allowed: a graph of one step"
    ):
        lower(trace(Constant(0.5), batch=True), "stablehlo")
    monkeypatch.delitem(stablehlo.OPS, torch.ops.aten.exp2.default)
    with pytest.raises(
        LoweringError,
        match=r"^aten.exp2.default at node 'exp2', from `.*` \(\w+\.py:\d+\), in the target stablehlo: given aten",
    ):
        lower(Exponential(1.0, 0.5, 3), "stablehlo")


def test_stablehlo_has_a_row_for_every_op_of_the_spec() -> None:
    assert set(OPS) - set(stablehlo.OPS) - stablehlo._BY_HAND == {
        torch.ops.aten.full_like.default,  # only in batch graphs
        torch.ops.aten.sym_size.int,
    }


def test_without_jax_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_toolchain, "find_spec", lambda package: None)
    assert find("stablehlo").missing() == "jax (pip install 'tracelr[stablehlo]')"
    with pytest.raises(LoweringError) as caught:
        lower(Constant(0.5), "stablehlo")
    assert str(caught.value) == (
        "lower(graph, 'stablehlo'): given no jax; allowed: an environment with jax; to fix it: pip install 'tracelr[stablehlo]'."
    )
