"""The demo training: a small network on handwritten digits, with the schedule inside the compiled update."""
