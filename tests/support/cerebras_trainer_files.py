"""Newer Cerebras params files for tests: parameters, a reader, and the messages of errors."""

import pytest

from tracelr import Linear
from tracelr.errors import ConfigError
from tracelr.interop.load import from_dict

LINE = {"initial_learning_rate": 0.0, "end_learning_rate": 1.0, "total_iters": 4}
LINE_WD = {"initial_val": 0.0, "end_val": 1.0, "total_iters": 4}
UP, WAVE = Linear(0.0, 1.0, 4), {"initial_learning_rate": 1.0, "T_max": 4}


def read(schedulers: object, optimizer: object = None) -> object:
    init = {"schedulers": schedulers} | ({} if optimizer is None else {"optimizer": optimizer})
    return from_dict({"trainer": {"init": init}})


def message_of(schedulers: object, optimizer: object = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read(schedulers, optimizer)
    assert caught.value.__cause__ is None
    return str(caught.value).removeprefix("mapping: trainer.init.")


TAGS = "allowed: a tag, a list of different tags, or [null]; to fix it: write the tags of the groups that it drives."
TWICE = "allowed: one schedule for each key of a group; to fix it: give them different tags."
