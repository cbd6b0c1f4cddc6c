"""Every optimizer of torch.optim is one graph, with schedules for more than the rate, and trains as the uncompiled one."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from support.optimizers import Lion
from support.resumed_training import STEPS, train
from torch import Tensor, nn, optim
from torch._dynamo.utils import counters

from tracelr import Cosine, Linear, Scheduler, fuse
from tracelr.errors import OptimizerError

# Both ends at 0, because a formula that divides by the rate gives NaN if a gradient has always been 0.
RATE = Linear(0.0, 1e-2, 3).then(Cosine(1e-2, 0.0, 170))
DECAY, MOMENTUM, BETA = Linear(0.0, 0.2, 150), Linear(0.9, 0.7, 150), Linear(0.8, 0.95, 150)


CASES: list[tuple[type[optim.Optimizer], dict[str, Any], dict[str, Any]]] = [
    (optim.SGD, {}, {"weight_decay": DECAY}),
    (optim.SGD, {"momentum": 0.9}, {"weight_decay": DECAY, "momentum": MOMENTUM}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True, "foreach": True}, {"momentum": MOMENTUM}),
    (optim.SGD, {"fused": True}, {"weight_decay": DECAY}),
    (optim.Adam, {}, {"weight_decay": DECAY, "betas": (BETA, None)}),
    (optim.Adam, {"maximize": True, "foreach": True}, {"weight_decay": DECAY}),
    (optim.AdamW, {}, {"weight_decay": DECAY, "betas": (BETA, None)}),
    (optim.AdamW, {"amsgrad": True, "foreach": True}, {"weight_decay": DECAY}),
    (optim.AdamW, {"fused": True}, {}),
    (optim.NAdam, {"decoupled_weight_decay": True}, {"weight_decay": DECAY}),
    (optim.RAdam, {}, {"weight_decay": DECAY}),
    (optim.Adamax, {}, {"weight_decay": DECAY}),
    (optim.RMSprop, {"momentum": 0.9, "centered": True}, {"weight_decay": DECAY, "momentum": MOMENTUM}),
    (optim.Adagrad, {}, {"weight_decay": DECAY}),
    (optim.Adagrad, {"fused": True, "foreach": False}, {"weight_decay": DECAY}),
    (optim.Adadelta, {}, {"weight_decay": DECAY}),
    (optim.ASGD, {}, {"weight_decay": DECAY}),
    (optim.Rprop, {}, {}),
    *(
        [(optim.Muon, {}, {"weight_decay": DECAY, "momentum": MOMENTUM})] if hasattr(optim, "Muon") else []
    ),  # from torch 2.9 on
    (Lion, {}, {"weight_decay": DECAY}),
]
# Variants of Adam correct their bias in float32 in a graph, in Python floats outside. Muon orthogonalises in bfloat16, which
# rounds each of the 200 updates, of a few 1e-3, to 8 bits.
TOLERANCE = 1e-4
OF_MUON = 2e-3


def weights() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(3, 4)) for _ in range(2)]


def give_gradients(parameters: list[nn.Parameter], step: int) -> None:
    draw = torch.Generator().manual_seed(step)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=draw)
        parameter.grad[:, 0] = 0.0  # a weight that nothing ever moves


@pytest.mark.parametrize(
    ("kind", "options", "more"),
    CASES,
    ids=[f"{k.__name__}-{'-'.join(o) or 'plain'}-{'-'.join(m) or 'lr'}" for k, o, m in CASES],
)
def test_one_graph_and_the_weights_of_eager(kind: Any, options: dict[str, Any], more: dict[str, Any]) -> None:
    fused, plain = weights(), weights()
    groups = [{"params": fused[:1]}, {"params": fused[1:]}]
    optimizers = kind(groups, **options), kind(plain, **{k: v for k, v in options.items() if k not in ("fused", "foreach")})
    schedulers = [Scheduler(optimizer, lr=RATE, **more) for optimizer in optimizers]
    counters.clear()
    update = fuse(optimizers[0], schedulers[0], backend="aot_eager")
    before = [dict(group) for group in optimizers[0].param_groups]

    def one(step: int) -> None:
        for parameters in (fused, plain):
            give_gradients(parameters, step)
        update()
        optimizers[1].step()
        schedulers[1].step()

    train(optimizers[0], schedulers[0], one)
    for a, b in zip(fused, plain, strict=True):
        assert torch.isfinite(a).all()
        assert (a - b).abs().max() < (OF_MUON if kind.__name__ == "Muon" else TOLERANCE)
    for group, held in zip(optimizers[0].param_groups, before, strict=True):
        assert all(group[key] is held[key] for key in ("lr", "weight_decay", "foreach", "fused") if key in held)
        assert type(group.get("weight_decay", 0.0)) in (float, int, Tensor)
        assert float(group["lr"]) == RATE(STEPS).item()
        for key in {"weight_decay", "momentum"} & more.keys():
            assert float(group[key]) == more[key](STEPS).item()


CAPTURABLE = [
    optim.Adam,
    optim.AdamW,
    optim.NAdam,
    optim.RAdam,
    optim.Adamax,
    optim.ASGD,
    optim.Adadelta,
    optim.RMSprop,
    optim.Rprop,
]


FLAGS = [
    *((kind, "capturable") for kind in CAPTURABLE),
    *((kind, "foreach") for kind in (*CAPTURABLE[2:], optim.Adagrad)),
    (optim.Adam, "fused"),
]


@pytest.mark.parametrize("backend", ["eager", pytest.param("aot_eager", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("kind", "flag"), FLAGS, ids=[f"{kind.__name__}-{flag}" for kind, flag in FLAGS])
def test_a_flag_changes_nothing_in_a_graph(kind: Any, flag: str, backend: str) -> None:
    # In eager mode `capturable=True` asserts a device; a compiled update checks nothing and runs on the CPU too.
    fused, plain = weights(), weights()
    optimizers = kind(fused, **{flag: True}), kind(plain)
    schedulers = [Scheduler(optimizer, lr=RATE) for optimizer in optimizers]
    counters.clear()
    update = fuse(optimizers[0], schedulers[0], backend=backend)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for step in range(20):
            for parameters in (fused, plain):
                give_gradients(parameters, step)
            update()
            optimizers[1].step()
            schedulers[1].step()
    assert counters["stats"]["unique_graphs"] == 1
    assert optimizers[0].param_groups[0][flag] is True
    for a, b in zip(fused, plain, strict=True):
        assert (a - b).abs().max() < TOLERANCE


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (optim.LBFGS, "LBFGS, which evaluates the model inside its update"),
        (optim.SparseAdam, "SparseAdam, whose sparse gradients Dynamo does not trace"),
        (optim.Adafactor, "Adafactor, which compares its rate with a number of the host"),
    ],
)
def test_what_no_graph_can_hold_is_refused(kind: Any, why: str) -> None:
    optimizer = kind([nn.Parameter(torch.ones(1))])
    with pytest.raises(OptimizerError) as caught:
        fuse(optimizer, Scheduler(optimizer, lr=RATE))
    assert str(caught.value) == (
        f"fuse(optimizer): given {why}; allowed: an optimizer whose update is tensor operations alone; "
        "to fix it: call optimizer.step() and scheduler.step(), uncompiled, or pass another, such as AdamW or SGD."
    )


def test_an_error_in_the_update_leaves_the_groups_as_they_were() -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = optim.AdamW([weight], foreach=True)
    scheduler = Scheduler(optimizer, lr=RATE, weight_decay=DECAY)

    def refuse(*_: Any) -> Any:
        raise RuntimeError("no")

    update = fuse(optimizer, scheduler, backend=refuse)
    weight.grad = torch.ones(2)
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed):
        update()
    group = optimizer.param_groups[0]
    assert group["foreach"] is True
    assert type(group["weight_decay"]) is Tensor


def table() -> list[str]:
    """The table of docs/compiled.md lists what the tests above run, by optimizer and variant."""
    rows = [
        "| optimizer | plain | `foreach` | `fused` | `capturable` | schedules besides the rate |",
        "|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys(kind for kind, _, _ in CASES if kind is not Lion):
        runs = [(options, more) for one, options, more in CASES if one is kind]
        taken = inspect.signature(kind).parameters

        def cell(flag: str, runs: Any = runs, kind: Any = kind, taken: Any = taken) -> str:
            if flag not in taken:
                return "no such option"
            tested = any(options.get(flag) for options, _ in runs) or (kind, flag) in FLAGS
            return "yes" if tested else "not run"

        plain = "yes" if any(not {"foreach", "fused"} & options.keys() for options, _ in runs) else "not run"
        keys = ", ".join(f"`{key}`" for key in dict.fromkeys(key for _, more in runs for key in more)) or "none run"
        rows.append(f"| {kind.__name__} | {plain} | {cell('foreach')} | {cell('fused')} | {cell('capturable')} | {keys} |")
    return rows


def test_the_table_of_the_docs_is_what_is_run() -> None:
    text = (Path(__file__).parents[2] / "docs" / "compiled.md").read_text()
    assert "\n".join(table()) in text
