"""AUDIT: a log whose records cannot be changed, taken away or put in unseen. Pure: bytes in, hashes and notes out."""
