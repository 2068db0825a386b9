"""Who is compared with whom? Names to subjects, with what is known of who made them.

Pure. Invariant: the baseline is among the subjects, once, and stands last.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from tierwise.core.bundle import Bundle
from tierwise.core.errors import ConfigError
from tierwise.core.model import Model
from tierwise.evals.evidence import Subject
from tierwise.gateway.decide import AUTO
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow
from tierwise.registry.load import nearest

_FAMILY = re.compile(r"[^\W\d_]+")


def names(rules: Rules, workflow: Workflow, given: Sequence[str] = (), baseline: str | None = None) -> tuple[str, ...]:
    """Return the names of the candidates and, last, of the baseline; `given` instead of the workflow's own."""
    base = baseline or workflow.baseline
    if base is None:
        raise ConfigError(
            f"workflow {workflow.name!r} names no baseline to compare with: set `baseline`, or say --baseline MODEL",
            key=f"workflow.{workflow.name}.baseline",
        )
    found = dict.fromkeys(given or _own(rules, workflow))
    found.pop(base, None)
    if not found:
        raise ConfigError(f"workflow {workflow.name!r} has no candidate beside its baseline {base!r}: say --candidates")
    for name in (*found, base):
        if name != route_of(workflow) and name not in rules.catalog.models:
            raise ConfigError(f"there is no model {name!r}{nearest(name, rules.catalog.models)}", key="--candidates")
    return *found, base


def _own(rules: Rules, workflow: Workflow) -> list[str]:
    """Return the workflow's models, and its whole route where that is more than one of them."""
    own = models_of(rules, workflow, route_of(workflow))
    return [*own, *([route_of(workflow)] if workflow.strategy == "cascade" and len(own) > 1 else [])]


def route_of(workflow: Workflow) -> str:
    """Return the name that asks for the workflow's whole route."""
    return f"{AUTO}:{workflow.name}"


def models_of(rules: Rules, workflow: Workflow, name: str) -> tuple[str, ...]:
    """Return the models that may answer under a name."""
    if name != route_of(workflow):
        return (name,)
    fitting = (one.id for one in rules.catalog.models.values() if workflow.knows in one.tasks or not one.tasks)
    return workflow.candidates or tuple(fitting)


def subjects(
    rules: Rules, workflow: Workflow, wanted: Iterable[str], bundle: Callable[[Sequence[str]], Bundle]
) -> tuple[Subject, ...]:
    """Return the subjects of these names; `bundle` names what answers for some models."""
    found = []
    for name in wanted:
        models = [rules.catalog.models[one] for one in models_of(rules, workflow, name)]
        tier = None if name == route_of(workflow) else rules.catalog.endpoints[models[0].endpoint].tier
        made = Subject(
            name=name,
            model=name,
            tier=tier,
            bundle=bundle([one.id for one in models]),
            family=family(models),
            language_model=any(_is_language_model(rules, one) for one in models),
        )
        found.append(made)
    return tuple(found)


def _is_language_model(rules: Rules, model: Model) -> bool:
    engine = rules.catalog.endpoints[model.endpoint].engine
    return engine is None or engine.format == "gguf"


def family(models: Iterable[Model]) -> str:
    """Return who made the models, with `+` between: as their rows say, else the first word of the served name."""
    return "+".join(sorted({made for model in models if (made := _maker(model))}))


def _maker(model: Model) -> str:
    if model.family is not None:
        return model.family.casefold()
    word = _FAMILY.search(model.served_name.rpartition("/")[2])
    return word[0].casefold() if word else ""


def related(one: str, other: str) -> bool:
    """Say whether two families have a maker in common."""
    return bool(set(filter(None, one.split("+"))) & set(filter(None, other.split("+"))))
