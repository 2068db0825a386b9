"""A log is continued only from where it was signed last."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.audit.log import continued, extended, missing, signed
from tierwise.audit.notes import Signer
from tierwise.audit.tree import Frontier, leaf_hash, root_of
from tierwise.core.errors import StoreError

SIGNER = Signer("ledger.example", bytes(range(32)))


def leaves(first: int, last: int) -> list[tuple[int, bytes]]:
    return [(number, leaf_hash(number, b"record")) for number in range(first, last + 1)]


@given(st.integers(0, 40), st.integers(0, 40))
def test_it_grows_from_what_was_signed_as_if_it_had_been_built_at_once(before: int, more: int) -> None:
    kept = signed(SIGNER, extended(Frontier(), leaves(1, before)))
    grown = extended(continued(kept, SIGNER), leaves(before + 1, before + more))
    assert grown.root == root_of([leaf for _, leaf in leaves(1, before + more)])


def test_an_empty_log_begins_at_nothing() -> None:
    assert continued(None, SIGNER) == Frontier()


def test_another_key_does_not_sign_on() -> None:
    kept = signed(Signer("ledger.example", bytes(32)), extended(Frontier(), leaves(1, 3)))
    with pytest.raises(StoreError, match="give this gateway the key of the log"):
        continued(kept, SIGNER)


@pytest.mark.parametrize("bent", [b"", bytes(32), bytes(64), bytes(33)])
def test_a_frontier_that_was_not_signed_is_not_built_on(bent: bytes) -> None:
    note, _ = signed(SIGNER, extended(Frontier(), leaves(1, 3)))
    with pytest.raises(StoreError, match="somebody changed it"):
        continued((note, bent), SIGNER)


def test_a_record_that_is_gone_before_it_was_signed_stops_it() -> None:
    with pytest.raises(StoreError, match="record 4 is gone"):
        extended(extended(Frontier(), leaves(1, 3)), leaves(5, 6))


def test_missing_numbers_are_named() -> None:
    assert missing([2, 3, 6], 7) == [1, 4, 5, 7]
