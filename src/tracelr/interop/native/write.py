"""Writes the native format: YAML that `tracelr.load` reads."""

from __future__ import annotations

from typing import Any

from tracelr.interop._tools.simplify import refuse
from tracelr.schedules.assignment import Loaded
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.lambda_ import Lambda


def write(found: Loaded) -> str:
    """Return the YAML of a schedule or of assignments."""
    for one in [found] if isinstance(found, Schedule) else [each.schedule for each in found]:
        if any(isinstance(module, Lambda) for module in one.modules()):
            raise refuse("native", one, "which holds a function")
    return yaml(found.to_dict() if isinstance(found, Schedule) else {"assignments": [one.to_dict() for one in found]})


def yaml(plain: Any) -> str:
    """Return plain types as YAML, with the keys in their order."""
    from yaml import safe_dump

    return str(safe_dump(plain, sort_keys=False, width=120, default_flow_style=False))
