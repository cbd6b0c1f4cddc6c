"""All rows of `peers_*.py`, by file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from peer import Peer

PEERS: list[Peer] = [
    row for file in sorted(Path(__file__).parent.glob("peers_*.py")) for row in import_module(file.stem).PEERS
]
