"""Speeds of reading and writing come out of what calls took together, as a machine of known speeds would take."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.economics.serving import penalty
from tierwise.evals.throughput import (
    Load,
    Measured,
    Round,
    Timed,
    Unmeasured,
    at_target,
    measure,
    once,
    prompt,
    speeds,
    summed,
)


def machine(load: Load, reads_per_s: float, writes_per_s: float, written: int) -> Round:
    """A machine that does one thing at a time, as fast as it can: what all calls of a load take of it."""
    read = load.input_words
    seconds = load.at_once * (read / reads_per_s + (written / writes_per_s if written > 1 else 0))
    waits = [(at + 1) * read / reads_per_s * 1000 for at in range(load.at_once)]
    calls = [Timed(first_ms=wait, whole_ms=seconds * 1000, read=read, written=written) for wait in waits]
    return Round(seconds=seconds, calls=tuple(calls))


@given(st.integers(50, 5000), st.integers(10, 500), st.integers(1, 32), st.integers(20, 400))
def test_what_reading_takes_of_each_second_is_not_there_for_writing(
    reads: int, writes: int, at_once: int, words: int
) -> None:
    load = Load(at_once=at_once, input_words=words, output_tokens=100)
    both = summed(load, [machine(load, reads, writes, 100)] * 3)
    reading = summed(load, [machine(load, reads, writes, 1)] * 3)
    found = speeds(reading, both)
    writing_share = (100 / writes) / (100 / writes + words / reads)
    if writing_share < 0.09:
        assert found is None, "what is left of its time for writing is noise"
    elif writing_share > 0.11:
        assert found is not None
        assert found.read_per_s == pytest.approx((reads,) * 3) and found.written_per_s == pytest.approx((writes,) * 3)
        assert both.written_per_s < writes and found.at_once == at_once


def test_a_load_is_told_by_its_middle_round_and_by_those_who_waited_longest() -> None:
    load = Load(at_once=20, input_words=10, output_tokens=10)
    rounds = [machine(load, 1000, speed, 10) for speed in (90, 100, 200)]
    found = summed(load, rounds)
    assert found.written_per_s == rounds[1].written_per_s and found.context_tokens == 20
    assert found.first_ms == pytest.approx(190), "19 of 20 had their first token by then"
    assert [each for _, each in found.rounds] == [each.written_per_s for each in rounds]


def test_calls_at_once_are_doubled_until_callers_wait_too_long_and_what_waited_does_not_count() -> None:
    at_once, most = 0, [0]

    async def ask(text: str, output_tokens: int) -> Timed:
        nonlocal at_once
        at_once += 1
        most[0] = max(most[0], at_once)
        await asyncio.sleep(0)
        late = at_once > 4
        at_once -= 1
        return Timed(first_ms=900 if late else 10, whole_ms=1000, read=len(text.split()), written=output_tokens)

    steps: list[str] = []
    loads, _ = asyncio.run(
        measure(ask, input_words=5, output_tokens=7, most_at_once=64, most_first_ms=500, seed=1, tell=steps.append)
    )
    tried = [one.at_once for one in loads]
    assert tried == [2**n for n in range(len(tried))] and most[0] <= 64
    assert all(one.first_ms <= 500 for one in loads[:-1]), "the first that is too slow is the last"
    if len(steps) > len(tried):
        assert steps[-1].startswith("reading alone")


def test_no_two_prompts_begin_alike_and_a_failed_call_is_no_measurement() -> None:
    chance = random.Random(3)
    assert len({prompt(9, chance).split()[0] for _ in range(200)}) == 200

    async def fails(text: str, output_tokens: int) -> Timed:
        raise Unmeasured("it is out of memory")

    with pytest.raises(Unmeasured, match="memory"):
        asyncio.run(once(fails, Load(at_once=2, input_words=3, output_tokens=4), chance))


def load_of(at_once: int, written_per_s: float, first_ms: float) -> Measured:
    return Measured(
        at_once=at_once, context_tokens=100, read_per_s=1.0, written_per_s=written_per_s, first_ms=first_ms, whole_ms=0,
        rounds=(), calls_per_s=written_per_s / 10,
    )  # fmt: skip


def test_the_best_load_is_the_one_that_costs_are_counted_at() -> None:
    tried = [load_of(1, 50, 10), load_of(2, 90, 400), load_of(4, 80, 450), load_of(8, 300, 900)]
    assert at_target(tried, 500) is tried[1], "more was written at 8, but callers waited too long"
    assert at_target(tried, 5) is None
    assert penalty([one.run for one in tried], tried[1].run) == pytest.approx(300 / 90)
