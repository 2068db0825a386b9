"""Three public lists of prices, as rows that load and that price a call as their projects say.

The lists here are made up, in the shapes of theirs (read 2026-11-21); no figure is anybody's price.
"""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tierwise import config
from tierwise.cli.imports.pricing import Listed, listed, written
from tierwise.core.errors import ConfigError
from tierwise.core.prices import Place, PriceBook, PriceRow
from tierwise.core.usage import Media, Usage
from tierwise.economics.price import cost_usd

DAY = date(2026, 11, 21)

LITELLM = {
    "sample_spec": {"input_cost_per_token": 0.0, "litellm_provider": "one of many"},
    "big": {
        "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05,
        "cache_read_input_token_cost": 1.25e-07, "cache_creation_input_token_cost": 1.5e-06,
        "cache_creation_input_token_cost_above_1hr": 2e-06, "input_cost_per_audio_token": 4e-05,
        "input_cost_per_token_above_272k_tokens": 2.5e-06, "output_cost_per_token_above_272k_tokens": 1.5e-05,
        "input_cost_per_token_priority": 2.5e-06, "output_cost_per_token_priority": 2e-05,
        "input_cost_per_token_above_272k_tokens_priority": 5e-06, "input_cost_per_token_batches": 6.25e-07,
        "search_context_cost_per_query": {"search_context_size_low": 0.03}, "supported_regions": ["global"],
    },
    "azure/eu/big": {"litellm_provider": "azure", "input_cost_per_token": 1.375e-06, "output_cost_per_token": 1.1e-05},
    "bedrock/big": {"litellm_provider": "bedrock", "input_cost_per_token": 9e-06, "output_cost_per_token": 9e-06},
    "vectors": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 2e-08},
}  # fmt: skip
GENAI = [
    {
        "id": "anthropic",
        "models": [
            {
                "id": "large-4-6", "match": {"or": [{"starts_with": "large-4-6"}, {"equals": "large-latest"}]},
                "prices": [
                    {"prices": {
                        "input_mtok": {"base": 5, "tiers": [{"start": 200000, "price": 10}]},
                        "cache_read_mtok": {"base": 0.5, "tiers": [{"start": 200000, "price": 1}]},
                        "output_mtok": {"base": 25, "tiers": [{"start": 200000, "price": 37.5}]}, "requests_kcount": 10,
                    }},
                    {"constraint": {"start_date": "2026-03-13"}, "prices": {"input_mtok": 5, "output_mtok": 25}},
                    {"constraint": {"start_time": "16:30:00Z"}, "prices": {"input_mtok": 1, "output_mtok": 1}},
                ],
            },
        ],
    },
]  # fmt: skip
MODELS_DEV = {
    "openai": {
        "id": "openai",
        "models": {
            "big": {"cost": {
                "input": 2, "output": 10, "reasoning": 12, "cache_read": 0.1, "input_audio": 30,
                "tiers": [{"tier": {"type": "context", "size": 272000}, "input": 4, "output": 15, "cache_read": 0.2}],
                "context_over_200k": {"input": 4, "output": 15},
            }},
            "old": {"cost": {"input": 2, "output": 10, "context_over_200k": {"input": 4, "output": 15}}},
            "free": {},
        },
    },
}  # fmt: skip


def read(value: Any, *models: str) -> Listed:
    return listed(json.dumps(value).encode(), "list.json", models, DAY)


def usd(
    found: Listed, usage: Usage, *, kind: str = "openai", day: date = DAY, model: str = "big", **place: str
) -> Decimal:
    price = PriceBook(found.rows).price(Place(model=model, kind=kind, **place), day)
    assert price is not None
    return cost_usd(price, usage) * 10**6


