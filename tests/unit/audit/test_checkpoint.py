"""A checkpoint says how large a log was and what its root was; nothing else passes for one."""

import base64

import pytest

from tierwise.audit.checkpoint import checkpoint, opened
from tierwise.audit.notes import Signer
from tierwise.audit.removed import statement
from tierwise.audit.tree import leaf_hash
from tierwise.core.errors import StoreError

SIGNER = Signer("ledger.example", bytes(range(32)))
ROOT = leaf_hash(7, b"record")
NOTE = checkpoint(SIGNER, 7, ROOT)


def test_a_note_says_what_was_signed() -> None:
    found = opened(NOTE, SIGNER.keys)
    assert (found.origin, found.size, found.root) == ("ledger.example", 7, ROOT)
    assert NOTE.splitlines()[:3] == ["ledger.example", "7", base64.b64encode(ROOT).decode()]


@pytest.mark.parametrize(
    "note",
    [
        checkpoint(SIGNER, -1, ROOT),
        checkpoint(SIGNER, 1, b"short"),
        statement(SIGNER, [(1, 3)]),
        SIGNER.sign(f"another.log\n7\n{base64.b64encode(ROOT).decode()}\n"),
        SIGNER.sign("ledger.example\n 7\n\n"),
        SIGNER.sign("\n"),
    ],
)
def test_a_signed_text_of_another_kind_is_no_checkpoint(note: str) -> None:
    with pytest.raises(StoreError, match="no checkpoint"):
        opened(note, SIGNER.keys)
