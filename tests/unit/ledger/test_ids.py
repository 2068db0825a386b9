"""Ids sort by time, never repeat, and survive a clock that jumps."""

import string

from hypothesis import given
from hypothesis import strategies as st

from tierwise.ledger.ids import ALPHABET, LENGTH, IdSource, new_id

MOMENTS = st.integers(0, (1 << 48) * 1_000_000 - 1)
RANDOM = st.binary(min_size=10, max_size=10)


@given(MOMENTS, RANDOM)
def test_shape(now_ns: int, random: bytes) -> None:
    spelt = new_id(now_ns, random)
    assert len(spelt) == LENGTH
    assert set(spelt) <= set(ALPHABET) <= set(string.ascii_lowercase + string.digits)


@given(MOMENTS, RANDOM, MOMENTS, RANDOM)
def test_time_decides_the_order(one: int, first: bytes, two: int, second: bytes) -> None:
    if one // 1_000_000 < two // 1_000_000:
        assert new_id(one, first) < new_id(two, second)


def test_known_value() -> None:
    # The example of the ULID specification: 1469922850259 ms is 01ARZ3NDEK… less its random part.
    assert new_id(1_469_922_850_259 * 1_000_000, bytes(10)) == "01arz3ndek" + "0" * 16


@given(st.lists(st.tuples(MOMENTS, RANDOM), min_size=1, max_size=50))
def test_ascending_whatever_the_clock_does(readings: list[tuple[int, bytes]]) -> None:
    clock, random = iter(reading[0] for reading in readings), iter(reading[1] for reading in readings)
    source = IdSource(lambda: next(clock), lambda _: next(random))
    ids = [source.next() for _ in readings]
    assert ids == sorted(set(ids))
