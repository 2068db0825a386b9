"""The breaker opens, lets one probe through, and closes on its success."""

from hypothesis import given
from hypothesis import strategies as st

from tierwise.fallback.breaker import Breaker, BreakerSettings

SETTINGS = BreakerSettings(failures=3, open_s=10, max_open_s=40)


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(10):
        breaker.failed(0)
        breaker.failed(0)
        breaker.succeeded()
    assert breaker.admit(0)
    for _ in range(3):
        breaker.failed(0)
    assert not breaker.admit(9.9)
    assert breaker.closed_in_s(4) == 6


def test_half_open_lets_exactly_one_probe_through() -> None:
    breaker = Breaker(SETTINGS)
    breaker.failed(0, retry_after_s=1)
    assert breaker.admit(10)
    assert not breaker.admit(10)
    breaker.failed(11)
    assert not breaker.admit(30)
    assert breaker.admit(31)
    breaker.succeeded()
    assert breaker.admit(31)
    assert breaker.admit(31)


def test_an_abandoned_probe_frees_its_place() -> None:
    breaker = Breaker(SETTINGS)
    breaker.failed(0, retry_after_s=1)
    assert breaker.admit(10)
    breaker.abandoned()
    assert breaker.admit(10)


@given(st.lists(st.sampled_from(["fail", "ok", "ask", "leave"]), max_size=80), st.lists(st.floats(0, 5), max_size=80))
def test_never_two_probes_at_once(events: list[str], steps: list[float]) -> None:
    breaker, now, probes, opened = Breaker(SETTINGS), 0.0, 0, False
    for event, step in zip(events, steps, strict=False):
        now += step
        if event == "ask" and breaker.admit(now) and opened:
            probes += 1
        elif event == "fail":
            breaker.failed(now)
            probes, opened = 0, not breaker.admit(now) or opened
        elif event in ("ok", "leave") and probes:
            (breaker.succeeded if event == "ok" else breaker.abandoned)()
            probes, opened = 0, opened and event == "leave"
        assert probes <= 2  # a probe that outlives `open_s` may be followed by another, never by two at once
