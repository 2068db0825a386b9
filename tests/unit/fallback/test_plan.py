"""Fallback never repeats a stopped endpoint and never exceeds its attempts."""

from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.errors import (
    BadReply,
    ContextTooLong,
    GateFailed,
    Overloaded,
    RateLimited,
    Refused,
    TierwiseError,
    Unreachable,
    Verdict,
)
from tierwise.fallback.plan import FallbackSettings, Lap, backoff_s, harms_endpoint, next_step

SETTINGS = FallbackSettings()
ERRORS = st.sampled_from(
    [
        Overloaded("busy"),
        Overloaded("busy", retry_after_s=2),
        Overloaded("busy", retry_after_s=1e9),
        RateLimited("slow down"),
        Unreachable("gone"),
        BadReply("html"),
        Refused("wrong"),
        ContextTooLong("long"),
        GateFailed("empty", gate="empty", detail=""),
    ]
)


@given(st.lists(ERRORS, min_size=1, max_size=30), st.integers(1, 6), st.floats(0, 0.999))
def test_the_plan_ends_and_moves_only_forward(errors: list[TierwiseError], candidates: int, draw: float) -> None:
    laps: list[Lap] = []
    place = 0
    for error in errors:
        laps.append(Lap(place=place, error=error))
        step = next_step(SETTINGS, laps, candidates, draw=draw, left_s=60)
        if step.action == "stop":
            break
        assert not isinstance(error, Refused)
        assert step.place >= place
        assert step.place < candidates
        assert step.wait_s <= 10
        if step.place == place:
            assert isinstance(error, Overloaded)
        place = step.place
    assert len(laps) <= SETTINGS.max_attempts


def test_who_could_not_be_asked_costs_no_attempt() -> None:
    resting = [Lap(place=n, error=Overloaded("rests", verdict=Verdict.NEXT), asked=False) for n in range(5)]
    assert next_step(SETTINGS, resting, 6, draw=0, left_s=60).place == 5
    assert next_step(SETTINGS, resting, 5, draw=0, left_s=60).action == "stop"


def test_retry_after_is_a_floor_and_a_long_one_means_the_next() -> None:
    soon = next_step(SETTINGS, [Lap(place=0, error=Overloaded("", retry_after_s=3))], 2, draw=0, left_s=60)
    assert (soon.place, soon.wait_s) == (0, 3)
    late = next_step(SETTINGS, [Lap(place=0, error=Overloaded("", retry_after_s=30))], 2, draw=0, left_s=60)
    assert (late.place, late.wait_s) == (1, 0)
    no_time = next_step(SETTINGS, [Lap(place=0, error=Overloaded("", retry_after_s=3))], 2, draw=0, left_s=2)
    assert no_time.place == 1


def test_backoff_grows_with_jitter_and_a_cap() -> None:
    assert [backoff_s(n, 0.999) < backoff_s(n + 1, 0.999) for n in range(4)] == [True] * 4
    assert backoff_s(50, 0.999) <= 8
    assert backoff_s(1, 0) != backoff_s(1, 0.5)


def test_what_speaks_against_an_endpoint() -> None:
    assert harms_endpoint(Unreachable(""))
    assert harms_endpoint(Overloaded(""))
    assert not harms_endpoint(Refused(""))
    assert not harms_endpoint(ContextTooLong(""))
    assert not harms_endpoint(GateFailed("", gate="empty", detail=""))
