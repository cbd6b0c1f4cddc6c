"""Describe: a schedule in points, words, comparisons and pictures."""
