"""Helpers that several readers and writers share."""
