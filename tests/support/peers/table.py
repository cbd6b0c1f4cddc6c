"""All rows, in the order of the files."""

from __future__ import annotations

from support.peers import cerebras, keras, optax, phases, shapes, torch, transformers
from support.peers.peer import Peer

PEERS: list[Peer] = [row for module in (cerebras, keras, optax, phases, shapes, torch, transformers) for row in module.PEERS]