def test_litellm_says_lengths_services_and_lifetimes_in_the_names_of_its_keys() -> None:
    found = read(LITELLM, "big")
    assert usd(found, Usage(input=1_000, output=100)) == 1_250 + 1_000
    assert usd(found, Usage(cache_read=1_000, cache_write=1_000, cache_write_1h=1_000)) == 125 + 1_500 + 2_000
    assert usd(found, Usage(media=Media(audio_input=10))) == 400
    assert usd(found, Usage(input=272_000)) == 340_000
    assert usd(found, Usage(input=272_001, output=10)) == Decimal("2.5") * 272_001 + 150
    assert usd(found, Usage(input=1_000, output=100, service="priority")) == 2_500 + 2_000
    # Of the long priority rates only the input's is named: the output costs as any long request's.
    assert usd(found, Usage(input=300_000, output=100, service="priority")) == 1_500_000 + 1_500
    assert usd(found, Usage(input=1_000, output=100, service="batch")) == 625 + 1_000


def test_litellm_names_regions_before_the_model_and_providers_that_are_none_of_ours() -> None:
    found = read(LITELLM, "big", "vectors")
    assert usd(found, Usage(input=1_000_000), kind="azure_openai", region="eu") == 1_375_000
    assert len(found.rows) == 3 and not found.notes
    assert [left for left in found.left_out if "bedrock" in left]
    assert usd(found, Usage(input=1_000_000), model="vectors") == 20_000


def test_genai_prices_begin_on_a_day_and_stand_for_every_name_that_matches() -> None:
    found = read(GENAI, "large-4-6-20260201", "large-latest", "small")
    long = Usage(input=200_001, output=0)
    for name in ("large-4-6-20260201", "large-latest"):
        assert usd(found, long, kind="anthropic", model=name, day=date(2026, 3, 12)) == 2_000_010
        assert usd(found, long, kind="anthropic", model=name, day=date(2026, 3, 13)) == 1_000_005
    assert len(found.rows) == 4
    assert any("requests_kcount" in note for note in found.notes)
    assert found.left_out == ("small: the list has no price for it",)


def test_models_dev_says_where_long_requests_begin_or_it_is_said_that_it_does_not() -> None:
    found = read(MODELS_DEV, "big", "old", "free")
    assert usd(found, Usage(input=250_000, reasoning=100)) == 500_000 + 1_200
    assert usd(found, Usage(input=272_001)) == 4 * 272_001
    assert usd(found, Usage(input=200_001), model="old") == 4 * 200_001
    assert len(found.notes) == 1 and "old" in found.notes[0]
    assert found.left_out == ("free: the list has no price for it",)


@pytest.mark.parametrize("value", [LITELLM, GENAI, MODELS_DEV], ids=["litellm", "genai", "models.dev"])
def test_what_is_written_is_read_as_the_same_rows(value: Any) -> None:
    found = read(value, "big", "old", "vectors", "large-latest")
    assert found.rows and config.parse(written(found.rows)).price == found.rows
    assert all(row.origin == "list" and "SHA-256" in row.source and row.as_of == "2026-11-21" for row in found.rows)


def test_a_list_whose_prices_cannot_be_is_refused_and_a_negative_one_is_left_out() -> None:
    negative = {"big": LITELLM["big"] | {"output_cost_per_token": -1e-05}}  # type: ignore[operator]
    assert read(negative, "big").rows == () and "0 or more" in read(negative, "big").left_out[0]
    text = json.dumps(LITELLM).replace("1e-05", "1e999999")
    with pytest.raises(ConfigError, match="no price"):
        listed(text.encode(), "list.json", ["big"], DAY)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[1, 2]",
        b"{}",
        b'{"a": {"models": 7}}',
        b'[{"models": 3}]',
        b"\xff\xfe",
        b"NaN",
        b'{"big": NaN}',
        b"[" * 10**5,
    ],
)
def test_what_is_no_list_of_prices_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError):
        listed(data, "list.json", ["big"], DAY)


def test_odd_members_are_passed_over() -> None:
    odd = {"openai": {"models": {"big": {"cost": {"input": 2, "output": 10, "tiers": [7, {"tier": 3}, {}]}}, "x": 1}}}
    assert usd(read(odd, "big"), Usage(input=1)) == 2
    assert isinstance(read(odd, "big").rows[0], PriceRow)
    nested = {
        "id": "x",
        "match": {"or": [{"or": [{"starts_with": "b"}]}, {"regex": ".*"}]},
        "prices": {"input_mtok": 1},
    }
    assert usd(read([{"id": "openai", "models": [nested]}], "big"), Usage(input=1)) == 1
