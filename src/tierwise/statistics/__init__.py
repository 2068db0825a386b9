"""How sure may one be, given so much evidence? Estimates, tests, guarantees and plans."""
