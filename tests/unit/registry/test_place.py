"""An endpoint is where its row says, unless what is known of its address, its kind or its models says otherwise."""

import datetime

import pytest

from tierwise.core.label import Tier
from tierwise.core.model import Endpoint, Model
from tierwise.registry.kinds import kinds, vendors
from tierwise.registry.load import load
from tierwise.registry.place import claim, host_of, outside
from tierwise.registry.settings import EndpointRow, ModelRow


def at(
    url: str, kind: str = "openai_compatible", tier: Tier = Tier.SELF_HOSTED, served: str = "m"
) -> tuple[Endpoint, Model]:
    found = load(
        [EndpointRow(name="e", kind=kind, url=url, tier=tier)],
        [ModelRow(id="m", endpoint="e", served_name=served)],
        lambda _: None,
    )
    return found.endpoints["e"], found.models["m"]


@pytest.mark.parametrize(
    ("url", "whose"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://EU.API.OpenAI.com/v1", "openai"),
        ("https://api.openai.com./v1", "openai"),
        ("https://api.openai.com:8443/v1", "openai"),
        ("https://ａpi.openai.com/v1", "openai"),
        ("https://mine.openai.azure.com/openai/v1", "azure_openai"),
        ("https://europe-west1-aiplatform.googleapis.com/v1", "gemini"),
        ("https://ollama.com/v1", "ollama"),
        ("https://api.fireworks.ai/inference/v1", "Fireworks"),
        ("https://bedrock-runtime.eu-central-1.amazonaws.com/v1", "Amazon Bedrock"),
    ],
)
def test_an_address_of_a_vendor_is_outside_however_it_is_written(url: str, whose: str) -> None:
    endpoint, model = at(url)
    assert f"{whose}'s" in outside(endpoint)
    assert not outside(at(url, tier=Tier.FRONTIER)[0], (model,))


@pytest.mark.parametrize(
    "url",
    [
        "https://models.example.internal/v1",
        "https://api.openai.com.example.internal/v1",
        "https://notopenai.com/v1",
        "https://ec2-1-2-3-4.compute.amazonaws.com/v1",
        "http://127.0.0.1:8000/v1",
        "http://[::1]:8000/v1",
    ],
)
def test_what_only_looks_like_one_is_believed(url: str) -> None:
    endpoint, model = at(url)
    assert outside(endpoint, (model,)) == ""


def test_a_kind_of_an_outside_api_is_outside_wherever_it_is_said_to_be() -> None:
    assert "by its kind anthropic" in outside(at("https://relay.example.internal/v1", kind="anthropic")[0])
    assert "by its kind openai" in outside(at("http://127.0.0.1:4000/v1", kind="openai", tier=Tier.LOCAL)[0])


@pytest.mark.parametrize(
    ("kind", "url", "served", "leaves"),
    [
        ("ollama", "http://127.0.0.1:11434/v1", "gpt-oss:120b-cloud", True),
        ("ollama", "http://127.0.0.1:9999/v1", "kimi-k2:cloud", True),
        ("ollama", "http://127.0.0.1:11434/v1", "Kimi-K2:CLOUD", True),
        ("openai_compatible", "http://127.0.0.1:11434/v1", "kimi-k2:cloud", True),
        ("openai_compatible", "http://127.0.0.1:9999/v1", "kimi-k2:cloud", False),
        ("vllm", "http://10.0.0.8:8000/v1", "acme/weather-cloud", False),
        ("ollama", "http://127.0.0.1:11434/v1", "cloud:8b", False),
    ],
)
def test_a_model_that_its_server_passes_on_is_outside(kind: str, url: str, served: str, leaves: bool) -> None:
    tier = Tier.LOCAL if "127" in url else Tier.SELF_HOSTED
    endpoint, model = at(url, kind, tier, served)
    assert ("ollama.com" in outside(endpoint, (model,))) is leaves
    assert outside(endpoint) == ""


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://models.example.internal/v1", "models.example.internal"),
        ("http://8.8.8.8:8000/v1", "8.8.8.8"),
        ("http://10.0.0.8:8000/v1", ""),
        ("http://localhost:8000/v1", ""),
        ("http://[fd00::1]:8000/v1", ""),
    ],
)
def test_a_server_of_yours_is_only_a_claim_where_its_address_does_not_say_it(url: str, host: str) -> None:
    endpoint, _ = at(url)
    assert claim(endpoint) == host
    assert claim(at(url, tier=Tier.FRONTIER)[0]) == ""


def test_the_host_is_the_one_that_is_connected_to() -> None:
    assert host_of(at("https://Müller.example/v1")[0]) == "xn--mller-kva.example"
    assert host_of(Endpoint(name="engine", kind="embedded", wires=("chat",), tier=Tier.LOCAL)) == ""


def test_every_outside_api_of_the_shipped_rows_has_a_domain_and_its_usual_address_lies_there() -> None:
    for row in kinds().values():
        if row.tier is Tier.FRONTIER:
            assert row.domains
            assert row.url is None or outside(at(row.url)[0]), row.kind
    assert all(domain == domain.lower() and not domain.startswith((".", "*")) for domain, _ in vendors())
    assert all(datetime.date.fromisoformat(row.as_of) for row in kinds().values())
