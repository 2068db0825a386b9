"""Counts of tokens for callers of the Messages wire: exact where the endpoint counts, else from above and said so."""

import json
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.integration.server.conftest import Door, opened_door
from tierwise.config import Document, Settings
from tierwise.core.label import Label, Tier
from tierwise.core.model import Capability
from tierwise.core.usage import Price
from tierwise.gateway.workflow import Workflow
from tierwise.policy.settings import LabelSettings, Rule, Then, When
from tierwise.providers.engine import installed
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import ScriptedUpstream

PRICE = Price(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(5))
ABLE: tuple[Capability, ...] = ("stream", "tools")
WORDS = "one two three four five six seven"
TOOL: Any = {"name": "look", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home: Path = tmp_path_factory.mktemp("counting")
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        far = EndpointRow(name="far", kind="scripted", url=upstream.url, wires=("messages",), tier=Tier.FRONTIER)
        endpoints = (
            EndpointRow(name="counts", kind="scripted", url=upstream.url, wires=("messages",)),
            EndpointRow(name="does-not", kind="anthropic_compatible", url=upstream.url, tier=Tier.LOCAL),
            far,
            EndpointRow(name="nowhere", kind="scripted", url=upstream.url + "/nowhere", wires=("messages",)),
            EndpointRow(name="gone", kind="scripted", url="http://127.0.0.1:9/v1", wires=("messages",)),
        )
        models = tuple(
            ModelRow(id=e.name, endpoint=e.name, served_name="m", capabilities=ABLE, price=PRICE if e is far else None)
            for e in endpoints
        )
        if installed():
            file = str(resources.files("tierwise.registry").joinpath("shipped/banking77/small.gguf"))
            endpoints += (EndpointRow(name="engine", kind="embedded", file=file),)
            models += (ModelRow(id="engine", endpoint="engine"),)
        with opened_door(Settings(document=Document(endpoint=endpoints, model=models), home=home), upstream) as door:
            yield door


@pytest.fixture(scope="module")
def client(door: Door) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{door.port}", api_key="k", max_retries=0) as client:
        yield client


def counted(client: anthropic.Anthropic, model: str, text: str = WORDS, **more: Any) -> tuple[int, dict[str, str]]:
    raw = client.messages.with_raw_response.count_tokens(
        model=model, messages=[{"role": "user", "content": text}], **more
    )
    return raw.parse().input_tokens, dict(raw.headers)


def recorded(door: Door, ident: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{door.port}/v1/decisions/{ident}") as answer:
        return dict(json.load(answer))


def test_an_endpoint_that_counts_is_asked_and_counts_what_it_will_read(door: Door, client: anthropic.Anthropic) -> None:
    tokens, head = counted(client, "counts", system="be brief", tools=[TOOL])
    turn: Any = [{"role": "user", "content": WORDS}]
    answer = client.messages.create(model="counts", max_tokens=9, messages=turn, system="be brief", tools=[TOOL])
    assert (tokens, head["x-tierwise-counted-by"]) == (answer.usage.input_tokens, "endpoint")
    record = recorded(door, head["x-tierwise-decision"])
    assert (record["outcome"], record["caller_wire"], record["attempts"][0]["wire"]) == (
        "answered", "count_tokens", "count_tokens",
    )  # fmt: skip
    sent = json.loads(door.upstream.asked[-2].body)
    assert (sent["model"], "max_tokens" in sent) == ("m", False)


def test_a_model_that_takes_no_schema_counts_a_request_that_has_one(client: anthropic.Anthropic) -> None:
    shape: Any = {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {}}}}
    _, head = counted(client, "counts", output_config=shape)
    assert head["x-tierwise-counted-by"] == "endpoint"


def test_a_count_outside_is_free_and_judged_as_any_other_request(door: Door, client: anthropic.Anthropic) -> None:
    tokens, head = counted(client, "far")
    assert (tokens, head["x-tierwise-cost-usd"]) == (7, "0")
    before = len(door.upstream.asked)
    with pytest.raises(anthropic.PermissionDeniedError):
        counted(client, "far", extra_headers={"x-tierwise-label": Label.RESTRICTED.value})
    assert len(door.upstream.asked) == before, "a label that may not leave is not counted outside either"


