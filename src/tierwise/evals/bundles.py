"""Which bundle answers now? Made of the rules in force and the weights behind them.

Acts only by reading what a workflow names: its prompt, and a scorer of the user's own.
Invariant: what is read twice of the same parts is the same bundle; a part that cannot be read is "" and no other's.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from tierwise.core.bundle import Bundle
from tierwise.core.errors import ConfigError
from tierwise.evals.prompts import Prompts
from tierwise.evals.weights import FILE, Weights, weights
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow

OWN_SCORER = "python:"


class Place(Protocol):
    """Where things lie: `home` keeps what was made here, relative paths that a workflow names start at `base`."""

    @property
    def home(self) -> Path:
        """Return the data directory."""

    @property
    def base(self) -> Path:
        """Return the folder of the configuration."""


def bundle_now(rules: Rules, workflow: Workflow, models: Sequence[str], place: Place) -> Bundle:
    """Return what answers now, after naming the weights of these models; hashes files that are new."""
    return bundle_of(rules, workflow, models, weights(rules.catalog, models, place.home / FILE), place)


def bundle_of(rules: Rules, workflow: Workflow, models: Sequence[str], named: Weights, place: Place) -> Bundle:
    """Return the bundle of these models in this workflow.

    The strictness of `gates.min_logprob` is no part of it: a certificate sets that.
    """
    gates = msgspec.structs.replace(workflow.gates, min_logprob=None)
    return Bundle(
        workflow=workflow.name,
        models=tuple((name, named.names.get(name, "")) for name in sorted(set(models))),
        prompt=_prompt(workflow.prompt, place),
        engine=_engines(named.engines.get(name, "") for name in models),
        policy=rules.policy.digest,
        gates="sha256:" + hashlib.sha256(msgspec.json.encode(gates, order="deterministic")).hexdigest(),
        scorer=_scorer(workflow.scorer, place.base),
    )


def together(bundles: Sequence[Bundle]) -> Bundle:
    """Return one bundle for what was measured with several; ValueError where they differ in more than their models."""
    parts = [msgspec.structs.replace(one, models=(), engine="") for one in bundles]
    models = dict(model for one in bundles for model in one.models)
    if any(part != parts[0] for part in parts) or any(dict(one.models).items() - models.items() for one in bundles):
        raise ValueError("the bundles differ in more than their models")
    engines = _engines(name for one in bundles for name in one.engine.split(", "))
    return msgspec.structs.replace(parts[0], models=tuple(sorted(models.items())), engine=engines)


def _engines(names: Iterable[str]) -> str:
    return ", ".join(sorted({name for name in names if name}))


def _prompt(wanted: str | None, place: Place) -> str:
    try:
        return "" if wanted is None else Prompts(place.home).find(wanted, place.base).digest
    except ConfigError:
        return ""


def _scorer(spec: str | None, base: Path) -> str:
    """Return what names the scorer; a function in a file of the user's is named by what stands there."""
    if spec is None or not spec.startswith(OWN_SCORER):
        return spec or ""
    file = base / Path(spec.removeprefix(OWN_SCORER).rpartition(":")[0]).expanduser()
    try:
        return f"{spec} sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    except OSError:
        return spec
