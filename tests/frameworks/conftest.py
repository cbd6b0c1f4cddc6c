"""The script that torchrun starts is no test, and is not to be imported where tests are only being collected."""

collect_ignore = ["_ranks.py"]
