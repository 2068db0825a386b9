"""What an answer takes follows its size, as far as sizes have differed; it never falls with more tokens."""

import random

from hypothesis import given
from hypothesis import strategies as st

from tierwise.gateway.pace import Pace

SIZES = st.tuples(st.integers(0, 100_000), st.integers(0, 8_000), st.floats(0, 600_000))


def test_answers_of_one_size_give_their_mean() -> None:
    pace = Pace()
    for ms in (100.0, 200.0, 300.0):
        pace.learn(500, 50, ms)
    assert round(pace.answer_ms(500, 50), 6) == 200.0


def test_the_time_a_token_takes_is_found_from_answers_of_many_sizes() -> None:
    chance, pace = random.Random(7), Pace()

    def took(read: int, written: int) -> float:
        return 30 + 0.5 * read + 20 * written

    for _ in range(200):
        read, written = chance.randrange(100, 4000), chance.randrange(10, 400)
        pace.learn(read, written, took(read, written) * chance.uniform(0.95, 1.05))
    for read, written in ((200, 20), (4000, 20), (200, 400), (8000, 800)):
        assert abs(pace.answer_ms(read, written) / took(read, written) - 1) < 0.15


def test_what_is_newer_counts_more() -> None:
    pace = Pace()
    for ms in [100.0] * 50 + [1000.0] * 50:
        pace.learn(500, 50, ms)
    assert pace.answer_ms(500, 50) > 990


@given(st.lists(SIZES, min_size=1, max_size=40), st.integers(0, 100_000), st.integers(0, 8_000))
def test_more_tokens_never_take_less_and_nothing_takes_less_than_nothing(
    answers: list[tuple[int, int, float]], read: int, written: int
) -> None:
    pace = Pace()
    for answer in answers:
        pace.learn(*answer)
    found = pace.answer_ms(read, written)
    assert found >= -1e-6 * max(1.0, pace.ms)
    assert pace.answer_ms(read + 10, written) >= found
    assert pace.answer_ms(read, written + 10) >= found
