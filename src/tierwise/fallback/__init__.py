"""WHICH NEXT: what follows a failed attempt."""
