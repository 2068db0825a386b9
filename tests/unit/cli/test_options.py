"""Every command reads spans and dates alike."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.cli.options import moment_ts, since_ts, span_s
from tierwise.core.errors import InvalidCall

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@given(st.integers(0, 999_999), st.sampled_from(sorted(UNITS_S)))
def test_a_span_is_a_number_and_a_unit(count: int, unit: str) -> None:
    assert span_s(f"{count}{unit}", "--for") == count * UNITS_S[unit]


@pytest.mark.parametrize("text", ["", "h", "8", "8 h", "-8h", "8h30m", "1e3s", "8y", "٨h", "1000000s", "yesterday"])
def test_what_is_no_span_names_the_option_and_what_is_one(text: str) -> None:
    with pytest.raises(InvalidCall, match=r"^--grace .*give 30s, 10m, 24h, 7d or 8w"):
        span_s(text, "--grace")


def test_a_span_is_counted_from_now_in_the_direction_that_the_option_has() -> None:
    before = time.time()
    past, future = since_ts("2h"), moment_ts("2h", "--expires", ago=False)
    assert before - 7200 <= past <= future - 14_400 + 60
    assert future >= before + 7200


@pytest.mark.parametrize(
    ("text", "ts"),
    [("1970-01-02", 86_400.0), ("1970-01-01T01:00:00+01:00", 0.0), ("1970-01-01T00:00:01Z", 1.0)],
)
def test_a_date_is_that_of_utc_unless_it_says_where(text: str, ts: float) -> None:
    assert moment_ts(text, "--since", ago=True) == moment_ts(text, "--expires", ago=False) == ts


@pytest.mark.parametrize("text", ["soon", "2027-13-01", "8y", "12", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidCall, match="--since"):
        since_ts(text)


def test_without_one_everything_counts() -> None:
    assert since_ts(None) == 0.0
