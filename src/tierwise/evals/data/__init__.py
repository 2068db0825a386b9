"""Data sets of an evaluation."""
