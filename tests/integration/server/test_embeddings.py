"""Vectors through the gateway, with the official client: judged, counted and priced like any other call."""

import json
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.integration.server.conftest import Door, opened_door
from tierwise.config import Document, Settings
from tierwise.core.label import Tier
from tierwise.core.usage import Price
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import Script, ScriptedUpstream

PRICE = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(0))
TEXTS = ["one two three", "four"]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home: Path = tmp_path_factory.mktemp("vectors")
    with ScriptedUpstream.in_thread(models=("v",)) as upstream:
        endpoints = (
            EndpointRow(name="near", kind="scripted", url=upstream.url),
            EndpointRow(name="far", kind="scripted", url=upstream.url, tier=Tier.FRONTIER),
        )
        models = (
            ModelRow(id="near-v", endpoint="near", served_name="v", capabilities=("embeddings",)),
            ModelRow(id="far-v", endpoint="far", served_name="v", capabilities=("embeddings",), price=PRICE),
            ModelRow(id="words", endpoint="near", served_name="v"),
            ModelRow(id="numbers", endpoint="near", served_name="v?fault=only_floats", capabilities=("embeddings",)),
        )
        with opened_door(Settings(document=Document(endpoint=endpoints, model=models), home=home), upstream) as door:
            yield door


@pytest.fixture(scope="module")
def client(door: Door) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{door.port}/v1", api_key="k", max_retries=0) as client:
        yield client


def recorded(door: Door, head: Any) -> dict[str, Any]:
    ident = head["x-tierwise-decision"]
    with urllib.request.urlopen(f"http://127.0.0.1:{door.port}/v1/decisions/{ident}") as answer:
        return dict(json.load(answer))


@pytest.mark.parametrize("model", ["near-v", "numbers"])
def test_floats_and_base64_are_the_same_vectors_whatever_the_server_knows(client: openai.OpenAI, model: str) -> None:
    as_floats = client.embeddings.create(model=model, input=TEXTS, encoding_format="float")
    as_text = client.embeddings.create(model=model, input=TEXTS)  # this client asks for base64 and turns it into floats
    assert len(as_floats.data) == len(TEXTS)
    for one, other in zip(as_floats.data, as_text.data, strict=True):
        assert other.embedding == pytest.approx(one.embedding, rel=1e-6)
    assert as_floats.data[0].embedding != as_floats.data[1].embedding


def test_it_is_counted_and_priced(door: Door, client: openai.OpenAI) -> None:
    raw = client.embeddings.with_raw_response.create(model="far-v", input=TEXTS)
    told = recorded(door, raw.headers)
    assert raw.parse().usage.prompt_tokens == 4
    assert (told["attempts"][0]["usage"]["input"], told["attempts"][0]["usage"]["output"]) == (4, 0)
    assert Decimal(str(told["total_cost_usd"])) == Decimal("0.000008")


def test_a_marked_text_is_not_turned_into_numbers_outside(door: Door, client: openai.OpenAI) -> None:
    before = len(door.upstream.asked)
    with pytest.raises(openai.PermissionDeniedError):
        client.embeddings.create(model="far-v", input=["fine", "my card is 4929 7315 8642 0978"])
    assert len(door.upstream.asked) == before
    raw = client.embeddings.with_raw_response.create(model="auto", input="my card is 4929 7315 8642 0978")
    assert recorded(door, raw.headers)["attempts"][0]["endpoint"] == "near"


def test_models_for_words_make_no_vectors_and_the_other_way_round(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="cannot do embeddings"):
        client.embeddings.create(model="words", input="a")
    with pytest.raises(openai.BadRequestError, match="makes embeddings only"):
        client.chat.completions.create(model="near-v", messages=[{"role": "user", "content": "a"}])


def test_another_endpoint_is_tried_where_one_fails(door: Door, client: openai.OpenAI) -> None:
    door.upstream.script(Script(fault="error", status=503), Script(fault="error", status=503))
    raw = client.embeddings.with_raw_response.create(model="auto", input="a")
    told = recorded(door, raw.headers)
    assert told["outcome"] == "answered"
    assert [attempt["verdict"] for attempt in told["attempts"]] == ["retry_same", "retry_same", "ok"]
    assert told["attempts"][0]["endpoint"] == told["attempts"][1]["endpoint"] != told["attempts"][2]["endpoint"]
