"""Tierwise: each task handled by the right intelligence tier. Importing this package does nothing."""
