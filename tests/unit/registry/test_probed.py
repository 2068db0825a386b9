"""What a probe takes away from a model, and when it no longer counts."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.label import Tier
from tierwise.core.model import Endpoint, EngineOptions, Model
from tierwise.registry.load import load
from tierwise.registry.probed import Finding, Probed, current, narrowed, outdated, renamed, row_digest, unprobed
from tierwise.registry.settings import EndpointRow, ModelRow

ENDPOINT = Endpoint(name="e", kind="vllm", wires=("chat",), tier=Tier.LOCAL, url="http://127.0.0.1:1/v1")
MODEL = Model(
    id="m", endpoint="e", served_name="m", context_tokens=8_000,
    capabilities=frozenset({"stream", "schema", "tools", "logprobs", "json"}),
)  # fmt: skip


def probed(*found: tuple[str, str], **more: Any) -> Probed:
    findings = tuple(Finding(check=c, verdict=v, detail="", wire="chat") for c, v in found)  # type: ignore[arg-type]
    row = row_digest(ENDPOINT, MODEL)
    return Probed(model="m", endpoint="e", row=row, at="2026-11-21T08:00:00Z", findings=findings, **more)


@pytest.mark.parametrize("check", ["schema", "tools", "logprobs"])
@pytest.mark.parametrize("verdict", ["ignored", "refused"])
def test_what_is_not_done_is_no_longer_promised(check: str, verdict: str) -> None:
    model = narrowed(MODEL, probed((check, verdict)))
    assert MODEL.capabilities - model.capabilities == {check}
    assert list(model.lacks) == [check]
    assert "2026-11-21" in "".join(model.lacks.values())


def test_one_wire_that_fails_is_enough() -> None:
    good, bad = (
        Finding(check="schema", verdict=v, detail="", wire=w) for v, w in (("honoured", "a"), ("ignored", "b"))
    )  # type: ignore[arg-type]
    model = narrowed(MODEL, msgspec.structs.replace(probed(), findings=(good, bad)))
    assert "schema" not in model.capabilities
    assert "on b" in model.lacks["schema"]


@given(st.sampled_from(["stop", "max_tokens", "stream_usage", "repeats", "context", "schema", "tools", "logprobs"]))
def test_what_is_unclear_or_done_takes_nothing_away(check: str) -> None:
    assert narrowed(MODEL, probed((check, "unclear"))) == MODEL
    assert narrowed(MODEL, probed((check, "honoured"))) == MODEL


@pytest.mark.parametrize(("row", "read", "left"), [(8_000, 2_048, 2_048), (None, 2_048, 2_048), (1_000, 2_048, 1_000)])
def test_a_cut_prompt_lowers_the_context_and_never_raises_it(row: int | None, read: int, left: int) -> None:
    model = narrowed(msgspec.structs.replace(MODEL, context_tokens=row), probed(read_tokens=read))
    assert model.context_tokens == left
    assert ("2026-11-21" in model.context_note) == (left != row)


@pytest.mark.parametrize(
    ("endpoint", "model"),
    [
        ({"url": "http://127.0.0.1:2/v1"}, {}),
        ({"wires": ("responses", "chat")}, {}),
        ({}, {"served_name": "other"}),
        ({}, {"context_tokens": 4_000}),
        ({}, {"capabilities": frozenset({"stream"})}),
    ],
)
def test_a_changed_row_makes_it_stale_and_stale_changes_nothing(
    endpoint: dict[str, Any], model: dict[str, Any]
) -> None:
    now, served = msgspec.structs.replace(ENDPOINT, **endpoint), msgspec.structs.replace(MODEL, **model)
    result = probed(("schema", "ignored"), read_tokens=10)
    assert not current(result, ENDPOINT, MODEL).stale
    old = current(result, now, served)
    assert "row has changed" in old.stale
    assert narrowed(served, old) == served


def test_a_name_a_price_or_a_key_do_not_change_what_was_measured() -> None:
    other = msgspec.structs.replace(ENDPOINT, region="eu", key_ref="env:X", sla="99")
    assert row_digest(other, MODEL) == row_digest(ENDPOINT, MODEL)


@pytest.mark.parametrize(("version", "now", "stale"), [("1", "2", True), ("1", "1", False), ("1", None, False)])
def test_another_version_makes_it_stale(version: str, now: str | None, stale: bool) -> None:
    found = outdated([probed(version=version)], {"e": now})
    assert [one.stale != "" for one in found] == [True] * stale
    assert not outdated([probed()], {"e": "2"})  # of a server that told none, none can differ


def test_the_catalog_holds_the_narrowed_model_and_the_result() -> None:
    endpoints = (EndpointRow(name="e", kind="vllm", tier=Tier.LOCAL, url=ENDPOINT.url),)
    models = (ModelRow(id="m", endpoint="e", context_tokens=8_000),)
    promised = load(endpoints, models, lambda _: None)
    row = row_digest(promised.endpoints["e"], promised.models["m"])
    result = msgspec.structs.replace(probed(("tools", "ignored"), read_tokens=100), row=row)
    found = load(endpoints, models, lambda _: None, [result, msgspec.structs.replace(result, model="gone")])
    assert "tools" in promised.models["m"].capabilities
    assert "tools" not in found.models["m"].capabilities
    assert found.models["m"].context_tokens == 100
    assert found.probes == {"m": result}
    assert found.digest != promised.digest


@pytest.mark.parametrize(
    ("before", "now", "stale"), [("m-1", "m-2", True), ("m-1", "m-1", False), (None, "m-2", False)]
)
def test_answers_under_another_name_make_it_stale(before: str | None, now: str, stale: bool) -> None:
    assert bool(renamed([probed(served_model=before)], {"m": now})) is stale
    assert not renamed([probed(served_model=before)], {"other": now})
    assert not renamed([probed(served_model=before, stale="already")], {"m": now})
    assert probed().ts == 1_795_248_000.0


def test_what_says_only_labels_or_numbers_is_not_probed() -> None:
    assert unprobed(ENDPOINT, MODEL) is None
    words = msgspec.structs.replace(ENDPOINT, engine=EngineOptions(file="x", format="linear"))
    assert "nothing but its labels" in (unprobed(words, MODEL) or "")
    assert unprobed(msgspec.structs.replace(words, engine=EngineOptions(file="x")), MODEL) is None
    assert "embeddings" in (
        unprobed(ENDPOINT, msgspec.structs.replace(MODEL, capabilities=frozenset({"embeddings"}))) or ""
    )
