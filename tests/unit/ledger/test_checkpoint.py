"""A checkpoint is believed where its own key has signed exactly this text, and nowhere else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.errors import ConfigError, StoreError
from tierwise.ledger.checkpoint import Signer, VerifierKey, opened
from tierwise.ledger.tree import leaf_hash

SIGNER = Signer("ledger.example", bytes(range(32)))
ROOT = leaf_hash(7, b"record")
NOTE = SIGNER.sign(7, ROOT)


def test_a_note_says_what_was_signed() -> None:
    found = opened(NOTE, SIGNER.key)
    assert (found.origin, found.size, found.root) == ("ledger.example", 7, ROOT)
    assert NOTE.splitlines()[:3] == ["ledger.example", "7", base64.b64encode(ROOT).decode()]


@given(st.integers(0, len(NOTE.encode()) - 1), st.integers(0, 7))
def test_no_bit_of_what_was_signed_can_change(at: int, bit: int) -> None:
    bent = bytearray(NOTE.encode())
    bent[at] ^= 1 << bit
    try:
        note = bent.decode()
    except UnicodeDecodeError:
        return
    try:
        found = opened(note, SIGNER.key)
    except StoreError:
        return
    assert found == opened(NOTE, SIGNER.key), "what is believed is what was signed"


def test_another_key_of_the_same_name_is_not_believed() -> None:
    with pytest.raises(StoreError, match="not signed"):
        opened(Signer("ledger.example", bytes(32)).sign(7, ROOT), SIGNER.key)


def test_a_witness_may_sign_too() -> None:
    cosigned = NOTE + "— witness.example AAAA\n"
    assert opened(cosigned, SIGNER.key).size == 7


def test_a_signed_text_of_another_kind_is_no_checkpoint() -> None:
    with pytest.raises(StoreError, match="no checkpoint"):
        opened(SIGNER.sign(-1, ROOT), SIGNER.key)
    with pytest.raises(StoreError, match="no checkpoint"):
        opened(SIGNER.sign(1, b"short"), SIGNER.key)


def test_a_key_is_read_as_it_is_printed() -> None:
    assert VerifierKey.parse(str(SIGNER.key)) == SIGNER.key
    other = VerifierKey.parse(str(Signer("other.example", bytes(32)).key))
    for wrong in ("", "a+b", f"x{SIGNER.key}", str(SIGNER.key)[:-6], str(other).replace("other", "ether")):
        with pytest.raises(ConfigError):
            VerifierKey.parse(wrong)
