"""What the tests of C need of the machine."""

from __future__ import annotations

import pytest

from tracelr.lowering.targets import find

NEEDS_CC = pytest.mark.skipif(find("c").missing() is not None, reason="no C compiler")
WARNINGS = ("-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only")
