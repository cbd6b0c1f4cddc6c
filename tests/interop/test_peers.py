"""Our schedules compared with every peer: all steps or a sample, both sides of every boundary, and past the end."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

import optax
import pytest
import torch
from support.peers.peer import Peer
from support.peers.table import PEERS

DOCS = Path(__file__).parents[2] / "docs"
EVERY = pytest.mark.parametrize("peer", PEERS, ids=map(str, PEERS))


@EVERY
def test_ours_is_theirs(peer: Peer) -> None:
    steps = peer.steps()
    theirs = torch.tensor([float(value) for value in peer.values(steps)], dtype=torch.float64)
    apart = (peer.schedule()(torch.tensor(steps)).double() - theirs).abs() / theirs.abs().max()
    same = torch.tensor([peer.until is None or step < peer.until for step in steps])
    assert apart[same].max() <= peer.tolerance, steps[int((apart * same).argmax())]
    assert (peer.until is None) == (peer.differs == "")
    if peer.until is not None:  # fails when the peer no longer differs
        assert apart[~same].max() > 10 * peer.tolerance


@pytest.mark.parametrize("peer", [p for p in PEERS if p.convert], ids=str)
def test_theirs_converts_to_ours(peer: Peer) -> None:
    assert peer.convert is not None
    assert peer.convert().to_dict() == peer.schedule().to_dict()


def test_every_schedule_of_optax_has_a_row() -> None:
    theirs = {name for name in dir(optax.schedules) if name.endswith(("schedule", "decay")) or "_schedules" in name}
    rows = {peer.theirs.partition("(")[0] for peer in PEERS if peer.project == "optax"}
    assert {name for name in theirs if name[0] != "_"} <= rows


def test_rows_are_distinct() -> None:
    assert len({str(peer) for peer in PEERS}) == len(PEERS)


def test_the_table_in_the_docs_is_current() -> None:
    page = run_path(str(DOCS / "peers.py"))["page"](PEERS)
    assert (DOCS / "peers.md").read_text() == page, "run: python docs/peers.py"
