"""The Cerebras schedulers: their configuration files, read and written."""
