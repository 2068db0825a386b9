"""Does a tensorzero.toml mean here what it meant there?"""

import pytest

from tests.unit.cli.imports.test_litellm import rules_of
from tierwise.cli.imports.draft import Draft
from tierwise.cli.imports.tensorzero import draft
from tierwise.cli.imports.written import written
from tierwise.core.errors import ConfigError

MODEL = """
[models.mini]
routing = ["first", "second"]
[models.mini.providers.second]
type = "vllm"
model_name = "q"
api_base = "http://gpu:8000/v1/"
[models.mini.providers.first]
type = "openai"
model_name = "gpt-x"
api_key_location = "env::MY_KEY"
timeouts.streaming.ttft_ms = 1500
"""


def imported(text: str) -> Draft:
    return draft(text, "tensorzero.toml", {})


def test_routing_is_the_order_and_callers_keep_their_names() -> None:
    rules = rules_of(imported(MODEL))
    workflow = rules.workflows["mini"]
    assert [rules.catalog.models[name].served_name for name in workflow.candidates] == ["gpt-x", "q"]
    assert list(workflow.weights.values()) == [1, 0]
    assert workflow.claims("tensorzero::model_name::mini", None)
    first = rules.catalog.endpoints["openai"]
    assert (first.key_ref, first.limits.first_byte_timeout_s) == ("env:MY_KEY", 1.5)
    assert rules.catalog.endpoints["vllm"].url == "http://gpu:8000/v1"


def test_variants_share_by_weight_and_name_models_in_short() -> None:
    rules = rules_of(
        imported(
            MODEL
            + """
[functions.write.variants.a]
type = "chat_completion"
model = "mini"
weight = 3
retries.num_retries = 2
[functions.write.variants.b]
type = "chat_completion"
model = "anthropic::claude-x"
weight = 1
[functions.write.variants.spare]
type = "chat_completion"
model = "groq::m"
"""
        )
    )
    workflow = rules.workflows["write"]
    assert workflow.claims("tensorzero::function_name::write", None)
    assert workflow.weights == {"mini-first": 3, "mini-second": 0, "claude-x": 1, "m": 0}
    assert rules.fallback.retries_same == 2


def test_embeddings_and_the_listener() -> None:
    text = '[gateway]\nbind_address = "0.0.0.0:3000"\n[embedding_models.e.providers.o]\ntype = "openai"\nmodel_name = "t"\n'
    made = imported(text)
    assert rules_of(made).catalog.models["e"].capabilities == {"embeddings"}
    assert made.sections["server"].fields == {"port": 3000}
    assert "[[key]]" in " ".join(made.notes)


@pytest.mark.parametrize(
    ("location", "key"),
    [
        ('"env::A"', "env:A"),
        ('"none"', None),
        ('"dynamic::a"', None),
        ('"path::/hidden"', None),
        ('{ default = "env::A", fallback = "env::B" }', "env:A"),
        ('"sk-hidden"', "env:TIERWISE_VLLM_KEY"),
    ],
)
def test_where_a_key_comes_from(location: str, key: str | None) -> None:
    made = imported(MODEL.replace('model_name = "q"', f'model_name = "q"\napi_key_location = {location}'))
    assert made.endpoints["vllm"].fields.get("key") == key
    assert "hidden" not in written(made)


def test_what_has_no_counterpart_is_named() -> None:
    text = written(
        imported(MODEL + '[functions.f.variants.x]\ntype = "experimental_mixture_of_n"\n[metrics.m]\ntype = "boolean"\n[models.mini.odd]\na = 1\n')
    )  # fmt: skip
    for named in ("functions.f.variants.x", "experimental_mixture_of_n", "metrics", "odd"):
        assert named in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a =\nb = 1", "line 1"),
        ("a = 1", "neither models nor functions"),
        ('[models.m]\nrouting = ["x"]', "models.m.routing names the provider 'x'"),
        ("[models.m.providers.p]\nmodel_name = 'a'", "models.m.providers.p needs type"),
        ("[models]\nm = 1", "models.m must be a table"),
    ],
)
def test_wrong_input_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        imported(text)
