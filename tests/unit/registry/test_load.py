"""Rows become a catalog, or an error that names the mend."""

import datetime
from decimal import Decimal
from typing import Any

import pytest

from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.core.prices import PriceRow, Prices
from tierwise.core.secret import Secret
from tierwise.core.usage import Price
from tierwise.providers.address import Address, parse
from tierwise.registry.catalog import Catalog
from tierwise.registry.kinds import kinds, known_models, known_prices, wire_names
from tierwise.registry.load import load, nearest
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.wires import count_tokens
from tierwise.wires.known import ENDPOINTS

KEYS = {"env:OPENAI_API_KEY": Secret("sk-x")}


def build(*endpoints: EndpointRow, models: tuple[ModelRow, ...] = ()) -> Catalog:
    return load(endpoints, models, KEYS.get)


KINDS = {
    "embedded", "classifier", "ollama", "lmstudio", "llamacpp", "vllm", "sglang", "tgi", "openai", "azure_openai", "anthropic", "gemini",
    "mistral", "openrouter", "groq", "together", "deepseek", "xai", "openai_compatible", "anthropic_compatible", "scripted",
}  # fmt: skip


def test_every_shipped_row_has_a_source_and_a_date() -> None:
    assert set(kinds()) == KINDS
    for row in kinds().values():
        assert row.source
        assert datetime.date.fromisoformat(row.as_of)
    for model in known_models():
        assert set(model.kinds) <= set(kinds())
        assert set(model.capabilities) <= {can for kind in model.kinds for can in kinds()[kind].capabilities}


def test_every_shipped_price_has_a_source_and_a_date_and_is_of_a_kind() -> None:
    assert {model.served_name for model in known_models()} == {row.model for row in known_prices()}
    for row in known_prices():
        assert row.source and datetime.date.fromisoformat(row.as_of)
        assert row.origin == "list" and row.kinds and set(row.kinds) <= set(kinds())


def test_a_price_in_the_models_row_goes_before_a_contract_and_that_before_the_list() -> None:
    endpoint = EndpointRow(name="outside", kind="openai", region="eu")

    def rate(usd: int, **facts: Any) -> PriceRow:
        plain = {"input_usd_per_mtok": Decimal(usd), "output_usd_per_mtok": Decimal(usd)}
        return PriceRow(model="gpt-6.1-sol", **plain, **facts)

    def price(*rows: PriceRow, day: datetime.date = datetime.date.max, written: Price | None = None) -> Price | None:
        model = ModelRow(id="sol", endpoint="outside", served_name="gpt-6.1-sol", price=written)
        found = load([endpoint], [model], KEYS.get, prices=Prices(rows=rows, day=day))
        return found.models["sol"].price

    contract = rate(7, starts=datetime.date(2026, 12, 1))
    elsewhere = rate(6, region="us")
    listed, dear = price(elsewhere), Price(input_usd_per_mtok=Decimal(9), output_usd_per_mtok=Decimal(9))
    assert listed is not None and listed.input_usd_per_mtok == 2
    assert price(contract) == contract
    assert price(contract, day=datetime.date(2026, 11, 30)) == listed
    assert price(contract, written=dear) == dear


def test_every_row_speaks_wires_that_there_are_and_each_wire_is_spoken() -> None:
    assert wire_names() == set(ENDPOINTS) - {count_tokens.WIRE}  # which is a column of its own: `counts`
    for row in kinds().values():
        assert row.wires
        assert row.wires[0] != "embeddings"
        assert not set(row.wires) & set(row.also)
        assert row.context_wire in (None, *row.wires)


def test_every_row_can_be_an_endpoint() -> None:
    for row in kinds().values():
        url = None if row.url or row.embedded else "https://there.example/v1"
        tier = Tier.SELF_HOSTED if row.tier in (None, Tier.LOCAL) and url else None
        file = "m.gguf" if row.embedded else None
        built = build(EndpointRow(name="a", kind=row.kind, url=url, tier=tier, file=file)).endpoints["a"]
        assert (built.wires, built.key_header, built.tier) == (row.wires, row.key_header, tier or row.tier)
        parse(Address(url=built.url or "http://127.0.0.1:1"))
        if row.key_env and row.tier is Tier.FRONTIER:
            assert row.url is None or row.url.startswith("https://")
    assert {row.kind for row in kinds().values() if row.tier is Tier.FRONTIER and not row.url} == {"azure_openai"}


def test_an_endpoint_may_add_what_its_server_also_speaks() -> None:
    (endpoint,) = build(EndpointRow(name="a", kind="llamacpp", wires=("messages", "chat"))).endpoints.values()
    assert endpoint.wires == ("messages", "chat")
    (endpoint,) = build(EndpointRow(name="a", kind="ollama", wires=("chat",))).endpoints.values()
    assert (endpoint.wires, endpoint.context_wire) == (("chat",), None)
    anything = EndpointRow(
        name="a", kind="openai_compatible", url="https://x.example/v1", tier=Tier.FRONTIER, wires=("gemini", "messages")
    )
    assert build(anything).endpoints["a"].wires == ("gemini", "messages")


