"""What would answer, as far as Tierwise can know? Until certificates are merged: models, rules and gates."""

import hashlib

import msgspec

from tierwise.core.bundle import Bundle
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow


def bundle_of(rules: Rules, workflow: Workflow, model: str) -> Bundle:
    """Return the bundle of a model, or of the whole route for `auto:WORKFLOW`."""
    names = workflow.candidates if model.startswith("auto:") else (model,)
    found = [(name, rules.catalog.models[name]) for name in names]
    models = tuple((name, f"{rules.catalog.endpoints[one.endpoint].kind}:{one.served_name}") for name, one in found)
    gates = hashlib.sha256(msgspec.json.encode(workflow.gates, order="deterministic")).hexdigest()
    return Bundle(
        workflow=workflow.name,
        models=models,
        policy=rules.policy.digest,
        gates=gates,
        scorer=workflow.scorer or "",
        prompt=workflow.prompt or "",
    )
