"""tracelr's own mappings and spec lines, read and written."""
