"""The command line: `tracelr VERB ...`. Each file of `verbs` is one verb; a new verb needs no other edit."""

from tracelr.cli.main import main as main
