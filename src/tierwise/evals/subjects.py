"""Who is compared with whom? Names to subjects, with what is known of who made them.

Pure. Invariant: the baseline is among the subjects, once, and stands last.
"""

import re
from collections.abc import Sequence

from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.core.model import Model
from tierwise.evals.bundles import bundle_of
from tierwise.evals.evidence import Subject
from tierwise.gateway.decide import AUTO
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow
from tierwise.registry.load import nearest

_FAMILY = re.compile(r"[^\W\d_]+")


def subjects(
    rules: Rules, workflow: Workflow, named: Sequence[str] = (), baseline: str | None = None
) -> tuple[Subject, ...]:
    """Return the candidates and the baseline. `named` instead of the workflow's own. Raises ConfigError."""
    base = baseline or workflow.baseline
    if base is None:
        raise ConfigError(
            f"workflow {workflow.name!r} names no baseline to compare with: set `baseline`, or say --baseline MODEL",
            key=f"workflow.{workflow.name}.baseline",
        )
    names = dict.fromkeys(named or _own(rules, workflow))
    names.pop(base, None)
    if not names:
        raise ConfigError(f"workflow {workflow.name!r} has no candidate beside its baseline {base!r}: say --candidates")
    return tuple(_subject(rules, workflow, name) for name in (*names, base))


def _own(rules: Rules, workflow: Workflow) -> list[str]:
    """Return the workflow's models, and its whole route where that is more than one of them."""
    models = workflow.candidates or tuple(
        model.id for model in rules.catalog.models.values() if workflow.knows in model.tasks or not model.tasks
    )
    route = [route_of(workflow)] if workflow.strategy == "cascade" and len(models) > 1 else []
    return [*models, *route]


def route_of(workflow: Workflow) -> str:
    """Return the name that asks for the workflow's whole route."""
    return f"{AUTO}:{workflow.name}"


def _subject(rules: Rules, workflow: Workflow, name: str) -> Subject:
    catalog = rules.catalog
    if name == route_of(workflow):
        return Subject(
            name=name, model=name, bundle=bundle_of(rules, workflow, name), family=family(_all(rules, workflow))
        )
    model = catalog.models.get(name)
    if model is None:
        raise ConfigError(f"there is no model {name!r}{nearest(name, catalog.models)}", key="--candidates")
    tier: Tier = catalog.endpoints[model.endpoint].tier
    return Subject(name=name, model=name, tier=tier, bundle=bundle_of(rules, workflow, name), family=family((model,)))


def _all(rules: Rules, workflow: Workflow) -> tuple[Model, ...]:
    return tuple(rules.catalog.models[name] for name in workflow.candidates)


def family(models: Sequence[Model]) -> str:
    """Return who made the models, as far as their names say: the first word behind the publisher's, `+` between."""
    words = (_FAMILY.search(model.served_name.rpartition("/")[2]) for model in models)
    return "+".join(sorted({word[0].casefold() for word in words if word}))


def related(one: str, other: str) -> bool:
    """Say whether two families have a maker in common."""
    return bool(set(filter(None, one.split("+"))) & set(filter(None, other.split("+"))))
