"""What the tests put on the page of the report: a schedule, and a name that tries to break out of the page."""

from __future__ import annotations

from tracelr import Cosine, Linear

WARM = Linear(start=0.0, end=3e-4, steps=2000).then(Cosine(start=3e-4, end=3e-5, steps=98_000))
HOSTILE = "</script><script>alert(1)</script><!--<script>\"'`$&{x}\u202e\u2028\x00\ud800</title>"
