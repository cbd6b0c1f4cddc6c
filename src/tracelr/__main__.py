"""`python -m tracelr`: the command line."""

import sys

from tracelr.cli import main

if __name__ == "__main__":
    sys.exit(main())
