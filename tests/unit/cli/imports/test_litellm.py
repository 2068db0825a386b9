"""Does a LiteLLM file mean here what it meant there? Read back through our own loader."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tierwise import config
from tierwise.bootstrap import rules_from
from tierwise.cli.imports.draft import Draft
from tierwise.cli.imports.litellm import draft
from tierwise.cli.imports.written import written
from tierwise.core.errors import ConfigError
from tierwise.gateway.rules import Rules

LOCAL = {"model": "openai/served", "api_base": "http://127.0.0.1:9/v1"}


def imported(value: Any, environ: dict[str, str] | None = None) -> Draft:
    return draft(value if isinstance(value, str) else yaml.safe_dump(value), "config.yaml", environ or {})


def rules_of(made: Draft) -> Rules:
    """Load what would be written, without any variable set."""
    return rules_from(config.Settings(document=config.parse(written(made)), home=Path()))


def loaded(value: Any, environ: dict[str, str] | None = None) -> Rules:
    return rules_of(imported(value, environ))


def one(**parameters: Any) -> dict[str, Any]:
    return {"model_list": [{"model_name": "asked", "litellm_params": parameters}]}


@pytest.mark.parametrize(
    ("parameters", "kind", "url", "served", "tier"),
    [
        ({"model": "openai/gpt-x"}, "openai", "https://api.openai.com/v1", "gpt-x", "frontier"),
        ({"model": "gpt-x"}, "openai", "https://api.openai.com/v1", "gpt-x", "frontier"),
        (LOCAL, "openai_compatible", "http://127.0.0.1:9/v1", "served", "local"),
        ({"model": "openai/a/b", "api_base": "http://vllm:8000/v1/"}, "openai_compatible", "http://vllm:8000/v1", "a/b", "self_hosted"),
        ({"model": "openai/m", "api_base": "http://10.0.0.7/v1"}, "openai_compatible", "http://10.0.0.7/v1", "m", "self_hosted"),
        ({"model": "openai/m", "api_base": "https://llm.example.com/v1"}, "openai_compatible", "https://llm.example.com/v1", "m", "frontier"),
        ({"model": "who/knows", "api_base": "http://127.0.0.1:9/v1"}, "openai_compatible", "http://127.0.0.1:9/v1", "who/knows", "local"),
        ({"model": "azure/dep", "api_base": "https://r.openai.azure.com/"}, "azure_openai", "https://r.openai.azure.com/openai/v1", "dep", "frontier"),
        ({"model": "azure/dep", "api_base": "https://r.openai.azure.com/openai/deployments/dep/chat/completions?api-version=1"}, "azure_openai", "https://r.openai.azure.com/openai/v1", "dep", "frontier"),
        ({"model": "anthropic/claude-x"}, "anthropic", "https://api.anthropic.com/v1", "claude-x", "frontier"),
        ({"model": "claude-x"}, "anthropic", "https://api.anthropic.com/v1", "claude-x", "frontier"),
        ({"model": "anthropic/x", "api_base": "http://127.0.0.1:9"}, "anthropic_compatible", "http://127.0.0.1:9/v1", "x", "local"),
        ({"model": "gemini/g"}, "gemini", "https://generativelanguage.googleapis.com/v1beta", "g", "frontier"),
        ({"model": "ollama_chat/llama3:8b", "api_base": "http://localhost:11434"}, "ollama", "http://localhost:11434/v1", "llama3:8b", "local"),
        ({"model": "ollama/x", "api_base": "http://gpu:11434"}, "ollama", "http://gpu:11434/v1", "x", "self_hosted"),
        ({"model": "hosted_vllm/q/w", "api_base": "http://gpu:8000"}, "vllm", "http://gpu:8000/v1", "q/w", "self_hosted"),
        ({"model": "together_ai/m"}, "together", "https://api.together.ai/v1", "m", "frontier"),
        ({"model": "fireworks_ai/m"}, "openai_compatible", "https://api.fireworks.ai/inference/v1", "m", "frontier"),
        ({"model": "m", "custom_llm_provider": "groq"}, "groq", "https://api.groq.com/openai/v1", "m", "frontier"),
    ],
)  # fmt: skip
def test_where_a_deployment_is_asked(parameters: dict[str, Any], kind: str, url: str, served: str, tier: str) -> None:
    catalog = loaded(one(**parameters)).catalog
    model = catalog.models["asked"]
    endpoint = catalog.endpoints[model.endpoint]
    assert (endpoint.kind, endpoint.url, model.served_name, endpoint.tier) == (kind, url, served, tier)


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"model": "bedrock/x"}, "signs no AWS"),
        ({"model": "vertex_ai/gemini"}, "signs no Google"),
        ({"model": "nobody/x"}, "'nobody' is not known"),
        ({"model": "azure/x"}, "address is missing"),
        ({"model": "openai/*"}, "write each one"),
        ({"model": "azure/x", "api_base": "os.environ/BASE"}, "address is missing"),
    ],
)
def test_what_cannot_be_carried_over_is_named(parameters: dict[str, Any], why: str) -> None:
    made = imported(one(**parameters))
    assert not made.models
    assert why in " ".join(made.notes)
    assert "line" in made.notes[0]
    assert why in " ".join(made.left_out), "and said aloud, not only in a comment"


def test_keys_are_names_of_variables_and_a_literal_one_is_nowhere() -> None:
    value = {
        "model_list": [
            {"model_name": "a", "litellm_params": {"model": "openai/a", "api_key": "os.environ/OPENAI_API_KEY"}},
            {"model_name": "b", "litellm_params": {"model": "openai/b", "api_key": "sk-literal-1"}},
            {"model_name": "c", "litellm_params": {"model": "openai/c", "api_key": "sk-literal-2"}},
            {"model_name": "d", "litellm_params": {"model": "openai/d", "api_key": "sk-literal-1"}},
            {"model_name": "e", "litellm_params": {"model": "openai/e"}},
            {"model_name": "f", "litellm_params": {**LOCAL, "api_base": "http://u:hidden-1@127.0.0.1:9/v1?k=hidden-2"}},
            {"model_name": "g", "litellm_params": {**LOCAL, "api_key": "none", "extra_headers": {"x": "hidden-3"}}},
        ],
        "general_settings": {"master_key": "sk-literal-3", "database_url": "postgresql://u:hidden-4@h/d"},
        "environment_variables": {"OPENAI_API_KEY": "hidden-5"},
    }
    made = imported(value)
    text = written(made)
    assert "literal" not in text
    assert "hidden" not in text
    keys = {name: made.endpoints[made.models[name].fields["endpoint"]].fields.get("key") for name in made.models}
    assert keys["a"] == keys["e"] == "env:OPENAI_API_KEY"
    assert keys["b"] == keys["d"] != keys["c"]
    assert len({keys["a"], keys["b"], keys["c"]}) == 3
    assert keys["f"] is None is keys["g"]
    assert made.keys[0].fields["secret"] == "env:TIERWISE_MASTER_KEY"
    assert {key.removeprefix("env:") for key in keys.values() if key} | {"TIERWISE_MASTER_KEY"} == made.needed.keys()


def test_an_address_in_the_environment_is_read_but_nothing_else_is() -> None:
    named = one(model="openai/m", api_base="os.environ/BASE", api_key="os.environ/KEY")
    assert (
        loaded(named, {"BASE": "http://127.0.0.1:9/v1", "KEY": "hidden"})
        .catalog.endpoints["openai"]
        .url.endswith("/v1")
    )
    text = written(imported(one(model="azure/m", api_base="os.environ/KEY"), {"KEY": "hidden"}))
    assert "hidden" not in text


def group(*names: str, **more: Any) -> dict[str, Any]:
    rows = [{"model_name": n, "litellm_params": {**LOCAL, "model": f"openai/{n}-{i}"}} for i, n in enumerate(names)]
    return {"model_list": rows, **more}


def test_a_shared_name_is_drawn_by_weight_and_fallbacks_follow_in_order() -> None:
    value = group("big", "big", "small", "last", router_settings={"fallbacks": [{"big": ["small", "last", "gone"]}]})
    value["model_list"][0]["litellm_params"]["weight"] = 3
    rules = loaded(value)
    workflow = rules.workflows["big"]
    assert workflow.claims("big", None)
    assert workflow.strategy == "weighted"
    assert [rules.catalog.models[m].served_name for m in workflow.candidates] == ["big-0", "big-1", "small-2", "last-3"]
    assert list(workflow.weights.values()) == [3, 1, 0, 0]
    assert rules.fallback.max_attempts >= len(workflow.candidates)
    assert "small" not in rules.workflows


def test_aliases_strategies_and_limits() -> None:
    value = group("a", "a", "b", router_settings={
        "routing_strategy": "latency-based-routing", "num_retries": 2, "timeout": 30, "allowed_fails": 3, "cooldown_time": 60,
        "model_group_alias": {"old": "a", "hidden": {"model": "b", "hidden": True}, "lost": "nobody"},
    }, litellm_settings={"max_budget": 12.5, "budget_duration": "1d"})  # fmt: skip
    rules, made = loaded(value), imported(value)
    assert rules.workflows["a"].strategy == "fastest"
    assert rules.workflows["a"].claims("old", None)
    assert rules.workflows["b"].claims("hidden", None)
    assert (rules.fallback.retries_same, rules.fallback.total_timeout_s) == (2, 30)
    assert (rules.breaker.failures, rules.breaker.open_s) == (4, 60)
    assert [(b.scope, b.limit_usd, b.window) for b in rules.budgets] == [("all", Decimal("12.5"), "1d")]
    assert "lost" in " ".join(made.notes)


def test_facts_of_a_model() -> None:
    value = one(**LOCAL, input_cost_per_token=1.5e-6, output_cost_per_token="0.000006", timeout=20)
    value["model_list"][0]["model_info"] = {"max_input_tokens": 8000, "max_output_tokens": 100, "supports_vision": True}
    model = loaded(value).catalog.models["asked"]
    assert model.price is not None
    assert (model.price.input_usd_per_mtok, model.price.output_usd_per_mtok) == (Decimal("1.5"), Decimal(6))
    assert (model.context_tokens, model.max_output_tokens) == (8000, 100)
    assert model.capabilities == {"stream", "images"}
    embedding = one(model="openai/text-embedding-3-small")
    embedding["model_list"][0]["model_info"] = {"mode": "embedding"}
    assert loaded(embedding).catalog.models["asked"].capabilities == {"embeddings"}
    assert imported(one(model="openai/new")).unpriced == ["asked"]


@pytest.mark.parametrize("name", ["auto", "auto:x", "tier:local"])
def test_a_name_that_means_something_else_here_is_pointed_out(name: str) -> None:
    assert "rename it" in written(imported(group(name)))


def test_every_key_is_carried_over_or_named() -> None:
    value = group("a", litellm_settings={"drop_params": True, "odd_one": 1}, general_settings={"odd_two": {"x": 1}})
    value["model_list"][0]["litellm_params"]["odd_three"] = [1]
    value["odd_four"] = 4
    text = written(imported(value))
    for name in ("drop_params", "odd_one", "odd_two", "odd_three", "odd_four"):
        assert name in text, name


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must be a table"),
        ("a: 1", "has no model_list: is it"),
        ("include: [other.yaml]", "has no model_list: import each file"),
        ("model_list: x", "line 1: model_list must be a list"),
        ("model_list:\n- model_name: a", r"line 2: model_list\[0\]|litellm_params is missing"),
        ("model_list:\n- litellm_params: {model: x}", r"line 2: model_list\[0\] needs model_name"),
        ("model_list:\n- model_name: a\n  litellm_params:\n    rpm: 1", "line 4: .*litellm_params needs model"),
        (
            "model_list:\n- model_name: a\n  litellm_params: {model: gpt-x, timeout: soon}",
            "line 3: .*timeout must be a number",
        ),
    ],
)
def test_wrong_input_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        imported(text)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["a", "openai/x", "azure/x", "os.environ/X", 'a"b\\', "a\nb = 1", "\x7f", "http://127.0.0.1:1/v1"]
)
VALUES = WORDS | st.integers(-5, 10**12) | st.floats(allow_nan=False) | st.booleans() | st.none()
PARAMETERS = st.fixed_dictionaries(
    {"model": WORDS},
    optional=dict.fromkeys(("api_base", "weight", "timeout", "order", "input_cost_per_token", "odd"), VALUES)
    | {"api_key": st.sampled_from(["sk-literal", "$sk-literal", "os.environ/sk-literal", "os.environ/KEY", ""])},
)
FILES = st.fixed_dictionaries(
    {"model_list": st.lists(st.fixed_dictionaries({"model_name": WORDS, "litellm_params": PARAMETERS}), min_size=1, max_size=4)},
    optional={
        "router_settings": st.dictionaries(st.sampled_from(["num_retries", "timeout", "routing_strategy", "odd"]), VALUES),
        "litellm_settings": st.fixed_dictionaries({}, optional={"fallbacks": st.lists(st.dictionaries(WORDS, st.lists(WORDS, max_size=2), max_size=2), max_size=2), "max_budget": VALUES}),
        "general_settings": st.dictionaries(st.sampled_from(["master_key", "odd"]), st.just("sk-literal")),
    },
)  # fmt: skip


@given(FILES)
def test_whatever_the_file_says_the_result_loads_or_the_file_is_blamed(value: dict[str, Any]) -> None:
    try:
        made = imported(value)
    except ConfigError as refused:
        assert str(refused).startswith("config.yaml")
        return
    text = written(made)
    assert tomllib.loads(text).keys() <= set(config.Document.__struct_fields__)
    rules_of(made)
    assert "sk-literal" not in text
