"""Reads and writes schedules in the formats of other libraries: one package for each library."""
