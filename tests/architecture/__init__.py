"""The rules of the house, each a function from the source tree to its violations. `test_architecture.py` runs them."""
