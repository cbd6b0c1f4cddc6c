"""What a target needs beyond torch: a Python package with the extra that installs it, or a compiler."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import torch

from tracelr import _torch
from tracelr.errors import LoweringError, Unquoted

_LEAST = {"triton": (3, 3)}  # torch 2.6 brings 3.2, whose compiler takes other arguments


def missing(package: str, extra: str) -> str | None:
    """Return what to install if `package` is not installed, or is too old, and None if it is. Nothing is imported."""
    if not find_spec(package):
        return f"{package} (pip install 'tracelr[{extra}]')"
    least = _LEAST.get(package)
    old = least is not None and _release(package) < least
    return f"{package} {'.'.join(map(str, least))} or newer (pip install 'tracelr[{extra}]')" if least and old else None


def _release(package: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, version(package).split(".")[:2]))
    except (PackageNotFoundError, ValueError):
        return (9999,)  # put in place by hand


def need(where: str, package: str, extra: str) -> None:
    """Raise `LoweringError`, naming the extra to install, unless `package` is installed."""
    if missing(package, extra) is not None:
        fix = f"pip install 'tracelr[{extra}]'"
        raise LoweringError(where, Unquoted(f"no {package}"), f"an environment with {package}", fix)


def need_compiling_torch(where: str) -> None:
    """Raise `LoweringError` for a torch whose Inductor cannot be asked for what it compiles."""
    if _torch.RELEASE < (2, 6):
        raise LoweringError(
            where, Unquoted(f"torch {torch.__version__}"), "torch 2.6 or newer", "install it, or use target c"
        )


def missing_compiler(language: str, command: str, variable: str) -> str | None:
    """Return what to install if the program `command` is not found, and None if it is. `variable` names another one."""
    found = shutil.which(command) is not None
    return None if found else f"a {language} compiler; {command!r} was not found (install one, or set {variable})"


def missing_cxx() -> str | None:
    """Return what to install if Inductor finds no C++ compiler. It takes $CXX as one program, without arguments."""
    return missing_compiler("C++", os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++"), "CXX")
