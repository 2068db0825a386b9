"""A configuration is judged before the first call: what would leak is refused with its way, what is odd is told."""

from pathlib import Path

import pytest

from tierwise import config
from tierwise.bootstrap import rules_from
from tierwise.core.errors import ConfigError
from tierwise.core.grant import Grant
from tierwise.gateway.soundness import Doubt, doubts, idle

HOUSE = """
[[endpoint]]
name = "desk"
kind = "vllm"
tier = "local"
url = "http://127.0.0.1:8000/v1"

[[endpoint]]
name = "house"
kind = "vllm"
tier = "self_hosted"
url = "http://10.0.0.8:8000/v1"

[[endpoint]]
name = "away"
kind = "openai"
region = "us"

[[model]]
id = "small"
endpoint = "desk"

[[model]]
id = "mid"
endpoint = "house"

[[model]]
id = "big"
endpoint = "away"
price = { input_usd_per_mtok = "1", output_usd_per_mtok = "2" }
"""


def settings(text: str) -> config.Settings:
    return config.Settings(document=config.parse(text), home=Path("/nonexistent"))


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        rules_from(settings(HOUSE + text))
    return str(caught.value)


def doubted(text: str, *keys: str) -> list[Doubt]:
    read = settings(HOUSE + text)
    return list(doubts(rules_from(read), read.document.rule, keys))


def liar(url: str, tier: str, kind: str = "openai_compatible") -> str:
    return f"""
        [[endpoint]]
        name = "liar"
        kind = "{kind}"
        tier = "{tier}"
        url = "{url}"
        [[model]]
        id = "lie"
        endpoint = "liar"
    """


def test_a_house_in_order_is_taken_and_nothing_in_it_is_doubted() -> None:
    assert doubted("") == []


def test_an_outside_address_that_is_called_inside_is_refused_with_the_way_of_a_call() -> None:
    assert refused(liar("https://api.openai.com/v1", "self_hosted")) == (
        "endpoint 'liar' says tier = \"self_hosted\", but what it gets leaves for an outside API: label confidential → any "
        "workflow → ceiling self_hosted, and no rule denies it → model lie → endpoint liar (tier self_hosted) → "
        'api.openai.com, which is openai\'s; write tier = "frontier"'
    )


def test_the_way_is_that_of_the_most_sensitive_call_that_no_rule_stops() -> None:
    passed_on = """
        [[endpoint]]
        name = "liar"
        kind = "ollama"
        [[model]]
        id = "lie"
        endpoint = "liar"
        served_name = "gpt-oss:120b-cloud"
    """
    told = refused(passed_on)
    assert "label restricted → any workflow → ceiling local, and no rule denies it → model lie" in told
    assert told.endswith(
        "ollama.com, where ollama passes gpt-oss:120b-cloud on to; write tier = \"frontier\", or take out the model 'lie'"
    )
    but_for_one = """
        [[rule]]
        when = { label = "restricted", endpoint = "liar" }
        then = { deny = true }
        [[rule]]
        when = { endpoint = "liar", workflow_not = "tickets" }
        then = { deny = true }
        [[workflow]]
        name = "tickets"
    """
    assert "label confidential → workflow tickets → ceiling self_hosted" in refused(passed_on + but_for_one)


