"""optax schedules, written as code."""
