"""Waiting is taken out of recorded times exactly, and put back exactly."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.drill.traffics import S, call, queued, tried
from tierwise.drill.waiting import Line, Seen, recovered

times = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=40)


@given(times, st.integers(1, 5))
def test_a_queue_of_any_width_is_taken_apart_and_waits_again_as_it_did(
    arrivals: list[tuple[int, int]], slots: int
) -> None:
    ordered = [(float(at), float(takes)) for at, takes in sorted(arrivals)]
    calls = queued(ordered, slots)
    seen = recovered(calls, {"here": slots})
    assert [seen[at, 0].takes_us for at in range(len(calls))] == [takes * S for _, takes in ordered]
    line = Line(slots)
    for at, one in enumerate(calls):
        assert line.wait_us(one.at_us) == seen[at, 0].waited_us
        assert line.take(one.at_us, seen[at, 0].takes_us or 0) == one.at_us + (one.took_us or 0)


def test_where_nobody_said_how_many_at_once_nobody_waited() -> None:
    calls = queued([(0, 10), (1, 10), (2, 10)], 1)
    seen = recovered(calls, {})
    assert [seen[at, 0] for at in range(3)] == [Seen(0, one.took_us, None) for one in calls]


def test_a_record_that_cannot_be_of_such_a_queue_never_gives_a_negative_time() -> None:
    calls = [call(0, 0, tried("near", 100)), call(1, 1, tried("near", 2))]
    seen = recovered(calls, {"here": 1})
    assert seen[1, 0] == Seen(2 * S, 0, None)


def test_a_line_without_end_lets_nobody_wait_and_one_place_lets_all_wait() -> None:
    line = Line(None)
    assert [line.take(0, 5) for _ in range(3)] == [5, 5, 5] and (line.waited, line.busy_us, line.most) == (0, 15, 3)
    line = Line(1)
    assert [line.take(0, 5) for _ in range(3)] == [5, 10, 15] and (line.waited, line.longest_us, line.most) == (
        2,
        10,
        1,
    )
