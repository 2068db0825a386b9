"""Amounts and times as pages write them: short, and never more exact than they are."""

import pytest

from tierwise.web import words


@pytest.mark.parametrize(
    ("picousd", "told"),
    [
        (None, "–"),
        (0, "$0"),
        (1, "< $0.000001"),
        (10**9, "$0.001"),
        (999_784_000_000, "$1"),
        (1_500_000_000_000, "$1.50"),
        (106_571_000_000, "$0.107"),
        (48_000_000, "$0.000048"),
        (123_456 * 10**12, "$123,456"),
    ],
)
def test_money(picousd: int | None, told: str) -> None:
    assert words.usd(picousd) == told


@pytest.mark.parametrize(
    ("ms", "told"), [(None, "–"), (0.94, "0.9 ms"), (12.2, "12 ms"), (1234, "1.2 s"), (90_000, "1.5 min")]
)
def test_durations(ms: float | None, told: str) -> None:
    assert words.duration(ms) == told


@pytest.mark.parametrize(
    ("part", "whole", "told"), [(1, 0, "–"), (0, 5, "0 %"), (5, 5, "100 %"), (1, 1000, "0.1 %"), (1, 3, "33 %")]
)
def test_shares(part: int, whole: int, told: str) -> None:
    assert words.share(part, whole) == told


def test_every_outcome_and_tier_has_a_word() -> None:
    from typing import get_args

    from tierwise.core.decision import Outcome
    from tierwise.core.label import Tier

    assert set(words.OUTCOMES) == set(get_args(Outcome))
    assert {tier.value for tier in Tier} < set(words.TIERS)


def test_counts_are_short() -> None:
    assert [words.count(n) for n in (0, 999, 9_999, 15_600, 2_500_000)] == ["0", "999", "9,999", "15.6k", "2.5M"]
    assert words.dollars(0) == "$0" and words.dollars(0.05) == "$0.05" and words.dollars(1200) == "$1,200"
