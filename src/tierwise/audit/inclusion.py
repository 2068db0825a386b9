"""What shows that one record is in the log, to somebody who has only the log's public key?

Reads the log's rows for the one record and all leaves. Pure.
"""

import base64
from collections.abc import Sequence
from typing import Any

from tierwise.audit.tree import inclusion


class Inclusion:
    """Looks for the record of this number while the log is read."""

    def __init__(self, seq: int) -> None:
        self._seq = seq
        self._record: bytes | None = None
        self._leaves: list[bytes] = []

    def begin(self, _checkpoints: Sequence[str], _removal: str | None) -> None:
        """Signatures are looked at by whoever gets the proof."""

    def take(self, rows: Sequence[tuple[int, bytes | None, bytes | None]]) -> None:
        """Take the next rows."""
        for seq, record, leaf in rows:
            if seq == self._seq:
                self._record = record
            if leaf is not None:
                self._leaves.append(leaf)

    def proof(self, size: int) -> dict[str, Any]:
        """Return the record, its number and the hashes beside its way to the root of the first `size` records."""
        return {
            "seq": self._seq,
            "size": size,
            "record": base64.b64encode(self._record or b"").decode(),
            "inclusion": [base64.b64encode(step).decode() for step in inclusion(self._leaves[:size], self._seq - 1)],
        }
