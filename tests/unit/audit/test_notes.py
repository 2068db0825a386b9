"""A note is believed where a key of its log has signed exactly this text, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.audit.notes import Signer, VerifierKey, text_of
from tierwise.core.errors import ConfigError, StoreError
from tierwise.core.secret import Secret

SIGNER = Signer("ledger.example", bytes(range(32)))
NOTE = SIGNER.sign("ledger.example\n7\nroot\n")


@given(st.integers(0, len(NOTE.encode()) - 1), st.integers(0, 7))
def test_no_bit_of_what_was_signed_can_change(at: int, bit: int) -> None:
    bent = bytearray(NOTE.encode())
    bent[at] ^= 1 << bit
    try:
        found = text_of(bent.decode(), SIGNER.keys)
    except (UnicodeDecodeError, StoreError):
        return
    assert found == text_of(NOTE, SIGNER.keys), "what is believed is what was signed"


def test_another_key_of_the_same_name_is_not_believed() -> None:
    with pytest.raises(StoreError, match="not signed"):
        text_of(Signer("ledger.example", bytes(32)).sign("ledger.example\n7\nroot\n"), SIGNER.keys)


def test_a_witness_may_sign_too() -> None:
    assert text_of(NOTE + "— witness.example AAAA\n— somebody\n—\n", SIGNER.keys) == "ledger.example\n7\nroot\n"


def test_a_public_key_is_read_as_it_is_printed() -> None:
    assert VerifierKey.parse(str(SIGNER.key)) == SIGNER.key
    other = VerifierKey.parse(str(Signer("other.example", bytes(32)).key))
    for wrong in ("", "a+b", f"x{SIGNER.key}", str(SIGNER.key)[:-6], str(other).replace("other", "ether")):
        with pytest.raises(ConfigError):
            VerifierKey.parse(wrong)


def test_a_signing_key_is_read_as_it_is_written_with_the_keys_before_it() -> None:
    later = Signer("ledger.example", bytes(32), SIGNER.keys)
    read = Signer.parse(later.written)
    assert read.keys == (later.key, SIGNER.key)
    assert text_of(NOTE, read.keys), "what the earlier key has signed is still believed"
    assert text_of(read.sign("a\n"), later.keys) == "a\n"


@pytest.mark.parametrize(
    "text", ["", "PRIVATE+KEY+", "PRIVATE+KEY+a+b+c", str(SIGNER.key), "PRIVATE+KEY+\N{SNOWMAN}+a+b"]
)
def test_what_is_no_signing_key_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError):
        Signer.parse(Secret(text))


def test_a_mixed_up_signing_key_is_refused() -> None:
    text = SIGNER.written.reveal().replace("ledger.example", "ledger.other")
    with pytest.raises(ConfigError, match="do not belong together"):
        Signer.parse(Secret(text))
