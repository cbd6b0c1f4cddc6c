"""One curve per file. `tracelr/__init__.py` imports each of them, which enters its class in `REGISTRY`."""
