"""WHICH FIRST: who can serve a call, and in which order they are tried."""
