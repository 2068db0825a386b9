"""Does a Portkey config mean here what it meant there?"""

import json
from typing import Any

import pytest

from tests.unit.cli.imports.test_litellm import rules_of
from tierwise.cli.imports.draft import Draft
from tierwise.cli.imports.portkey import draft
from tierwise.cli.imports.written import written
from tierwise.core.errors import ConfigError


def imported(value: Any) -> Draft:
    return draft(json.dumps(value), "config.json", {})


def target(model: str, **more: Any) -> dict[str, Any]:
    return {"provider": "openai", "custom_host": "http://127.0.0.1:9/v1", "override_params": {"model": model}, **more}


def test_nested_targets_keep_shares_and_order() -> None:
    balanced = {"strategy": {"mode": "loadbalance"}, "targets": [target("a", weight=0.7), target("b", weight=0.3)]}
    rules = rules_of(
        imported({"strategy": {"mode": "fallback"}, "retry": {"attempts": 2}, "targets": [balanced, target("c")]})
    )
    workflow = rules.workflows["portkey"]
    assert workflow.weights == {"a": 0.7, "b": 0.3, "c": 0}
    assert workflow.match.model == ("a", "b")
    assert (rules.fallback.retries_same, rules.fallback.max_attempts) == (2, 5)


def test_conditions_on_the_asked_model_become_claims_and_others_a_name_to_ask_for() -> None:
    conditions = [
        {"query": {"params.model": {"$eq": "fastest"}}, "then": "quick"},
        {"query": {"$or": [{"params.model": "best"}, {"params.model": {"$in": ["top"]}}]}, "then": "strong"},
        {"query": {"metadata.plan": {"$eq": "paid"}}, "then": "paying"},
    ]
    made = imported(
        {
            "strategy": {"mode": "conditional", "conditions": conditions, "default": "quick"},
            "targets": [target("a", name="quick"), target("b", name="strong"), target("c", name="paying")],
        }
    )
    claims = {name: workflow.match.model for name, workflow in rules_of(made).workflows.items()}
    assert claims == {"quick": ("fastest",), "strong": ("best", "top"), "paying": ()}
    assert "auto:paying" in written(made)


@pytest.mark.parametrize(
    ("said", "kind", "served"),
    [
        ({"provider": "anthropic", "override_params": {"model": "x"}}, "anthropic", "x"),
        ({"virtual_key": "groq-team-1", "override_params": {"model": "x"}}, "groq", "x"),
        ({"override_params": {"model": "@openai-prod/x"}}, "openai", "x"),
        ({"provider": "@mistral-ai", "overrideParams": {"model": "x"}}, "mistral", "x"),
        ({"provider": "azure-openai", "azure_resource_name": "r", "azure_deployment_id": "d"}, "azure_openai", "d"),
    ],
)
def test_who_a_target_is(said: dict[str, Any], kind: str, served: str) -> None:
    catalog = rules_of(imported(said)).catalog
    (model,) = catalog.models.values()
    assert (catalog.endpoints[model.endpoint].kind, model.served_name) == (kind, served)


def test_a_config_as_the_admin_interface_returns_it() -> None:
    for config in (target("a"), json.dumps(target("a"))):
        assert imported({"success": True, "data": {"config": config}}).models.keys() == {"a"}


def test_no_key_is_copied_and_nothing_is_left_out_silently() -> None:
    made = imported(
        {
            "targets": [target("a", api_key="sk-hidden"), {"provider": "openai"}, {"virtual_key": "zz-1"}],
            "cache": {"mode": "x"},
            "odd": 1,
        }
    )
    text = written(made)
    assert "hidden" not in text
    for named in ("TIERWISE_OPENAI_KEY", "targets[1]: it names no model", "'zz-1' is not known", "cache", "odd"):
        assert named in text


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], "must be a table"),
        ({}, "neither targets nor a provider"),
        ({"targets": [1]}, r"targets\[0\] must be a table"),
        ({"strategy": {"mode": "magic"}, "targets": [target("a")]}, "'magic'"),
        ({"strategy": {"mode": "conditional", "conditions": [{"query": {}, "then": "no"}]}, "targets": [target("a")]}, "target 'no'"),
        ({"targets": [target("a", weight="much")]}, r"targets\[0\].weight must be a number"),
    ],
)  # fmt: skip
def test_wrong_input_is_told_with_its_place(value: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        imported(value)
