"""The schedulers of transformers, read from training arguments."""
