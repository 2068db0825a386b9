"""A rate limit is never passed, says when it is free again, and gives back what was not used."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.grant import Grant, Rate
from tierwise.economics.limits import Admission, Limit, Limits, Wait

ALICE = Grant(name="alice", team="red")
BOB = Grant(name="bob", team="red", rate=Rate(requests_per_minute=2))


def scopes(grant: Grant) -> set[str]:
    return {"all", f"key:{grant.name}", f"team:{grant.team}"}


class Naive:
    """The same promise, written as it is told: look at everything that ever happened, each time."""

    def __init__(self, limits: list[Limit]) -> None:
        self.limits = limits
        self.calls: list[dict[str, Any]] = []

    def admits(self, grant: Grant, tokens: int, now: float) -> bool:
        for limit in self.limits:
            if limit.scope not in scopes(grant):
                continue
            mine = [call for call in self.calls if limit.scope in scopes(call["grant"])]
            recent = [call for call in mine if call["began"] > now - 60]
            under_way = [call for call in mine if call["ended"] is None]
            ended = [call["used"] for call in mine if call["ended"] is not None and call["ended"] > now - 60]
            if limit.concurrent is not None and len(under_way) + 1 > limit.concurrent:
                return False
            if limit.requests_per_minute is not None and len(recent) + 1 > limit.requests_per_minute:
                return False
            counted = sum(ended) + sum(call["tokens"] for call in under_way)
            if limit.tokens_per_minute is not None and counted + tokens > limit.tokens_per_minute:
                return False
        return True


@pytest.mark.parametrize("scope", ["all", "key:a", "key:b", "team:a", "team:b", "key:None", "team:None"])
def test_a_limit_counts_the_calls_of_its_key_or_team_and_nobody_without_one(scope: str) -> None:
    counted = [who for who in [("a", "b"), ("b", "a"), ("a", None), (None, None)] if Limit(scope=scope).covers(*who)]
    expected = {"all": 4, "key:a": 2, "key:b": 1, "team:a": 1, "team:b": 1, "key:None": 0, "team:None": 0}
    assert len(counted) == expected[scope]


COUNTS = st.none() | st.integers(1, 6)
TOKENS = st.none() | st.integers(1, 40)
LIMITS = st.lists(
    st.builds(
        Limit,
        scope=st.sampled_from(["all", "team:red", "team:blue", "key:alice", "key:bob"]),
        requests_per_minute=COUNTS,
        tokens_per_minute=TOKENS,
        concurrent=COUNTS,
    ),
    max_size=4,
)
# Whole and half seconds, so that marks fall exactly on the end of a minute too.
STEPS = st.lists(
    st.tuples(
        st.integers(0, 60).map(lambda halves: halves / 2),
        st.sampled_from([ALICE, Grant(name="bob", team="blue")]),
        st.integers(1, 20),
        st.integers(0, 30),
        st.booleans(),
    ),
    max_size=60,
)


@given(LIMITS, STEPS)
def test_admits_what_a_naive_reference_admits(
    limits: list[Limit], steps: list[tuple[float, Grant, int, int, bool]]
) -> None:
    built, naive, now = Limits(limits), Naive(limits), 0.0
    under_way: list[tuple[Admission, dict[str, Any]]] = []
    for passed_s, grant, tokens, used, ends in steps:
        now += passed_s
        found = built.admit(grant, tokens, now)
        assert isinstance(found, Admission) == naive.admits(grant, tokens, now)
        if isinstance(found, Admission):
            call = {"grant": grant, "tokens": tokens, "began": now, "ended": None, "used": 0}
            naive.calls.append(call)
            under_way.append((found, call))
        if ends and under_way:
            admission, call = under_way.pop(0)
            built.settle(admission, used, now)
            call.update(ended=now, used=used)


@given(st.integers(1, 5), st.lists(st.floats(0, 59, allow_subnormal=False), min_size=5, max_size=5))
def test_after_the_wait_that_is_told_the_call_is_admitted(most: int, gaps: list[float]) -> None:
    limits, now = Limits([Limit(scope="all", requests_per_minute=most)]), 1000.0
    for gap in gaps:
        now += gap / 5
        found = limits.admit(ALICE, 1, now)
        if isinstance(found, Wait):
            assert found.retry_after_s is not None
            assert 1 <= found.retry_after_s <= 60
            later = limits.admit(ALICE, 1, now + found.retry_after_s)
            assert isinstance(later, Admission)
            return


def test_what_was_not_used_is_free_again_at_once() -> None:
    limits = Limits([Limit(scope="all", tokens_per_minute=100)])
    first = limits.admit(ALICE, 90, 0)
    assert isinstance(first, Admission)
    assert isinstance(limits.admit(ALICE, 20, 0), Wait)
    limits.settle(first, 10, 1)
    limits.settle(first, 10, 1)
    assert isinstance(limits.admit(ALICE, 90, 1), Admission)


def test_a_long_call_counts_when_it_ends_and_not_when_it_began() -> None:
    limits = Limits([Limit(scope="all", tokens_per_minute=100)])
    first = limits.admit(ALICE, 100, 0)
    assert isinstance(first, Admission)
    assert isinstance(limits.admit(ALICE, 1, 300), Wait)
    limits.settle(first, 100, 300)
    assert isinstance(found := limits.admit(ALICE, 1, 301), Wait)
    assert found.retry_after_s == 59


def test_a_call_larger_than_the_limit_is_not_told_to_wait() -> None:
    limits = Limits([Limit(scope="team:red", tokens_per_minute=100), Limit(scope="all", concurrent=1)])
    assert isinstance(limits.admit(ALICE, 1, 0), Admission)
    found = limits.admit(ALICE, 101, 0)
    assert isinstance(found, Wait)
    assert (found.scope, found.what, found.retry_after_s) == ("team:red", "tokens a minute", None)


def test_one_limit_that_refuses_leaves_the_others_uncounted() -> None:
    limits = Limits([Limit(scope="all", concurrent=2), Limit(scope="key:alice", concurrent=1)])
    assert isinstance(limits.admit(ALICE, 1, 0), Admission)
    assert all(isinstance(limits.admit(ALICE, 1, 0), Wait) for _ in range(5))
    assert isinstance(limits.admit(Grant(name="carol"), 1, 0), Admission)


def test_a_keys_own_rate_is_its_own() -> None:
    limits = Limits()
    assert [isinstance(limits.admit(BOB, 1, 0), Admission) for _ in range(3)] == [True, True, False]
    assert isinstance(limits.admit(ALICE, 1, 0), Admission)
    assert isinstance(limits.admit(None, 1, 0), Admission)


@pytest.mark.parametrize("rate", [{"requests_per_minute": 777}, {"tokens_per_minute": 777 * 3}, {"concurrent": 777}])
def test_ten_thousand_at_once_pass_no_limit(rate: dict[str, int]) -> None:
    limits = Limits([Limit(scope="all", **rate)])

    async def admitted(number: int) -> bool:
        await asyncio.sleep(0)
        found = limits.admit(ALICE, 3, 5.0)
        await asyncio.sleep(number % 3 / 1000)
        return isinstance(found, Admission)

    async def together() -> int:
        return sum(await asyncio.gather(*(admitted(n) for n in range(10_000))))

    assert asyncio.run(together()) == 777
