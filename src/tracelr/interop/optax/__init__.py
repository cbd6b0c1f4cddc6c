"""optax code, written."""
