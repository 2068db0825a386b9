"""Which bundle answers now? Made of the rules in force and the weights behind them.

Pure but for reading the two small files that a workflow may name, its prompt and its own scorer.
Invariant: what is read twice of the same parts is the same bundle; a part that cannot be read is "" and no other's.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from tierwise.core.bundle import Bundle
from tierwise.evals.weights import Weights
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow

OWN_SCORER = "python:"


def bundle_of(rules: Rules, workflow: Workflow, models: Sequence[str], weights: Weights, base: Path) -> Bundle:
    """Return the bundle of these models in this workflow; relative paths that it names start at BASE.

    The strictness of `gates.min_logprob` is no part of it: a certificate sets that.
    """
    gates = msgspec.structs.replace(workflow.gates, min_logprob=None)
    return Bundle(
        workflow=workflow.name,
        models=tuple((name, weights.names.get(name, "")) for name in sorted(set(models))),
        prompt="" if workflow.prompt is None else _digest(base / workflow.prompt),
        engine=_engines(weights.engines.get(name, "") for name in models),
        policy=rules.policy.digest,
        gates="sha256:" + hashlib.sha256(msgspec.json.encode(gates, order="deterministic")).hexdigest(),
        scorer=_scorer(workflow.scorer, base),
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


def _scorer(spec: str | None, base: Path) -> str:
    """Return what names the scorer; a function in a file of the user's is named by what stands there."""
    if spec is None or not spec.startswith(OWN_SCORER):
        return spec or ""
    return f"{spec} {_digest(base / spec.removeprefix(OWN_SCORER).rpartition(':')[0])}"


def _digest(path: Path) -> str:
    try:
        return "sha256:" + hashlib.sha256(path.expanduser().read_bytes()).hexdigest()
    except OSError:
        return ""