def test_a_tier_that_says_too_near_is_refused_also_where_every_label_may_go_anywhere() -> None:
    wide = '[labels]\nceilings = { confidential = "frontier", restricted = "frontier" }\n'
    told = refused(wide + liar("https://api.mistral.ai/v1", "self_hosted"))
    assert "label" not in told
    assert "api.mistral.ai, which is mistral's" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (liar("http://127.0.0.1:4000/v1", "local", "anthropic"), "an outside API by its kind anthropic"),
        (liar("http://192.168.0.9:1/v1", "local"), "this machine"),
        (liar("http://localhost.example:1/v1", "local"), "this machine"),
        (liar("http://2130706433:1/v1", "local"), "this machine"),
        (liar("http://[::1/v1", "local"), "this machine"),
        (liar("http://10.0.0.8:99999/v1", "self_hosted"), "url must be"),
        ('[[endpoint]]\nname = "e"\nkind = "embedded"\nfile = "m.gguf"\nurl = "https://api.openai.com/v1"', "no url"),
        (
            '[[endpoint]]\nname = "e"\nkind = "vllm"\nproxy = "http://proxy.example:3128"',
            "unknown key 'endpoint.proxy'",
        ),
        ('[labels]\nceilings = { restricted = "self_hosted", confidential = "local" }', "restricted may reach"),
    ],
)
def test_what_says_it_is_nearer_than_it_is_does_not_load(text: str, told: str) -> None:
    assert told in refused(text)


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ('endpoint = "aways"', "when.endpoint names 'aways', which does not exist; did you mean 'away'"),
        ('model = ["small", "bigg"]', "when.model names 'bigg', which does not exist; did you mean 'big'"),
        ('kind = "opnai"', "when.kind names 'opnai', which does not exist; did you mean 'openai'"),
        ('workflow = "tickts"', "when.workflow names 'tickts', which does not exist; did you mean 'tickets'"),
        ('workflow_not = "tickts"', "when.workflow_not names 'tickts'"),
    ],
)
def test_a_rule_that_names_what_does_not_exist_is_refused(when: str, told: str) -> None:
    text = f'[[workflow]]\nname = "tickets"\n[[rule]]\nname = "typo"\nwhen = {{ {when} }}\nthen = {{ deny = true }}\n'
    assert refused(text).startswith("rule 'typo': ")
    assert told in refused(text)


def test_a_key_may_be_made_later_so_a_rule_that_names_none_is_only_doubted() -> None:
    rule = '[[rule]]\nname = "team"\nwhen = { key = "team-a" }\nthen = { deny = true }\n'
    assert doubted(rule, "team-a") == []
    (doubt,) = doubted(rule, "team-b")
    assert (doubt.what, doubt.well) == ("rule team", False)
    assert "'team-a', which does not exist; did you mean 'team-b'" in doubt.detail


def test_a_limit_or_budget_of_nothing_and_a_key_for_no_model_are_doubted() -> None:
    rules = rules_from(settings(HOUSE + '[[workflow]]\nname = "tickets"\n'))
    alice = Grant(name="alice", team="red", models=("sm*", "smal"))
    scopes = [
        ("budget", "all"),
        ("budget", "key:alice"),
        ("limit", "team:red"),
        ("limit", "team:rde"),
        ("budget", "workflow:tickets"),
        ("budget", "workflow:tickts"),
    ]
    told = {doubt.what: doubt.detail for doubt in idle(rules, scopes, [alice])}
    assert list(told) == ["limit on team:rde", "budget on workflow:tickts", "key alice"]
    assert "did you mean 'red'" in told["limit on team:rde"]
    assert "there is no workflow 'tickts'; did you mean 'tickets'" in told["budget on workflow:tickts"]
    assert "'smal', which no model is called" in told["key alice"]


def test_rules_that_together_leave_a_workflow_nobody_are_told_with_the_reason_of_each() -> None:
    """Not refused: nothing leaks, a call gets an explained refusal, and stopping a workflow is done just so."""
    text = """
        [[workflow]]
        name = "tickets"
        candidates = ["mid", "big"]
        [[rule]]
        name = "eu"
        when = { region_not = "eu", tier = "frontier" }
        then = { deny = true }
        [[rule]]
        name = "out"
        when = { workflow = "tickets", tier = "self_hosted" }
        then = { deny = true }
    """
    (doubt,) = doubted(text)
    assert (doubt.what, doubt.well) == ("workflow tickets", False)
    assert 'mid: denied by rule "out" [rule:out]; big: denied by rule "eu" [rule:eu]' in doubt.detail


def test_a_model_that_its_workflow_can_never_ask_is_told_and_a_baseline_that_only_prices_is_well() -> None:
    workflow = '[[workflow]]\nname = "w"\nlabel = "confidential"\nbaseline = "big"\ncandidates = ["mid"{more}]\n'
    (baseline,) = doubted(workflow.format(more=""))
    assert baseline.well
    assert "its baseline big only prices calls, and can never be asked: confidential data stays" in baseline.detail
    (unused,) = doubted(workflow.format(more=', "big"'))
    assert not unused.well
    assert unused.detail.startswith("big is never asked at confidential and above: confidential data stays on servers")


def test_a_server_whose_address_does_not_say_that_it_is_yours_is_a_claim() -> None:
    (doubt,) = doubted(liar("https://models.example.internal/v1", "self_hosted"))
    assert (doubt.what, doubt.well) == ("tier of liar", True)
    assert "only a claim: nothing here can tell that models.example.internal is yours" in doubt.detail
