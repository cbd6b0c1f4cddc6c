"""Finds the place in a YAML text that an error is about, by line and column or by the path of a key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracelr.errors import ConfigError, Location

if TYPE_CHECKING:
    import yaml


def pointed(error: ConfigError, text: str) -> ConfigError:
    """Return `error`, about the YAML `text`, with the line and a caret if the error has a location."""
    if error.at is None or error.at.text or error.more:
        return error
    found = (error.at.line, error.at.column) if error.at.line else located(text, error.at.path)
    return error if found is None else error.of(ConfigError, at=Location.within(text, *found, error.at.path))


def located(text: str, path: str) -> tuple[int, int] | None:
    """Return line and column, from 1, of the value at a path such as `optimizer.learning_rate[1].steps`, or None.

    >>> located("a:\\n- {b: 1}", "a[0].b")
    (2, 7)
    """
    import yaml

    node: yaml.Node | None
    seen: yaml.Node | None = None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return None
    for key in re.findall(r"[^.\[\]]+|\[\d+\]", path):
        inner = _inside(node, key)
        if inner is None:
            break
        seen = node = inner
    return None if seen is None else (seen.start_mark.line + 1, seen.start_mark.column + 1)


def _inside(node: yaml.Node | None, key: str) -> yaml.Node | None:
    import yaml

    if isinstance(node, yaml.SequenceNode) and key.startswith("["):
        k = int(key[1:-1])
        return node.value[k] if k < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if getattr(name, "value", None) == key), None)
    return None
