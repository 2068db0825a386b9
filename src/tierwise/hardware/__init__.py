"""WHAT FITS: the header of a model file, what a machine has, and whether the one fits into the other."""
