"""A text for the tests of the report."""

from __future__ import annotations

HOSTILE = "</script><script>alert(1)</script><!--<script>\"'`$&{x}\u202e\u2028\x00\ud800</title>"
"""A text that tries to leave the HTML around it."""
