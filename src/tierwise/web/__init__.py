"""PAGES: where it went, why, what it cost, and whether quality held, for people who look."""
