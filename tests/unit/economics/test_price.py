"""Cost is exact and monotonic in tokens."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.usage import Price, Usage
from tierwise.economics.price import cost_usd, expected_cost_usd, most_output_tokens, worst_cost_usd

PRICE = Price(
    input_usd_per_mtok=Decimal(2),
    output_usd_per_mtok=Decimal(10),
    cache_read_usd_per_mtok=Decimal("0.1"),
    cache_write_usd_per_mtok=Decimal("2.5"),
    cache_write_1h_usd_per_mtok=Decimal(4),
)
TOKENS = st.integers(min_value=0, max_value=10**9)


def test_every_bucket_has_its_price() -> None:
    usage = Usage(input=1_000, cache_read=2_000, cache_write=3_000, cache_write_1h=1_000, output=100, reasoning=50)
    assert cost_usd(PRICE, usage) == Decimal("0.0152")  # .002 + .0002 + .0075 + .004 + .0015


def test_cached_input_without_a_price_of_its_own_costs_as_input() -> None:
    plain = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(10))
    assert cost_usd(plain, Usage(cache_read=1_000_000, cache_write=500_000, cache_write_1h=500_000)) == 4


@given(
    *[TOKENS] * 6,
    st.sampled_from(["input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning"]),
)
def test_a_token_more_never_costs_less(a: int, b: int, c: int, d: int, e: int, f: int, bucket: str) -> None:
    buckets = {"input": a, "cache_read": b, "cache_write": c, "output": d, "reasoning": e, "cache_write_1h": f}
    before = cost_usd(PRICE, Usage(**buckets))
    buckets[bucket] += 1
    assert cost_usd(PRICE, Usage(**buckets)) > before >= 0


@given(st.integers(0, 10**6), st.integers(1, 10**5), st.data())
def test_the_reservation_covers_every_usage_within_the_limits(tokens: int, limit: int, data: st.DataObject) -> None:
    written = data.draw(st.integers(0, tokens))
    hour = data.draw(st.integers(0, written))
    output = data.draw(st.integers(0, limit))
    real = cost_usd(
        PRICE, Usage(input=tokens - written, cache_write=written - hour, cache_write_1h=hour, output=output)
    )
    assert real <= worst_cost_usd(PRICE, tokens, limit)
    assert expected_cost_usd(PRICE, tokens, limit) <= worst_cost_usd(PRICE, tokens, limit)


@given(*[st.one_of(st.none(), st.integers(1, 10**6))] * 3)
def test_an_answer_is_bounded_by_whatever_bounds_it(asked: int | None, most: int | None, context: int | None) -> None:
    bound = most_output_tokens(asked, most, context)
    limits = [limit for limit in (asked, most, context) if limit is not None]
    assert all(bound <= limit for limit in limits)
    assert bound in limits if limits else bound >= 128_000
