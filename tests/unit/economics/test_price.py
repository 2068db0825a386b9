"""Cost is exact and monotonic in tokens."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.usage import Band, Media, Price, Tariff, Usage
from tierwise.economics.price import (
    blended_usd_per_mtok,
    cost_usd,
    expected_cost_usd,
    most_output_tokens,
    worst_cost_usd,
)

MTOK = Decimal(1_000_000)
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


def usd(value: str) -> Decimal:
    return Decimal(value)


# Rates of a long request, and of what an answer says that it was served as.
RICH = Price(
    input_usd_per_mtok=usd("2"), output_usd_per_mtok=usd("10"), reasoning_usd_per_mtok=usd("12"),
    cache_read_usd_per_mtok=usd("0.2"), audio_input_usd_per_mtok=usd("40"), audio_output_usd_per_mtok=usd("80"),
    image_input_usd_per_mtok=usd("5"),
    bands=(
        Band(above_tokens=200_000, input_usd_per_mtok=usd("4"), output_usd_per_mtok=usd("15")),
        Band(above_tokens=500_000, input_usd_per_mtok=usd("6"), output_usd_per_mtok=usd("20")),
    ),
    services={
        "batch": Tariff(input_usd_per_mtok=usd("1"), output_usd_per_mtok=usd("5")),
        "priority": Tariff(
            input_usd_per_mtok=usd("3.5"), output_usd_per_mtok=usd("17.5"),
            bands=(Band(above_tokens=200_000, input_usd_per_mtok=usd("7"), output_usd_per_mtok=usd("26.25")),),
        ),
    },
)  # fmt: skip


def test_once_a_request_is_long_all_of_its_tokens_cost_more() -> None:
    assert cost_usd(RICH, Usage(input=200_000, output=100)) == (400_000 + 1_000) / MTOK
    assert cost_usd(RICH, Usage(input=200_001, output=100)) == (800_004 + 1_500) / MTOK
    # What came from the cache counts towards the length, and costs as the band says.
    assert cost_usd(RICH, Usage(input=1, cache_read=200_000)) == usd("0.800004")
    assert cost_usd(RICH, Usage(input=600_000)) == usd("3.6")


def test_the_service_that_the_answer_names_has_its_own_price_and_its_own_bands() -> None:
    assert cost_usd(RICH, Usage(input=1_000_000, service="batch")) == 1
    assert cost_usd(RICH, Usage(input=100_000, service="priority")) == usd("0.35")
    assert cost_usd(RICH, Usage(input=400_000, service="priority")) == usd("2.8")
    assert cost_usd(RICH, Usage(input=100_000, service="unheard-of")) == usd("0.2")


def test_reasoning_sound_and_pictures_have_their_prices_or_those_of_text() -> None:
    media = Media(audio_input=1_000, image_input=2_000, audio_output=100, image_output=10)
    assert cost_usd(RICH, Usage(reasoning=100, media=media)) == (1_200 + 40_000 + 10_000 + 8_000 + 100) / MTOK
    plain = Price(input_usd_per_mtok=usd("2"), output_usd_per_mtok=usd("10"))
    assert cost_usd(plain, Usage(reasoning=100, media=media)) == (1_000 + 6_000 + 1_100) / MTOK


@given(st.integers(0, 700_000), st.integers(0, 10**4), st.sampled_from(["batch", "priority", "flex", ""]), st.data())
def test_the_reservation_covers_every_band_and_service(
    tokens: int, limit: int, service: str, data: st.DataObject
) -> None:
    heard, cached = data.draw(st.integers(0, tokens)), 0
    cached = data.draw(st.integers(0, tokens - heard))
    spoken = data.draw(st.integers(0, limit))
    usage = Usage(
        input=tokens - heard - cached, cache_read=cached, reasoning=limit - spoken, service=service,
        media=Media(audio_input=heard, audio_output=spoken),
    )  # fmt: skip
    assert cost_usd(RICH, usage) <= worst_cost_usd(RICH, tokens, limit)


def test_a_mix_has_one_price_for_a_million_of_its_tokens() -> None:
    plain = Price(input_usd_per_mtok=usd("1.25"), output_usd_per_mtok=usd("10"))
    assert blended_usd_per_mtok(plain, Usage(input=512, output=256)) * 3 == usd("12.5")
    assert blended_usd_per_mtok(plain, Usage()) == 0
