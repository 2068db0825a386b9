"""An id tells when it was made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.wires.ident import created_s

DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def written(time_ms: int) -> str:
    """Write a time as the ULID specification does: ten digits of five bits, the highest first."""
    return "".join(DIGITS[time_ms >> shift & 31] for shift in range(45, -1, -5))


@pytest.mark.parametrize(
    ("ident", "time_s"),
    [
        ("01ARYZ6S41TSV4RRFFQ69G5FAV", 1469918176),  # the time that the specification's own tests use
        ("01aryz6s41tsv4rrffq69g5fav", 1469918176),
        ("00000000000000000000000000", 0),
        ("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", 281474976710),
        ("01ARYZ6S41", 1469918176),
        ("01ARYZ6S4", 0),
        ("01ARYZ6SU1TSV4RRFFQ69G5FAV", 0),
        ("", 0),
        ("1", 0),
        ("chatcmpl-1", 0),
    ],
)
def test_when_it_was_made(ident: str, time_s: int) -> None:
    assert created_s(ident) == time_s


@given(st.integers(0, 2**48 - 1), st.text(DIGITS, max_size=16))
def test_every_time_comes_back_in_seconds(time_ms: int, rest: str) -> None:
    assert created_s(written(time_ms) + rest) == time_ms // 1000


@given(st.text(max_size=30))
def test_whatever_it_is_it_has_some_time(ident: str) -> None:
    assert created_s(ident) >= 0
