"""What can be asked for by name? The list of models, in both shapes that clients read.

Knows no HTTP. Invariant: both shapes list the same names in the same order.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tierwise.core.capacity import CapacityRecord
from tierwise.core.grant import Grant
from tierwise.gateway.decide import AUTO
from tierwise.gateway.rules import Rules

_encode = msgspec.json.Encoder().encode
_LONG_AGO = "1970-01-01T00:00:00Z"
"""Both shapes want a date; when a model was made is not known here."""


Known = Mapping[str, CapacityRecord]


def names(rules: Rules, capacity: Known) -> dict[str, dict[str, Any]]:
    """Return what may stand in `model`, each with what is known of it, and of how busy it is."""
    found: dict[str, dict[str, Any]] = {AUTO: {}}
    found |= {f"{AUTO}:{name}": {} for name in rules.workflows}
    for model in rules.catalog.models.values():
        endpoint = rules.catalog.endpoints[model.endpoint]
        found[model.id] = {
            "tier": endpoint.tier,
            "endpoint": endpoint.name,
            "context_tokens": model.context_tokens,
            "max_output_tokens": model.max_output_tokens,
            "capabilities": sorted(model.capabilities),
            "wires": endpoint.wires,
            "tasks": model.tasks,
            "unusable": rules.catalog.unusable.get(endpoint.name),
            "capacity": capacity.get(model.id),
        }
    return found


def listed(rules: Rules, grant: Grant | None, *, messages: bool, capacity: Known) -> bytes:
    """Write the list of what a key may use as clients of the Messages wire read it, or as all others do."""
    rows = [
        row(name, facts, messages=messages)
        for name, facts in names(rules, capacity).items()
        if not facts or grant is None or grant.allows_model(name)
    ]
    if not messages:
        return _encode({"object": "list", "data": rows})
    return _encode({"data": rows, "has_more": False, "first_id": rows[0]["id"], "last_id": rows[-1]["id"]})


def row(name: str, facts: dict[str, Any], *, messages: bool) -> dict[str, Any]:
    """Write one model; what Tierwise knows beyond the shape stands under a name of its own."""
    more = {"tierwise": facts} if facts else {}
    if messages:
        return {"type": "model", "id": name, "display_name": name, "created_at": _LONG_AGO} | more
    return {"id": name, "object": "model", "created": 0, "owned_by": facts.get("endpoint", "tierwise")} | more
