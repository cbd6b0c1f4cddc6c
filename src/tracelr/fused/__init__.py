"""The schedule inside the compiled training step."""
