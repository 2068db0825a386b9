"""Charts: what is drawn is what was given, and nothing of it is markup."""

import re

import pytest

from tierwise.web import charts, words
from tierwise.web.charts import Band, Span

NOW = 1_800_000_000.0
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'


def test_bars_stand_on_each_other_and_are_named() -> None:
    span = Span(begin=0, step_s=60, steps=3)
    drawn = charts.stacked(
        "Requests", "5 requests", span, {"local": {0: 2.0}, "frontier": {0: 3.0, 2: 1.0}}, words.count
    )
    bars = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)" class="bar t-(\w+)">', drawn)
    assert [name for *_, name in bars] == ["local", "frontier", "frontier"]
    (_, low_y, _, _), (_, high_y, high, _), _ = bars
    assert float(high_y) + float(high) == pytest.approx(float(low_y), abs=0.2)
    assert "<title" in drawn and "style=" not in drawn


def test_a_line_is_interrupted_where_nothing_was_measured() -> None:
    span = Span(begin=0, step_s=60, steps=6)
    drawn = charts.lines("Latency", "x", span, {"half": {0: 1.0, 1: 2.0, 4: 1.0, 5: 3.0}}, words.duration)
    assert drawn.count("<polyline") == 2


def test_an_empty_chart_is_a_chart() -> None:
    assert "<svg" in charts.lines("Nothing", "x", Span(begin=0, step_s=60, steps=6), {"a": {}}, words.duration)


def test_what_comes_from_outside_is_escaped_in_charts() -> None:
    drawn = charts.stacked(HOSTILE, HOSTILE, Span(begin=0, step_s=60, steps=1), {HOSTILE: {0: 1.0}}, lambda _: HOSTILE)
    assert "<script" not in drawn and "<img" not in drawn


def test_intervals_lie_where_they_lie_beside_what_is_asked() -> None:
    bands = [Band(name="small", low=-0.04, high=0.01, value=-0.02, kind="bad"), Band(name="words", low=0.0, high=0.02)]
    drawn = charts.intervals("Points", "x", bands, {"margin": -0.02}, words.dollars)
    (margin,) = re.findall(r'<line x1="([\d.]+)"[^>]+class="asked"', drawn)
    (low, wide), (other, _) = re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    assert float(low) < float(margin) < float(low) + float(wide) and float(margin) < float(other)
    assert 'class="extent bad"' in drawn and "style=" not in drawn


def test_what_comes_from_outside_is_escaped_in_intervals() -> None:
    band = Band(name=HOSTILE, low=0, high=0, value=0, kind=HOSTILE)
    drawn = charts.intervals(HOSTILE, HOSTILE, [band], {HOSTILE: 0}, lambda _: HOSTILE)
    assert "<script" not in drawn and "<img" not in drawn
