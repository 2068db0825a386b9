"""Rows 50 to 57: where sensitive text may go, and what is fetched or read."""

from tests.faults.scene import Elsewhere

PROOFS: tuple[Elsewhere, ...] = ()
