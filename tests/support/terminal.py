"""Runs command lines in tests, and a schedule to run them on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracelr import Cosine, Linear
from tracelr.__main__ import main

SPEC = "linear(0, 3e-4, 2000) | cosine(3e-4, 3e-5, 98k)"
RUN = Linear(0.0, 3e-4, 2000).then(Cosine(3e-4, 3e-5, 98_000))


class Terminal:
    """Runs a command line and returns what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *argv: str, code: int = 0) -> str:
        assert main(list(argv)) == code
        printed = self.capsys.readouterr()
        assert (printed.err == "") == (code != 2)
        return printed.err if code == 2 else printed.out

    def json(self, *argv: str, code: int = 0) -> Any:
        return json.loads(self(*argv, "--json", code=code))
