"""Write docs/peers.md, the table of the schedules of other libraries and ours: python docs/peers.py"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parent.parent
if TYPE_CHECKING:
    from support.peers.peer import Peer

HEAD = """\
# Peers: schedules of other libraries and ours

`python docs/peers.py` writes this page from `tests/support/peers/`, and `pytest tests/interop/test_peers.py` checks every
row at all steps (500 of a long schedule), on both sides of every boundary, and past the end. "run" means that the test runs
the library itself, and "formula" that it computes the formula in the source of the library. The number is the largest
allowed difference, relative to their largest value, followed by its cause. "converted" means that `from_torch`, `from_dict`
or `load` makes our schedule from theirs. Unless a row says otherwise, both have the same values past the end.
"""


def page(peers: Sequence[Peer]) -> str:
    """Return the page."""
    from support.peers.peer import RUN

    parts = [HEAD]
    for project, rows in groupby(sorted(peers, key=lambda row: row.project), key=lambda row: row.project):
        parts.append(f"\n## {project}\n\n| theirs | ours | checked |\n|---|---|---|\n")
        for row in rows:
            how = f"{'run' if project in RUN else 'formula'}, {row.tolerance:g}: {row.reason}"
            how += "; converted" if row.convert else ""
            how += f". **Differs from step {row.until} on**: {row.differs}" if row.until is not None else ""
            parts.append(f"| `{row.theirs}` | `{row.ours}` | {how} |\n".replace("||", "\\|\\|"))
    return "".join(parts)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))
    from support.peers.table import PEERS

    (ROOT / "docs" / "peers.md").write_text(page(PEERS))
