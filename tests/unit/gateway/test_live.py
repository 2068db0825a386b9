"""What is known of a model's load: our own requests exactly, those of others as its server last said, and not for long."""

from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.capacity import Capacity, CapacityRecord
from tierwise.gateway.live import Live, wait_ms
from tierwise.gateway.pace import Pace


def expected(live: Live, now: float = 0.0, *, slots: int | None = None, workflow: str | None = None) -> CapacityRecord:
    found = live.expected("m", slots, 100, None, workflow, now)
    assert found is not None
    return found


def practised(ms: float = 1000.0) -> Live:
    """Return what is live of a model that has answered once, in so many ms."""
    live = Live()
    met = live.began("m", None, 0.0)
    live.ended("m")
    live.answered("m", None, met, 100, 50, ms)
    return live


def test_of_a_model_never_heard_of_nothing_is_known() -> None:
    assert Live().expected("m", 4, 100, None, None, 0.0) is None
    assert Live().known(0.0) == {}


def test_a_free_slot_means_no_wait_and_a_queue_means_one() -> None:
    live = practised(1000.0)
    live.told("m", Capacity(slots=4, running=3, waiting=0, loaded=True), 0.0)
    assert (expected(live).wait_ms, expected(live).latency_ms) == (0.0, 1000.0)
    live.told("m", Capacity(slots=4, running=4, waiting=3, loaded=True), 0.0)
    # four more have to end before this one's turn, and one of four ends every quarter of a second
    assert (expected(live).wait_ms, expected(live).latency_ms) == (1000.0, 2000.0)


def test_requests_of_ours_count_at_once_and_only_once() -> None:
    live = practised()
    live.told("m", Capacity(slots=2, running=1, waiting=0, loaded=True), 0.0)
    assert live.began("m", None, 0.1) == "free"
    assert live.began("m", None, 0.1) == "full", "the free slot was taken a moment ago"
    assert expected(live, 0.1).requests == 3
    live.told("m", Capacity(slots=2, running=2, waiting=1, loaded=True), 0.2)
    assert expected(live, 0.2).requests == 3, "what the server says now holds ours too"
    live.ended("m")
    live.ended("m")
    assert expected(live, 0.3).requests == 1


def test_what_was_said_too_long_ago_is_not_known() -> None:
    live = practised()
    live.told("m", Capacity(slots=1, running=5, waiting=5, loaded=False), 0.0)
    assert expected(live, 9.9).requests == 10
    stale = expected(live, 10.1)
    assert (stale.slots, stale.loaded, stale.age_s, stale.latency_ms) == (None, None, None, 1000.0)


def test_slots_that_only_the_configuration_names_are_filled_by_our_own_requests() -> None:
    live = practised(1000.0)
    assert [live.began("m", 1, 0.0) for _ in range(3)] == ["free", "full", "full"]
    assert expected(live, slots=1).wait_ms == 3000.0


def test_a_server_that_tells_no_slots_has_as_many_as_it_runs_while_others_wait() -> None:
    live = practised(1000.0)
    live.told("m", Capacity(running=8, waiting=0), 0.0)
    assert (expected(live).slots, expected(live).wait_ms) == (None, None)
    live.told("m", Capacity(running=8, waiting=2), 0.0)
    assert (expected(live).slots, expected(live).wait_ms) == (8, 375.0)


def test_a_cold_model_costs_its_load_once_that_is_known() -> None:
    live = practised(1000.0)
    live.told("m", Capacity(loaded=False), 0.0)
    assert expected(live).latency_ms is None, "how long it takes to load is not known"
    met = live.began("m", None, 0.0)
    live.ended("m")
    live.answered("m", None, met, 100, 50, 9000.0)
    assert met == "cold"
    assert expected(live).latency_ms == 1000.0, "it is loaded now, and its first answer is no pace"
    live.told("m", Capacity(loaded=False), 1.0)
    assert (expected(live, 1.0).load_ms, expected(live, 1.0).latency_ms) == (8000.0, 9000.0)
    live.told("m", Capacity(loaded=False, load_ms=500.0), 2.0)
    assert expected(live, 2.0).latency_ms == 1500.0, "who loads it itself knows better"


def test_answers_that_waited_are_no_pace() -> None:
    live = practised(1000.0)
    live.told("m", Capacity(slots=1, running=1, waiting=0, loaded=True), 0.0)
    met = live.began("m", None, 0.0)
    live.answered("m", None, met, 100, 50, 60_000.0)
    assert (met, expected(live).answer_ms) == ("full", 1000.0)


def test_the_usual_length_of_a_workflows_answers_is_its_own() -> None:
    live = Live()
    for workflow, written, ms in (("short", 10, 200.0), ("long", 400, 8000.0)) * 20:
        met = live.began("m", None, 0.0)
        live.ended("m")
        live.answered("m", workflow, met, 100, written, ms)
    assert (expected(live, workflow="short").answer_ms or 0) < 500
    assert (expected(live, workflow="long").answer_ms or 0) > 7000
    limited = live.expected("m", None, 100, 10, "long", 0.0)
    assert limited is not None
    assert (limited.answer_ms or 0) < 500, "the caller allows no more"


@given(st.integers(0, 50), st.integers(1, 16), st.floats(1, 1e5))
def test_nobody_waits_for_a_free_slot_and_one_more_in_line_is_never_a_shorter_wait(
    requests: int, slots: int, ms: float
) -> None:
    pace = Pace()
    pace.learn(1, 1, ms)
    wait = wait_ms(requests, slots, pace) or 0.0
    assert (wait == 0.0) == (requests < slots)
    assert (wait_ms(requests + 1, slots, pace) or 0.0) >= wait >= (wait_ms(requests, slots + 1, pace) or 0.0)


def test_what_one_gateway_knows_another_can_take_over() -> None:
    live, other = practised(1000.0), Live()
    live.told("m", Capacity(slots=2, running=2, waiting=2, loaded=True, context_tokens=4096), 0.0)
    mine = expected(live, 1.0)
    other.heard("m", mine, 5.0)
    theirs = expected(other, 5.0)
    assert (theirs.slots, theirs.requests, theirs.wait_ms, theirs.latency_ms) == (2, 4, 1500.0, 2500.0)
    assert (theirs.context_tokens, theirs.age_s) == (4096, 1.0)
