"""A commitment says nothing without its salt; what is asked of the tables names exactly what was meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.decision import Committed
from tierwise.core.errors import StoreError
from tierwise.ledger.contents import Contents, Which, agrees, commitment, contents_of

SALTS = st.binary(min_size=32, max_size=32)


@given(SALTS, SALTS, st.binary(), st.binary())
def test_a_commitment_fits_its_salt_and_its_bytes_and_no_other(
    one: bytes, two: bytes, data: bytes, other: bytes
) -> None:
    committed = Committed(size_bytes=len(data), kept="hash", sha256=commitment(one, data))
    assert agrees(committed, one, data)
    assert agrees(committed, two, data) is (one == two)
    assert agrees(committed, one, other) is (data == other)


def test_where_nothing_was_committed_to_nothing_agrees() -> None:
    assert not agrees(Committed(size_bytes=0), b"", b"")


def test_content_at_a_cut_is_told_as_text() -> None:
    one = Contents(id="a", ts=1.0, salt=b"\x01\xff", level="full", request="zwölf".encode()[:3])
    assert one.told() == {"level": "full", "salt": "01ff", "request": "zw\ufffd", "answer": None}
    assert one.size_bytes == 5


def test_a_row_comes_back_as_it_went_and_a_damaged_one_is_an_error() -> None:
    one = Contents(id="a", ts=1.0, salt=b"s", level="hash")
    assert contents_of(one.row) == one
    with pytest.raises(StoreError, match="cannot be read"):
        contents_of(("a", 1.0, b"s", "everything", None, None))


def test_whose_content_is_named_in_words() -> None:
    assert str(Which(id="01ab")) == "decision 01ab"
    assert str(Which(session="s", key_id="alice")) == "session s, key alice"
    assert Which().columns == {}