def test_where_nobody_counts_it_is_from_above_and_learns(door: Door, client: anthropic.Anthropic) -> None:
    before = len(door.upstream.asked)
    first, head = counted(client, "does-not")
    assert head["x-tierwise-counted-by"] == "estimate"
    assert len(door.upstream.asked) == before, "nobody is asked in vain"
    assert not {"x-tierwise-decision", "x-request-id", "request-id"} & head.keys(), "no id that cannot be looked up"
    turn: Any = [{"role": "user", "content": WORDS}]
    real = client.messages.create(model="does-not", max_tokens=9, messages=turn).usage.input_tokens
    second, _ = counted(client, "does-not")
    assert real <= second < first


@pytest.mark.parametrize("model", ["nowhere", "gone"])
def test_an_endpoint_that_fails_to_count_is_no_reason_to_fail(
    door: Door, client: anthropic.Anthropic, model: str
) -> None:
    tokens, head = counted(client, model)
    assert tokens >= len(WORDS.split())
    assert head["x-tierwise-counted-by"] == "estimate"
    record = recorded(door, head["x-tierwise-decision"])
    assert (record["outcome"], record["attempts"][0]["usage"]) == ("failed", None)


def test_what_is_no_request_is_refused_in_the_callers_words(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="there is no model"):
        counted(client, "nobody")
    with pytest.raises(anthropic.BadRequestError, match=r"messages\[0\]"):
        client.messages.count_tokens(model="counts", messages=[{"role": "user"}])  # type: ignore[typeddict-item]


@pytest.mark.skipif(not installed(), reason="the extra 'embedded' is not installed")
def test_the_embedded_engine_counts_exactly(client: anthropic.Anthropic) -> None:
    tokens, head = counted(client, "engine", "My card has not arrived yet.", system="Name the intent.")
    turn: Any = [{"role": "user", "content": "My card has not arrived yet."}]
    answer = client.messages.create(model="engine", max_tokens=4, messages=turn, system="Name the intent.")
    assert (tokens, head["x-tierwise-counted-by"]) == (answer.usage.input_tokens, "endpoint")


def test_a_count_stays_under_the_rules_of_its_workflow(tmp_path: Path) -> None:
    hidden = Rule(
        name="hide", when=When(tier=Tier.FRONTIER, workflow="clinic"), then=Then(obligations=("pseudonymise",))
    )
    open_to_all = LabelSettings(ceilings={Label.CONFIDENTIAL: Tier.FRONTIER, Label.RESTRICTED: Tier.FRONTIER})
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        far = EndpointRow(name="far", kind="scripted", url=upstream.url, wires=("messages",), tier=Tier.FRONTIER)
        document = Document(
            endpoint=(far,), model=(ModelRow(id="far", endpoint="far", served_name="m", price=PRICE),),
            workflow=(Workflow(name="clinic", label=Label.CONFIDENTIAL),), labels=open_to_all, rule=(hidden,),
        )  # fmt: skip
        with opened_door(Settings(document=document, home=tmp_path), upstream) as door:
            card = [{"role": "user", "content": "the card is 4024007134564847"}]
            status, answer = door.ask(
                json.dumps({"model": "auto:clinic", "messages": card}).encode(), path=b"/v1/messages/count_tokens"
            )
            ident = answer.partition(b"x-tierwise-decision: ")[2].partition(b"\r\n")[0].decode()
            record = recorded(door, ident)
    assert status == 200 and upstream.asked
    assert not [asked for asked in upstream.asked if b"4024007134564847" in asked.body]
    assert (record["workflow"], record["obligations"]) == ("clinic", ["pseudonymise"])
    assert {"source": "workflow", "label": "confidential"}.items() <= record["label"]["sources"][0].items()
