import pytest

from tierwise.core.bundle import Bundle
from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.core.model import Endpoint, Model
from tierwise.evals.subjects import family, names, related, subjects
from tierwise.fallback.breaker import BreakerSettings
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow
from tierwise.policy.detect import Detectors
from tierwise.policy.judge import Policy
from tierwise.policy.settings import LabelSettings
from tierwise.registry.catalog import catalog


def model(ident: str, served: str = "", made_by: str | None = None, tasks: tuple[str, ...] = ()) -> Model:
    return Model(id=ident, endpoint="e", served_name=served or ident, family=made_by, tasks=tasks)


def rules_of(*models: Model) -> Rules:
    labels = LabelSettings()
    endpoint = Endpoint(name="e", kind="scripted", wires=("chat",), tier=Tier.LOCAL)
    return Rules(
        catalog=catalog({"e": endpoint}, {one.id: one for one in models}, {}, {}),
        policy=Policy(labels, (), {}),
        labels=labels,
        detectors=Detectors(labels),
        breaker=BreakerSettings(),
    )


RULES = rules_of(model("small", "org/Qwen2.5-3B"), model("large", "llama-70b"), model("other", tasks=("else",)))
FLOW = Workflow(name="w", candidates=("small", "large"), baseline="large")


def test_the_candidates_come_first_and_the_baseline_last_and_once() -> None:
    assert names(RULES, FLOW) == ("small", "large")
    assert names(RULES, FLOW, ["large", "other", "small"]) == ("other", "small", "large")
    assert names(RULES, FLOW, (), "small") == ("large", "small")


def test_a_cascade_is_compared_as_a_whole_too() -> None:
    cascade = Workflow(name="w", candidates=("small", "large"), baseline="large", strategy="cascade")
    assert names(RULES, cascade) == ("small", "auto:w", "large")


def test_without_candidates_those_that_know_the_task_are_meant() -> None:
    assert names(RULES, Workflow(name="else", baseline="large")) == ("small", "other", "large")
    assert names(RULES, Workflow(name="w", baseline="large")) == ("small", "large")


@pytest.mark.parametrize(
    ("flow", "given", "told"),
    [
        (Workflow(name="w"), (), "no baseline"),
        (FLOW, ("large",), "no candidate"),
        (FLOW, ("smal",), "did you mean 'small'"),
        (FLOW, ("auto:v",), "no model 'auto:v'"),
    ],
)
def test_what_cannot_be_compared_is_told(flow: Workflow, given: tuple[str, ...], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        names(RULES, flow, given)


def test_a_subject_says_who_made_it_and_what_would_answer() -> None:
    def bundle(models: object) -> Bundle:
        return Bundle(workflow="w", models=tuple((str(one), "") for one in models))  # type: ignore[attr-defined]

    small, route = subjects(RULES, FLOW, ("small", "auto:w"), bundle)
    assert (small.family, small.tier) == ("qwen", Tier.LOCAL)
    assert (route.family, route.tier) == ("llama+qwen", None)
    assert [name for name, _ in route.bundle.models] == ["small", "large"]


def test_families_are_told_from_rows_before_names() -> None:
    assert family([model("a", "my-model", made_by="Qwen")]) == "qwen"
    assert family([model("a", "2024")]) == ""
    assert related("llama+qwen", "qwen")
    assert not related("", "")
    assert not related("llama", "qwen")
