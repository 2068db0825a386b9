"""Rows become a catalog, or an error that names the mend."""

from decimal import Decimal

import pytest

from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.core.secret import Secret
from tierwise.core.usage import Price
from tierwise.registry.catalog import Catalog
from tierwise.registry.kinds import kinds, known_models
from tierwise.registry.load import load
from tierwise.registry.settings import EndpointRow, ModelRow

KEYS = {"env:OPENAI_API_KEY": Secret("sk-x")}


def build(*endpoints: EndpointRow, models: tuple[ModelRow, ...] = ()) -> Catalog:
    return load(endpoints, models, KEYS.get)


def test_every_shipped_row_has_a_source_and_a_date() -> None:
    assert {"embedded", "ollama", "lmstudio", "llamacpp", "vllm", "openai", "openai_compatible", "scripted"} <= set(
        kinds()
    )
    assert all(row.source and row.as_of for row in kinds().values())
    assert all(m.price is not None and m.price.source and m.price.as_of for m in known_models())


def test_a_known_model_brings_its_price_and_a_written_price_wins() -> None:
    endpoint = EndpointRow(name="outside", kind="openai")
    served = known_models()[0].served_name
    known = build(endpoint, models=(ModelRow(id=served, endpoint="outside"),)).models[served]
    assert known.price == known_models()[0].price
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
    ((EndpointRow(name="a", kind="ollama", file="x.gguf"),), (), "embedded"),
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
