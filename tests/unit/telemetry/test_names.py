"""Every name that can leave is one that its convention knows, of the type, instrument and unit it has there."""

import inspect
import tomllib
from typing import Any, get_args

import pytest
from openinference.semconv.trace import OpenInferenceSpanKindValues, SpanAttributes
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as released
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import error_attributes, server_attributes

from tests.architecture.tree import ROOT
from tests.unit.telemetry.samples import EMBEDDED, KNOWN, NAMINGS, PROFILES, REFUSED, WHOLE
from tierwise.registry.kinds import kinds
from tierwise.router.choose import Strategy
from tierwise.telemetry.causes import STRATEGIES
from tierwise.telemetry.families import Family
from tierwise.telemetry.metrics import Metrics
from tierwise.telemetry.names import ATTRIBUTES, METRICS, Naming, naming
from tierwise.telemetry.spans import Span, spans

FACTS = tomllib.loads((ROOT / "tests/reference/genai.toml").read_text("utf-8"))
V141 = {value for name, value in vars(released).items() if name.startswith("GEN_AI_") and isinstance(value, str)}
SHARED = {error_attributes.ERROR_TYPE, server_attributes.SERVER_ADDRESS, server_attributes.SERVER_PORT}
TYPES = {"string": str, "int": int, "boolean": bool, "double": float}
OURS = "tierwise."


def made(chosen: Naming) -> list[Span]:
    return [span for decision in (WHOLE, EMBEDDED, REFUSED) for span in spans(decision, 1.2, KNOWN, chosen)]


def counted(chosen: Naming) -> list[Family]:
    metrics = Metrics(KNOWN)
    for decision in (WHOLE, EMBEDDED, REFUSED):
        metrics.count(decision, 1.2)
    return list(metrics.conventions(chosen))


def conventional(names: Any) -> set[str]:
    return {name for name in names if name.startswith("gen_ai.")}


@pytest.mark.parametrize("chosen", NAMINGS, ids=repr)
def test_no_span_has_a_name_that_its_convention_does_not_know(chosen: Naming) -> None:
    for span in made(chosen):
        operation = "embeddings" if span.attributes.get("gen_ai.operation.name") == "embeddings" else "inference"
        registry = V141 if chosen.profile == "v1.41" else set(FACTS["latest"][operation])
        assert not conventional(span.attributes) - registry
        own = {name for name in span.attributes if name.startswith(OURS)}
        other = set(span.attributes) - conventional(span.attributes) - own - SHARED
        assert not other if not chosen.openinference else other <= set(vars(SpanAttributes).values())


@pytest.mark.parametrize("chosen", NAMINGS, ids=repr)
def test_no_span_of_an_attempt_lacks_what_is_required(chosen: Naming) -> None:
    attempts = [span for span in made(chosen) if span.kind == "client"]
    assert len(attempts) == 3
    for span in attempts:
        required = FACTS["latest" if chosen.profile == "latest" else "v1_41"]["span_required"]
        assert set(required) <= set(span.attributes)
        assert "gen_ai.request.model" in span.attributes
        assert ("server.address" in span.attributes) == ("server.port" in span.attributes)
        assert ("error.type" in span.attributes) == span.failed
        assert span.name == f"{span.attributes['gen_ai.operation.name']} {span.attributes['gen_ai.request.model']}"


def test_the_values_have_the_types_and_the_words_of_the_convention() -> None:
    latest = FACTS["latest"]
    for span in made(naming("latest")):
        for name in conventional(span.attributes):
            assert type(span.attributes[name]) is TYPES[latest["inference"][name]]
        assert span.attributes.get("gen_ai.operation.name", "chat") in latest["operations"]
        assert span.attributes.get("gen_ai.output.type", "json") in latest["output_types"]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_metric_is_known_with_its_instrument_unit_buckets_and_attributes(profile: Any) -> None:
    facts = FACTS["latest" if profile == "latest" else "v1_41"]
    families = counted(naming(profile))
    assert {family.name for family in families} == set(facts["metric"])
    for family in families:
        fact = facts["metric"][family.name]
        assert (family.kind, family.unit) == (fact["instrument"], fact["unit"])
        assert list(family.bounds) == fact.get("buckets", list(family.bounds))
        for point in family.points:
            assert {*facts["metric_required"], *fact.get("required", ())} <= set(point.labels)
            unknown = conventional(point.labels) - {*V141, "gen_ai.token.modality"}
            assert not unknown
            assert point.labels.get("gen_ai.token.modality", "text") in FACTS["latest"]["modalities"]


def test_the_released_metrics_are_those_of_the_package() -> None:
    for family in counted(naming("v1.41")):
        factory = "create_" + family.name.replace(".", "_")
        assert f'unit="{family.unit}"' in inspect.getsource(getattr(gen_ai_metrics, factory))


def test_the_table_has_no_name_that_neither_registry_knows() -> None:
    for row in ATTRIBUTES:
        assert row.v141 is None or row.v141 in V141 | SHARED or row.v141.startswith(OURS), row
        latest = row.latest or row.v141
        assert latest is None or latest in {*FACTS["latest"]["inference"], *SHARED} or latest.startswith(OURS), row
        assert set(row.openinference) <= set(vars(SpanAttributes).values()), row
    assert len({row.fact for row in ATTRIBUTES}) == len(ATTRIBUTES)
    assert len({row.fact for row in METRICS}) == len(METRICS)


def test_openinference_kinds_are_its_own() -> None:
    known = {kind.value for kind in OpenInferenceSpanKindValues}
    told = [span.attributes["openinference.span.kind"] for span in made(naming("v1.41", openinference=True))]
    assert set(told) == {"CHAIN", "LLM", "EMBEDDING"} <= known


def test_a_kind_that_the_conventions_know_has_their_name_for_it() -> None:
    known = set(FACTS["latest"]["providers"])
    named = {row.genai_provider or row.kind for row in kinds().values()}
    assert {
        "openai",
        "anthropic",
        "azure.ai.openai",
        "gcp.gemini",
        "mistral_ai",
        "x_ai",
        "groq",
        "deepseek",
    } <= named & known
    squeezed = {name.replace("_", "").replace(".", "") for name in known - named}
    assert not {name.replace("_", "") for name in named - known} & squeezed


def test_the_strategies_are_those_of_the_router() -> None:
    assert {*get_args(Strategy), "pinned"} == STRATEGIES


def test_the_facts_name_their_sources() -> None:
    assert all(part["source"] and part["as_of"] for part in FACTS.values())
