"""Interop: schedules read from and written to the formats of other libraries, one room each."""
