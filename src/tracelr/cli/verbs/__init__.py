"""Each file is one verb, under its name, and defines VERB."""
