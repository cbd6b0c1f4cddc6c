"""What a target needs beyond torch: a Python package with the extra that installs it, or a C++ compiler."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

from tracelr.errors import LoweringError, Unquoted


def missing(package: str, extra: str) -> str | None:
    """Return what to install if `package` is not installed, and None if it is. Nothing is imported."""
    return None if find_spec(package) else f"{package} (pip install 'tracelr[{extra}]')"


def need(where: str, package: str, extra: str) -> None:
    """Raise `LoweringError`, naming the extra to install, unless `package` is installed."""
    if missing(package, extra) is not None:
        fix = f"pip install 'tracelr[{extra}]'"
        raise LoweringError(where, Unquoted(f"no {package}"), f"an environment with {package}", fix)


def missing_cxx() -> str | None:
    """Return what to install if there is no C++ compiler, and None if there is one."""
    found = any(shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++") if name)
    return None if found else "a C++ compiler such as g++"
