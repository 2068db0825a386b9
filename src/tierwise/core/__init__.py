"""VALUES: what the other packages hand to each other. No I/O, no clock, no randomness."""
