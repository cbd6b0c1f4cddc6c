"""What the languages like C share: `emitter` prints a graph, a `language` says how, a `dialect` is one of C."""
