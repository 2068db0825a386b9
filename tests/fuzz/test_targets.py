"""Does everything that reads bytes keep its promises? Any bytes, good inputs made worse, and good inputs made large.

No error but the one that the table allows, no work that takes long, no memory beyond 100 times the input.
"""

from functools import cache
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz import limits
from tests.fuzz.mutate import amplified, mutated
from tests.fuzz.past import PAST
from tests.fuzz.targets import TARGETS
from tierwise.core.errors import ConfigError

EXAMPLES = 150
LARGE = 6
LARGE_BYTES = 256 * 1024


@cache
def seeds(name: str) -> list[bytes]:
    return list(TARGETS[name].seeds())


def worse(name: str) -> st.SearchStrategy[bytes]:
    """Make inputs of good ones; the numbers name which."""
    made = st.tuples(st.sampled_from(seeds(name)), st.integers(0, 2**32))
    return made.map(lambda said: mutated(said[0], Random(said[1]), seeds(name)))


@pytest.mark.parametrize("name", TARGETS)
def test_good_inputs_are_read(name: str) -> None:
    assert not all(limits.run(TARGETS[name], seed) for seed in seeds(name))


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_the_bytes_nothing_breaks_or_swells(name: str) -> None:
    @settings(max_examples=EXAMPLES)
    @given(data=st.binary(max_size=200) | worse(name) | worse(name))
    def holds(data: bytes) -> None:
        limits.weighed(TARGETS[name], data)

    holds()


@pytest.mark.parametrize("name", TARGETS)
def test_however_large_one_part_of_it_is_the_work_stays_small(name: str) -> None:
    @settings(max_examples=LARGE, phases=(Phase.generate,))
    @given(seed=st.sampled_from(seeds(name)), number=st.integers(0, 2**32))
    def holds(seed: bytes, number: int) -> None:
        data = amplified(seed, Random(number), LARGE_BYTES)
        limits.timed(TARGETS[name], data)
        limits.weighed(TARGETS[name], data)

    holds()


@pytest.mark.parametrize(("name", "data"), PAST, ids=[f"{name}-{place}" for place, (name, _) in enumerate(PAST)])
def test_what_once_failed_does_not_fail_again(name: str, data: bytes) -> None:
    limits.timed(TARGETS[name], data)
    limits.weighed(TARGETS[name], data)


# Would these notice?


def keep(data: bytes) -> None:
    assert len([bytes(1000) for _ in range(len(data))]) == len(data)


def count(data: bytes) -> None:
    assert sum(1 for one in data for _ in data) >= 0


def test_what_the_table_does_not_allow_is_noticed() -> None:
    target = limits.Target(run=lambda data: data.decode(), seeds=list, refuses=(ConfigError,))
    with pytest.raises(UnicodeDecodeError):
        limits.run(target, b"\xff")


def test_too_much_memory_and_too_much_work_are_noticed() -> None:
    with pytest.raises(limits.TooMuch, match="held"):
        limits.weighed(limits.Target(run=keep, seeds=list), b"a" * 10_000)
    with pytest.raises(limits.TooMuch, match="s for"):
        limits.timed(limits.Target(run=count, seeds=list), b"a" * 2_000, 0.01)
