"""Rows 58 to 69: endpoints that fail and lie."""

from tests.faults.scene import Elsewhere

PROOFS: tuple[Elsewhere, ...] = ()
