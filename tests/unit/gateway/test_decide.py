"""Who may serve, who is first, and which refusal explains that nobody may."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.call import Features, Hints
from tierwise.core.decision import Labelled
from tierwise.core.errors import BudgetExceeded, InvalidCall, NoCandidate, PolicyDenied
from tierwise.core.grant import Grant
from tierwise.core.label import Label, Tier
from tierwise.core.usage import Price
from tierwise.economics.budget import Account, Budget
from tierwise.fallback.breaker import BreakerSettings
from tierwise.gateway.decide import Ask, Ruling, decide, resolve
from tierwise.gateway.facts import Facts
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Match, Workflow
from tierwise.policy.detect import Detectors
from tierwise.policy.judge import Policy
from tierwise.policy.settings import LabelSettings, Rule, Then, When
from tierwise.quality.settings import Gates
from tierwise.registry.load import load
from tierwise.registry.settings import EndpointRow, ModelRow

PRICE = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(10))
EVERYTHING = ("stream", "tools", "images", "schema", "json", "logprobs", "n")
LABELS = LabelSettings()
ENDPOINTS = (
    EndpointRow(name="here", kind="scripted", tier=Tier.LOCAL, url="http://127.0.0.1:1/v1"),
    EndpointRow(name="own", kind="scripted", tier=Tier.SELF_HOSTED, url="http://127.0.0.1:2/v1", region="eu"),
    EndpointRow(name="out", kind="scripted", tier=Tier.FRONTIER, url="http://127.0.0.1:3/v1", region="us"),
)
MODELS = (
    ModelRow(id="near", endpoint="here", context_tokens=1000, capabilities=EVERYTHING),
    ModelRow(id="mid", endpoint="own", capabilities=EVERYTHING),
    ModelRow(id="far", endpoint="out", price=PRICE, capabilities=EVERYTHING),
    ModelRow(id="scoped", endpoint="here", tasks=("bank",), capabilities=EVERYTHING),
)
WORKFLOWS = (
    Workflow(name="bank", candidates=("scoped", "mid", "far"), strategy="cascade"),
    Workflow(name="tickets", trusted=("near",), label=Label.INTERNAL, match=Match(model=("gpt-old",))),
)


def rules(*extra: Rule, endpoints: tuple[EndpointRow, ...] = ENDPOINTS, models: tuple[ModelRow, ...] = MODELS) -> Rules:
    return Rules(
        catalog=load(endpoints, models, lambda _ref: None),
        policy=Policy(LABELS, extra),
        labels=LABELS,
        detectors=Detectors(LABELS),
        workflows={w.name: w for w in WORKFLOWS},
    )


def facts(*budgets: Budget, spent: str = "0") -> Facts:
    return Facts(BreakerSettings(), [Account(b, spent=Decimal(spent), now=0) for b in budgets])


def ask(model: str = "auto", hints: Hints = Hints(), **features: Any) -> Ask:
    wanted = Features(**({"input_tokens_est": 10} | features))
    return Ask(id="01", ts=0.0, now=0.0, model=model, wire="chat", features=wanted, hints=hints)


def rule_on(
    asked: Ask, label: Label = Label.INTERNAL, in_force: Rules | None = None, known: Facts | None = None
) -> Ruling:
    in_force = in_force or rules()
    return decide(in_force, known or facts(), asked, resolve(in_force, asked), Labelled(value=label))


def order(ruling: Ruling) -> list[str]:
    return [hop.model.id for hop in ruling.hops]


def test_auto_starts_with_the_strongest_that_policy_allows() -> None:
    assert order(rule_on(ask())) == ["far", "mid", "near"]
    assert order(rule_on(ask(), Label.CONFIDENTIAL)) == ["mid", "near"]
    assert order(rule_on(ask(), Label.RESTRICTED)) == ["near"]


def test_every_candidate_is_recorded_with_its_fate() -> None:
    decision = rule_on(ask(), Label.CONFIDENTIAL).decision
    fates = {c.model: c.excluded_by for c in decision.candidates}
    assert fates == {"near": None, "mid": None, "far": "ceiling:confidential", "scoped": "tasks"}
    assert all(c.reason for c in decision.candidates)
    assert decision.chosen == "mid"


def test_a_workflow_narrows_and_its_evidence_counts() -> None:
    assert order(rule_on(ask("auto:bank"))) == ["scoped", "mid", "far"]
    assert order(rule_on(ask("auto", Hints(workflow="tickets"))))[0] == "near"
    assert order(rule_on(ask("gpt-old")))[0] == "near"
    assert order(rule_on(ask("auto", Hints(workflow="tickets", quality=0.9))))[0] == "far"


def test_a_named_model_is_pinned_and_naming_lifts_no_rule() -> None:
    assert order(rule_on(ask("mid"))) == ["mid"]
    refused = rule_on(ask("far"), Label.RESTRICTED)
    assert isinstance(refused.refusal, PolicyDenied)
    assert refused.refusal.rule == "ceiling:restricted"


def test_where_there_was_no_choice_the_record_says_so_and_shows_the_order_that_was_tried() -> None:
    (named,) = rule_on(ask("mid")).decision.candidates
    assert named.reason == "named by the caller"
    two = (*MODELS, ModelRow(id="mid-strong", endpoint="own", capabilities=EVERYTHING, strength=99))
    loop = rule_on(msgspec.structs.replace(ask(), maker="mid"), in_force=rules(models=two))
    places = {c.model: (c.score, c.probability, c.reason) for c in loop.decision.candidates if c.allowed}
    assert order(loop) == ["mid", "mid-strong"]
    assert places["mid"] == (0.0, 1.0, "continues the tool loop of mid")
    assert places["mid-strong"][:2] == (1.0, 0.0)


def test_naming_a_scoped_model_is_asking_for_its_task() -> None:
    ruling = rule_on(ask("scoped"))
    assert order(ruling) == ["scoped"]
    assert ruling.decision.workflow == "bank"
    assert isinstance(rule_on(ask("scoped", Hints(workflow="tickets"))).refusal, NoCandidate)


def test_a_tier_can_be_asked_for() -> None:
    assert order(rule_on(ask("tier:self_hosted"))) == ["mid"]
    assert isinstance(rule_on(ask("tier:frontier"), Label.CONFIDENTIAL).refusal, PolicyDenied)


WRONG = [("gpt-nope", 404, "model"), ("tier:cloud", 404, "model"), ("auto:nope", 404, "model")]


@pytest.mark.parametrize(("model", "status", "param"), WRONG)
def test_names_that_do_not_exist(model: str, status: int, param: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        rule_on(ask(model))
    assert (caught.value.status, caught.value.param) == (status, param)


def test_an_unknown_workflow_hint_is_a_400() -> None:
    with pytest.raises(InvalidCall) as caught:
        rule_on(ask("auto", Hints(workflow="nope")))
    assert caught.value.status == 400


def test_the_refusal_is_that_of_whoever_came_nearest() -> None:
    too_long = rule_on(ask("near", input_tokens_est=5000)).refusal
    assert isinstance(too_long, NoCandidate)
    assert too_long.cause == "context"
    broke = rule_on(ask("far"), known=facts(Budget(scope="all", limit_usd=Decimal("0.001")))).refusal
    assert isinstance(broke, BudgetExceeded)
    unpriced = tuple(ModelRow(id=m.id, endpoint=m.endpoint, capabilities=EVERYTHING) for m in MODELS)
    assert rule_on(ask("far"), in_force=rules(models=unpriced)).refusal.cause == "price_unknown"  # type: ignore[union-attr]


def test_sensitive_and_every_inside_endpoint_down_is_a_503_that_says_so() -> None:
    known = facts()
    for model in ("near", "scoped"):
        known.breaker(model).failed(0.0, retry_after_s=5)
    refusal = rule_on(ask(), Label.RESTRICTED, known=known).refusal
    assert isinstance(refusal, NoCandidate)
    assert refusal.cause == "compliance"


def test_no_general_model_names_the_mend() -> None:
    only_scoped = rules(models=MODELS[3:])
    only_scoped = Rules(
        catalog=only_scoped.catalog, policy=only_scoped.policy, labels=LABELS, detectors=only_scoped.detectors
    )
    refusal = rule_on(ask(), in_force=only_scoped).refusal
    assert isinstance(refusal, NoCandidate)
    assert "Ollama" in str(refusal)


def test_budgets_take_metered_models_out_and_leave_the_others() -> None:
    spent = facts(Budget(scope="all", limit_usd=Decimal(1)), spent="0.99")
    assert order(rule_on(ask(), known=spent)) == ["mid", "near"]
    soft = facts(Budget(scope="all", limit_usd=Decimal(1), soft_limit_usd=Decimal("0.5")), spent="0.5")
    assert order(rule_on(ask(max_output_tokens=1), known=soft)) == ["mid", "near", "far"], "it is soft"
    assert order(rule_on(ask("far", max_output_tokens=1), known=soft)) == ["far"]
    assert order(rule_on(ask("auto", Hints(max_cost_usd=Decimal("0.0001"))))) == ["mid", "near"]


def test_at_its_limit_a_budget_rejects_or_downgrades_as_it_says() -> None:
    out = Budget(scope="all", limit_usd=Decimal(1))
    assert isinstance(rule_on(ask(), known=facts(out, spent="1")).refusal, BudgetExceeded)
    soft = Budget(scope="all", limit_usd=Decimal(1), on_limit="downgrade")
    assert order(rule_on(ask(), known=facts(soft, spent="1"))) == ["mid", "near"]


def test_rules_deny_and_bring_duties() -> None:
    outside = Rule(when=When(region_not="eu"), then=Then(deny=True), name="eu")
    assert order(rule_on(ask(), in_force=rules(outside)))[0] == "mid"
    alone = Rule(when=When(tier=Tier.FRONTIER), then=Then(obligations=("no_fallback",)))
    assert order(rule_on(ask(), in_force=rules(alone))) == ["far"]


def test_the_record_holds_every_rule_that_applied_to_a_candidate_and_every_denial() -> None:
    eu = Rule(when=When(region_not="eu"), then=Then(deny=True), name="eu")
    care = Rule(when=When(label=Label.INTERNAL, tier=Tier.FRONTIER), then=Then(obligations=("no_store",)), name="care")
    asked = msgspec.structs.replace(ask(), grant=Grant(name="k", models=("mid",)))
    ruling = rule_on(asked, Label.CONFIDENTIAL, rules(eu, care))
    found = {c.model: [(rule.rule, rule.effects) for rule in c.rules or ()] for c in ruling.decision.candidates}
    beside = ("key:models", ("deny",))
    assert found == {
        "near": [beside],
        "mid": [],
        "far": [("ceiling:confidential", ("deny",)), ("rule:eu", ("deny",)), ("rule:care", ("no_store",)), beside],
        "scoped": [beside],
    }
    far = next(c for c in ruling.decision.candidates if c.model == "far")
    assert far.excluded_by == "ceiling:confidential"


@given(
    st.sampled_from(Label),
    st.sampled_from(["auto", "auto:bank", "auto:tickets", "mid", "far", "tier:local"]),
    st.integers(0, 2000),
    st.booleans(),
)
def test_same_ask_same_ruling_and_no_hop_above_its_ceiling(label: Label, model: str, tokens: int, tools: bool) -> None:
    asked = ask(model, input_tokens_est=tokens, tools=int(tools))
    ruling = rule_on(asked, label)
    assert rule_on(asked, label).decision == ruling.decision
    most = {Label.CONFIDENTIAL: Tier.SELF_HOSTED, Label.RESTRICTED: Tier.LOCAL}.get(label, Tier.FRONTIER)
    assert all(hop.endpoint.tier.rank <= most.rank for hop in ruling.hops)
    assert (ruling.refusal is None) is bool(ruling.hops)
    allowed = [c.model for c in ruling.decision.candidates if c.allowed]
    assert set(order(ruling)) <= set(allowed)


def test_gates_that_need_logprobs_take_out_who_has_none() -> None:
    plain = tuple(ModelRow(id=m.id, endpoint=m.endpoint, capabilities=("stream",), tasks=m.tasks) for m in MODELS[:2])
    base = rules(models=plain)
    gated = Workflow(name="sure", gates=Gates(min_logprob={"near": -1.0}))
    in_force = Rules(
        catalog=base.catalog, policy=base.policy, labels=LABELS, detectors=base.detectors, workflows={"sure": gated}
    )
    assert order(rule_on(ask("auto:sure"), in_force=in_force)) == ["mid"]


GRANTED = [
    (Grant(name="k", models=("near",)), "auto", ["near"]),
    (Grant(name="k", models=("m*", "near")), "auto", ["mid", "near"]),
    (Grant(name="k", models=("near",)), "far", "key:models"),
    (Grant(name="k", models=("near",)), "tier:frontier", "key:models"),
    (Grant(name="k", models=("nothing",)), "auto", "key:models"),
    (Grant(name="k", label=Label.PUBLIC), "auto", "key:label"),
    (Grant(name="k", label=Label.INTERNAL), "auto", ["far", "mid", "near"]),
    (Grant(name="k", models=("mid",)), "auto:bank", ["mid"]),
    (Grant(name="k", models=("scoped",)), "gpt-old", "key:models"),
]


@pytest.mark.parametrize(("grant", "model", "wanted"), GRANTED)
def test_a_keys_grant_holds_for_every_candidate(grant: Grant, model: str, wanted: list[str] | str) -> None:
    ruling = rule_on(msgspec.structs.replace(ask(model), key_id="k", grant=grant))
    if isinstance(wanted, list):
        assert order(ruling) == wanted
        return
    assert isinstance(ruling.refusal, PolicyDenied)
    assert ruling.refusal.rule == wanted


def test_a_team_has_one_account_for_all_its_keys() -> None:
    known = facts(Budget(scope="team:red", limit_usd=Decimal("0.0001")))
    asked = ask("far", max_output_tokens=100)
    red, blue = (
        rule_on(msgspec.structs.replace(asked, grant=Grant(name="k", team=t)), known=known) for t in ("red", "blue")
    )
    assert isinstance(red.refusal, BudgetExceeded)
    assert (red.decision.team, order(blue)) == ("red", ["far"])
    assert order(rule_on(asked, known=known)) == ["far"]


def test_a_call_that_names_two_workflows_is_refused_and_not_put_under_the_looser_one() -> None:
    one, other = WORKFLOWS[0].name, WORKFLOWS[1].name
    with pytest.raises(InvalidCall, match="one call belongs to one"):
        resolve(rules(), ask(f"auto:{one}", Hints(workflow=other)))
    assert resolve(rules(), ask(f"auto:{one}", Hints(workflow=one))).workflow == WORKFLOWS[0]
