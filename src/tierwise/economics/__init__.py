"""WHAT IT COSTS: prices of usage, and budgets."""
