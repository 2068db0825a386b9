"""Defects of this field, planted one at a time, to see whether the tests notice."""
