"""The parameters of the main job, read from a params file of the seed's kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, final

import torch

from tracelr import config
from tracelr.errors import ConfigError, TracelrError, explain
from tracelr.fields import integer, number
from tracelr.schedule import Schedule

_OPTIMIZERS = {"AdamW": torch.optim.AdamW, "SGD": torch.optim.SGD}
_COUNT = "an int of 1 or more"
