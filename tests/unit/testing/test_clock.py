"""A clock that only the test moves."""

import pytest

from tierwise.testing.clock import FrozenClock


def test_it_stands_still_until_told() -> None:
    clock = FrozenClock(100.0)
    assert (clock.time(), clock.time_ns(), clock.monotonic()) == (100.0, 100_000_000_000, 0.0)
    clock.advance(1.5)
    assert (clock.time(), clock.time_ns(), clock.monotonic()) == (101.5, 101_500_000_000, 1.5)


def test_it_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="back"):
        FrozenClock().advance(-1)
