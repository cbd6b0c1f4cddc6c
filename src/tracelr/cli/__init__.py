"""The command line: `tracelr VERB ...`. One verb a file of `verbs`; adding one needs no other edit."""

from tracelr.cli.main import main as main
