"""`from_torch` of LambdaLR: arithmetic functions are traced, alone, in a sequence and for each group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.nested_torch import agree, sequential
from support.peers.torch import converted
from torch.optim import lr_scheduler as torchs

from tracelr import from_torch

pytestmark = pytest.mark.usefixtures("quiet_torch")


@pytest.mark.parametrize(
    "function",
    [lambda t: 0.95**t, lambda t: 1 / (1 + 0.1 * t), lambda t: 0.5 ** (t // 30), lambda t: (t % 7 + 1) / 7],
    ids=["power", "inverse", "stairs", "cycles"],
)
def test_a_lambda_of_arithmetic(function: Callable[[Any], Any]) -> None:
    agree(converted(lambda o: torchs.LambdaLR(o, function))(), lambda o: torchs.LambdaLR(o, function))


def test_a_lambda_in_a_sequence_and_of_each_group() -> None:
    theirs = sequential([lambda o: torchs.LinearLR(o, 0.1, 1, 10), lambda o: torchs.LambdaLR(o, lambda t: 0.95**t)], [10])
    agree(converted(theirs)(), theirs)
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.1, 0.1)]
    both = from_torch(torchs.LambdaLR(torch.optim.SGD(groups), [lambda t: 0.95**t, lambda t: 0.9**t]))
    assert isinstance(both, list)
    assert [float(schedule(1)) for schedule in both] == pytest.approx([0.095, 0.09])


class Where:
    """A callable with a state, as LambdaLR allows."""

    def __init__(self, last: float) -> None:
        self.last = last

    def __call__(self, step: Any) -> Any:
        return torch.where(torch.as_tensor(step) < 10, 1.0, self.last)


def test_a_callable_object() -> None:
    agree(converted(lambda o: torchs.LambdaLR(o, Where(0.5)))(), lambda o: torchs.MultiStepLR(o, [10], 0.5))
