"""WHAT IS IT PROVEN ON?: files of items, their clusters and splits, and what is wrong with them."""
