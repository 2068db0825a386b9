"""What a command does to a key is decided by what is known of it, and what has ended has ended at any time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.errors import ConfigError
from tierwise.core.grant import Grant
from tierwise.ledger.keys import checked_name, created, key_of, key_row, revoked, rotated

PEPPER = bytes(range(32))
TIMES = st.floats(0, 4e9)


@given(made=TIMES, asked=TIMES, expires=st.none() | TIMES, revoking=TIMES)
def test_a_revoked_key_is_never_taken_whoever_is_asked_when(
    made: float, asked: float, expires: float | None, revoking: float
) -> None:
    key = created([], Grant(name="a"), PEPPER, expires, made).key
    assert key.taken_at(asked) == (expires is None or asked < expires)
    change = revoked([key], "a", revoking)
    assert change is not None
    assert change.ended, "also where it looks expired"


def test_only_what_is_replaced_at_once_is_ended_at_once() -> None:
    key = created([], Grant(name="a"), PEPPER, None, 100.0).key
    for grace_s, ended in ((0.0, True), (5.0, False)):
        change = rotated([key], "a", PEPPER, grace_s, 200.0).change
        assert (change.ended, change.revoked) == (ended, 200.0 + grace_s)
    with pytest.raises(ConfigError, match="expired"):
        rotated([created([], Grant(name="a"), PEPPER, 150.0, 100.0).key], "a", PEPPER, 0.0, 200.0)


def test_a_key_is_what_its_row_says() -> None:
    key = created([], Grant(name="a", models=("x", "y*")), PEPPER, 7.0, 1.0).key
    assert key_of(key_row(key)) == key


@pytest.mark.parametrize("name", ["a", "A.b-c_9", "x" * 64])
def test_a_plain_name_is_a_name(name: str) -> None:
    assert checked_name(name) == name
