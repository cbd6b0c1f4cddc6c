"""text: one line per node."""

from __future__ import annotations

from tracelr.lowering.printing.listing import Listing


def write(listing: Listing) -> str:
    """Return one line per node: name, type, op, operands, owner, the author's source line. A star marks a schedule."""
    lines = [listing.heading if listing.graph is not None else f"{listing.heading} (*)"]
    for line in listing.lines:
        if listing.graph is None or line.op != "input":
            source = f" | {line.source}" if line.source else ""
            mark = "*" if line.marked else " "
            lines.append(f"{mark} {line.name}: {line.type} = {line.op}({line.operands})  # {line.owner}{source}")
    return "\n".join([*lines, f"  return {', '.join(node.name for node in listing.results)}"])
