"""Rows 39 to 49: keys and money."""

from tests.faults.scene import Elsewhere

PROOFS: tuple[Elsewhere, ...] = ()
