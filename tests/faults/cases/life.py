"""Rows 70 to 79: the life of the process, its disk and its clock."""

from tests.faults.scene import Elsewhere

PROOFS: tuple[Elsewhere, ...] = ()