def test_a_known_model_brings_its_price_and_a_written_price_wins() -> None:
    endpoint = EndpointRow(name="outside", kind="openai")
    served = known_models()[0].served_name
    known = build(endpoint, models=(ModelRow(id=served, endpoint="outside"),)).models[served]
    assert known.price == known_prices()[0]
    own = Price(input_usd_per_mtok=Decimal("0.5"), output_usd_per_mtok=Decimal(1))
    mine = build(endpoint, models=(ModelRow(id="mine", endpoint="outside", served_name=served, price=own),))
    assert mine.models["mine"].price == own
    assert mine.endpoints["outside"].tier is Tier.FRONTIER
    assert mine.endpoints["outside"].key == Secret("sk-x")


def test_a_missing_key_is_said_not_raised() -> None:
    catalog = build(EndpointRow(name="outside", kind="openai", key="env:OTHER"))
    assert "env:OTHER" in catalog.unusable["outside"]


WRONG = [
    ((EndpointRow(name="a", kind="olama"),), (), "did you mean 'ollama'"),
    ((EndpointRow(name="a", kind="ollama"), EndpointRow(name="a", kind="vllm")), (), "two endpoints"),
    ((EndpointRow(name="a", kind="openai", key="sk-live-1"),), (), "reference"),
    ((EndpointRow(name="a", kind="openai_compatible", tier=Tier.SELF_HOSTED),), (), "url"),
    ((EndpointRow(name="a", kind="openai_compatible", url="http://10.0.0.8:1/v1"),), (), "tier"),
    ((EndpointRow(name="a", kind="ollama", url="http://10.0.0.8:11434/v1"),), (), "tier"),
    ((EndpointRow(name="a", kind="ollama", url="http://10.0.0.8:11434/v1", tier=Tier.LOCAL),), (), "this machine"),
    ((EndpointRow(name="a", kind="vllm", tier=Tier.LOCAL, url="http://u:p@127.0.0.1/v1"),), (), "user"),
    ((EndpointRow(name="a", kind="embedded"),), (), "file"),
    ((EndpointRow(name="a", kind="ollama", file="x.gguf"),), (), 'only kind "embedded" or "classifier" takes a file'),
    ((EndpointRow(name="a", kind="classifier"),), (), 'kind "classifier" needs file'),
    ((EndpointRow(name="a", kind="classifier", file="x", url="http://127.0.0.1/v1"),), (), "takes no url"),
    ((EndpointRow(name="a", kind="vllm", wires=("mesages",)),), (), "unknown wire 'mesages'; did you mean 'messages'"),
    ((EndpointRow(name="a", kind="tgi", wires=("messages",)),), (), "tgi does not speak 'messages'; there are chat"),
    ((EndpointRow(name="a", kind="vllm", wires=()),), (), "at least one"),
    ((EndpointRow(name="a", kind="vllm", wires=("chat", "chat")),), (), "each once"),
    ((EndpointRow(name="a", kind="azure_openai"),), (), "needs a url"),
    (
        (EndpointRow(name="a", kind="tgi"),),
        (ModelRow(id="m", endpoint="a", capabilities=("embeddings",)),),
        "cannot make embeddings",
    ),
    ((EndpointRow(name="near", kind="ollama"),), (ModelRow(id="m", endpoint="naer"),), "did you mean 'near'"),
    (
        (EndpointRow(name="a", kind="ollama"),),
        (ModelRow(id="m", endpoint="a"), ModelRow(id="m", endpoint="a")),
        "two models",
    ),
]


@pytest.mark.parametrize(("endpoints", "models", "told"), WRONG)
def test_wrong_rows_name_the_mend(endpoints: tuple[EndpointRow, ...], models: tuple[ModelRow, ...], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        build(*endpoints, models=models)
    assert "sk-live-1" not in str(caught.value)


def test_a_change_of_facts_changes_the_digest_and_a_key_does_not() -> None:
    one = build(EndpointRow(name="a", kind="ollama"))
    other = build(EndpointRow(name="a", kind="ollama", region="eu"))
    keyed = load([EndpointRow(name="a", kind="ollama", key="env:K")], (), lambda _ref: Secret("k"))
    assert one.digest != other.digest
    assert one.digest == keyed.digest


def test_a_long_list_of_names_says_that_it_goes_on() -> None:
    told = nearest("zzz", [f"model-{number:02}" for number in range(15)])
    assert told.endswith("model-11 and 3 more")
    assert nearest("zzz", ["one", "two"]) == "; there are one, two"
