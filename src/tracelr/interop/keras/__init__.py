"""keras.optimizers.schedules, read and written."""
