"""Values that nobody should pass. The result may be a complete error of tracelr, or a schedule that works."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tracelr import Constant, Linear, Schedule, from_dict
from tracelr.errors import TracelrError

STEPS = torch.tensor([0, 1, 2, 7, 1000, 2**31, 2**53 - 1, 2**53])
BREAKING_OUT = "</script><script>alert(1)</script><!--<script>\"'`$&{x}\u202e\u2028\x00\ud800</title>"
"""A text that tries to leave the HTML around it."""
EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "0"))  # 0 for the number that each test has


def profile(examples: int) -> Callable[[Any], Any]:
    """Return the settings of a test: the same inputs in every run, each with a deadline."""
    return settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        deadline=20_000,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def nested(depth: int, kind: Callable[[Any], Any] = lambda inner: [inner]) -> Any:
    """Return 1 inside this many lists, or mappings."""
    value: Any = 1
    for _ in range(depth):
        value = kind(value)
    return value


def shared(depth: int, kind: Callable[[Any], Any] = lambda inner: [inner, inner]) -> Any:
    """Return a list that takes little memory, but has 2**depth values when it is written out."""
    return nested(depth, kind)


def selves() -> list[Any]:
    """Return a list and a mapping that hold themselves."""
    ring: list[Any] = []
    ring.append(ring)
    loop: dict[str, Any] = {"schedule": "Linear", "optimizer": 1}
    loop["learning_rate"] = loop["schedules"] = loop["start"] = loop
    return [ring, loop]


def _tensors() -> list[Tensor]:
    dtypes = (torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.bool, torch.complex64, torch.float8_e4m3fn)
    odd = [torch.tensor(1.0).to(dtype) for dtype in dtypes]
    odd += [torch.ones(3), torch.ones(2, 2), torch.empty(0), torch.tensor(math.nan), torch.tensor(2**40), torch.ones(1)]
    return [*odd, torch.tensor(1.0).to_sparse(), torch.empty((), device="meta"), nn.Parameter(torch.tensor(0.5))]


NEAR: list[Any] = [
    *(0, 1, 2, 3, 10, 100, 2**53, 0.0, 0.1, 0.5, 1.0, 1e-3, 2.5, -1.0, 1e38, 1e-45, 5e-324, True, False, None),
    *([0.1, 0.2], [1.0], [3], [5, 10], [1, 2, 3], (0.5, 0.25, 0.1), range(3), "linear", "cosine", "triangular2", "rescale"),
    *(Constant(0.5), Linear(0.0, 1.0, 5), [Constant(0.5)], [Linear(1.0, 0.0, 4), Constant(2.0)]),
]
WRONG: list[Any] = [
    *(2**53 + 1, 2**63, 10**400, -(10**400), 10**5000, -1, -(2**70), 1e39, 1e308, math.nan, math.inf, -math.inf, 1j),
    *(
        "",
        "x",
        "1e400",
        "1" * 5000 + "x",
        "nan",
        "\0",
        "\ud800",
        "*/ EVIL",
        "a\nb",
        "{0}",
        "%s",
        "5ep",
        b"lr",
        bytearray(b"1"),
    ),
    *(
        np.float32(0.5),
        np.float64(math.nan),
        np.int64(3),
        np.bool_(True),
        np.array(1.0),
        np.array([1, 2]),
        np.array(["a", "b"]),
    ),
    *(np.array([]), np.datetime64("2001-01-01"), Fraction(1, 3), Decimal("0.1"), Fraction(10**400), object(), int, len, ...),
    *(
        [],
        (),
        {},
        set(),
        {"a"},
        frozenset(),
        [None],
        [math.nan],
        ["x"],
        [[1]],
        [10**400],
        [1, 1],
        [2, 1],
        [np.array([1, 2])],
    ),
    *(
        range(10**9),
        range(2**70),
        iter([1]),
        {"schedule": "Linear"},
        {1: 2},
        {"start": {}},
        Linear,
        [Linear],
        [Constant(1.0), 1],
    ),
    *(nested(50), nested(1000), nested(100_000), nested(1000, lambda inner: {"schedule": inner}), shared(60), *selves()),
    shared(60, lambda inner: {"schedule": "Sum", "schedules": [inner, inner]}),
    *_tensors(),
]


class Box:
    """A value whose repr fails."""

    def __init__(self, value: Any, name: str = "") -> None:
        self.value, self.name = value, name

    def __repr__(self) -> str:
        return self.name or repr(self.value)


HOSTILE = st.one_of(
    st.sampled_from([Box(value, f"WRONG[{k}]") for k, value in enumerate(WRONG)]),
    st.one_of(
        st.integers(),
        st.floats(width=64),
        st.text(max_size=8),
        st.binary(max_size=4),
        st.lists(st.one_of(st.integers(), st.floats()), max_size=4),
    ).map(Box),
)
ANY = st.one_of(st.sampled_from([Box(value, f"NEAR[{k}]") for k, value in enumerate(NEAR)]), HOSTILE)


def complete(error: TracelrError) -> None:
    """Assert that an error of ours says what was given, what is allowed, and what to do, on one line of plain text."""
    message = str(error)
    assert "; to fix it: " in message, message
    assert "allowed: " in message or "no such file" in message, message
    first = message.split("\n\n")[0]
    assert first.isprintable(), ascii(first)
    assert len(first) < 4000, len(first)


def outcome(make: Callable[[], Any]) -> Any:
    """Return what `make` makes, or None where it raises a complete error of ours. Anything else is a failure."""
    try:
        return make()
    except TracelrError as error:
        complete(error)
        return None


def sound(schedule: Schedule, written: bool = True) -> None:
    """Assert that a schedule can be evaluated, one step or many, shown, and written down without a loss."""
    if any(tensor.device.type == "meta" for tensor in chain(schedule.buffers(), schedule.parameters())):
        return
    many = schedule(STEPS)
    assert many.shape == STEPS.shape
    assert many.dtype == torch.float32
    each = torch.stack([schedule(step) for step in STEPS.tolist()])
    assert torch.equal(many.nan_to_num(7.0), each.nan_to_num(7.0))
    repr(schedule), schedule.fingerprint(), schedule.length
    if written and not schedule.has_tensor_fields:
        again = from_dict(schedule.to_dict())
        assert isinstance(again, Schedule)
        assert repr(again) == repr(schedule)
