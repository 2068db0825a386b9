"""How is a plot drawn? Labels apart, axes round, values inside."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tierwise.evals.report.svg import Frame, decades, spread, text, ticks


@given(st.lists(st.floats(0, 200), min_size=1, max_size=10))
def test_labels_lie_apart_and_inside(places: list[float]) -> None:
    moved = spread(places, 12, 0, 200)
    ordered = sorted(moved)
    assert all(later - before >= 12 - 1e-6 for before, later in itertools.pairwise(ordered))
    assert ordered[0] >= -1e-6 and ordered[-1] <= 200 + 1e-6


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_inside(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 7
    assert all(low - span * 1e-3 <= tick <= low + span * 1.001 for tick in found)


def test_decades_are_few() -> None:
    assert decades(0.5, 3000) == [1, 10, 100, 1000]
    assert decades(1, 10) == [1, 2, 5, 10]


@given(st.floats(0.001, 1e9))
def test_what_lies_outside_is_drawn_at_the_edge(value: float) -> None:
    frame = Frame((1, 100), (0, 1), log_x=True)
    assert frame.left <= frame.x(value) <= frame.right
    assert frame.top <= frame.y(value) <= frame.bottom


def test_text_is_escaped() -> None:
    assert text(0, 0, "<b>&\"'") == '<text x="0" y="0" text-anchor="start">&lt;b&gt;&amp;&quot;&#x27;</text>'
