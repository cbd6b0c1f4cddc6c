"""One file for each training framework: its signature, the reader of its settings, and an example.

Each has `EXAMPLE` (YAML), `matches(mapping)` (a key and a value that only this format has) and `read(settings)`. The
frameworks' files are found by their names, so that a new format is one file here.
"""
