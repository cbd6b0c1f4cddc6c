"""Binding a schedule to the numbers of an optimizer's param groups."""
