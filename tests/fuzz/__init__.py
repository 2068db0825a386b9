"""Hostile bytes for everything that reads bytes: one table of targets, read by Hypothesis, by atheris and by hand."""
