"""One verb a file, under its name: each defines VERB."""
