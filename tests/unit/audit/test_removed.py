"""The statement of what was removed stands for exactly the numbers that went."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.audit.checkpoint import checkpoint
from tierwise.audit.notes import Signer
from tierwise.audit.removed import added, stated, statement
from tierwise.core.errors import StoreError

SIGNER = Signer("ledger.example", bytes(range(32)))
NUMBERS = st.lists(st.sets(st.integers(1, 60), min_size=1), min_size=1, max_size=5)


@given(NUMBERS)
def test_ranges_stand_for_the_numbers_that_were_put_in(several: list[set[int]]) -> None:
    ranges: list[tuple[int, int]] = []
    for numbers in several:
        ranges = added(ranges, numbers)
    told = [number for first, last in ranges for number in range(first, last + 1)]
    assert told == sorted(set().union(*several))
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(ranges)), "as few as can be"
    assert stated(statement(SIGNER, ranges), SIGNER.keys) == ranges


def test_nothing_was_removed_where_nothing_says_so() -> None:
    assert stated(None, SIGNER.keys) == []


@pytest.mark.parametrize(
    "note",
    [
        checkpoint(SIGNER, 1, bytes(32)),
        SIGNER.sign("ledger.example\nremoved\nx-y\n"),
        "no note",
        "ledger.example\nremoved\n1-2\n",
        statement(Signer("ledger.example", bytes(32)), [(1, 2)]),
        statement(SIGNER, [(1, 2)]).replace("1-2", "1-9"),
    ],
)
def test_only_a_signed_statement_is_believed(note: str) -> None:
    with pytest.raises(StoreError):
        stated(note, SIGNER.keys)
