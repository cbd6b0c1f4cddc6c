"""What the verbs compute, each in a file of the same name with a function `run`. Only the one that runs is imported."""
