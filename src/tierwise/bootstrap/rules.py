"""What is in force, by the settings? Checked whole: a reference that leads nowhere is an error, and so is a leak.

Opens nothing.
"""

import importlib
import time
from collections.abc import Callable, Iterator

import msgspec

from tierwise.config import Document, Settings
from tierwise.core.errors import ConfigError
from tierwise.core.secret import Secret
from tierwise.core.usage import Price
from tierwise.evals import certificates
from tierwise.gateway import priced
from tierwise.gateway.priced import owned
from tierwise.gateway.rules import Rules, environments, usual_strategy
from tierwise.gateway.soundness import refuse
from tierwise.gateway.workflow import Workflow
from tierwise.policy.detect import Detectors
from tierwise.policy.judge import Policy
from tierwise.registry import kept
from tierwise.registry.catalog import Catalog
from tierwise.registry.kinds import known_prices
from tierwise.registry.load import load as load_catalog
from tierwise.registry.load import nearest


def rules_from(settings: Settings) -> Rules:
    """Build what is in force from the settings; raises ConfigError for a reference that leads nowhere, or a leak."""
    document = settings.document
    probed = kept.read(settings.probes_path)
    catalog = owned(
        load_catalog(document.endpoint, document.model, settings.secret, probed, settings.prices), document.machine
    )
    longest = max(document.budget, key=lambda budget: budget.window_s, default=None)
    if longest and document.ledger.keep_s is not None and document.ledger.keep_s < longest.window_s:
        raise ConfigError(
            f"ledger.keep is shorter than the window of a budget ({longest.window}), which would forget what was spent",
            key="ledger.keep",
        )
    rules = Rules(
        catalog=catalog,
        policy=Policy(document.labels, document.rule, environments(document.workflow)),
        labels=document.labels,
        detectors=Detectors(document.labels, clock=time.monotonic, load=importlib.import_module),
        workflows=_workflows(document, catalog),
        budgets=document.budget,
        fallback=document.fallback,
        breaker=document.breaker,
        default_strategy=usual_strategy(document.labels),
        ledger=document.ledger,
        secrets=tuple(_secrets(settings, catalog)),
        trace_to=document.telemetry.pass_on_to,
    )
    refuse(rules, document.rule)
    for release in settings.rollouts:
        rules = rules.rolled_out(release)
    return msgspec.structs.replace(rules, certified=certificates.certified(rules, settings))


def prices_at(settings: Settings) -> dict[str, Callable[[float], Price | None]]:
    """Return, for each model that has one, its price at a Unix time."""
    rows = (*known_prices(), *settings.document.price)
    return priced.prices_at(promised(settings), rows, {row.id: row.price for row in settings.document.model})


def promised(settings: Settings) -> Catalog:
    """Return what exists as the rows say it, whatever was probed."""
    document = settings.document
    known = load_catalog(document.endpoint, document.model, settings.secret, prices=settings.prices)
    return owned(known, document.machine)


def _secrets(settings: Settings, catalog: Catalog) -> Iterator[Secret]:
    """Give the keys that this gateway shows and takes, as far as they are set."""
    yield from (endpoint.key for endpoint in catalog.endpoints.values() if endpoint.key is not None)
    document = settings.document
    named = [row.secret for row in document.key] + list(document.telemetry.headers.values())
    named += [one for one in (document.ledger.password, document.server.key_pepper) if one is not None]
    yield from (secret for name in named if (secret := settings.secret(name)) is not None)


def _workflows(document: Document, catalog: Catalog) -> dict[str, Workflow]:
    found: dict[str, Workflow] = {}
    for workflow in document.workflow:
        if workflow.name in found:
            raise ConfigError(f"two workflows are named {workflow.name!r}", key="workflow.name")
        named = [
            ("candidates", workflow.candidates),
            ("trusted", workflow.trusted),
            ("weights", tuple(workflow.weights)),
        ]
        named.append(("baseline", (workflow.baseline,) if workflow.baseline else ()))
        for field, models in named:
            for model in models:
                if model not in catalog.models:
                    raise ConfigError(
                        f"workflow {workflow.name!r}: {field} names the model {model!r}, which does not exist"
                        f"{nearest(model, catalog.models)}",
                        key=f"workflow.{workflow.name}.{field}",
                    )
        found[workflow.name] = workflow
    return found
