"""What may a user write about endpoints and models? The rows `[[endpoint]]` and `[[model]]` of the configuration.

Invariant: a row holds only what was written; defaults by kind are filled in by `registry.load`.
"""

from typing import Annotated, Literal

import msgspec

from tierwise.core.label import Tier
from tierwise.core.model import Capability, Environment, Limits
from tierwise.core.usage import Price

Agreement = Literal["none", "dpa", "baa"]


class EndpointRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[endpoint]]`. `key` is a reference such as `env:NAME`, never the secret; `file`, `context_tokens` and
    `threads` are for engines that Tierwise starts itself. `slots` is how many requests it answers at the same time. One
    that is not `enabled` exists, is shown, and is never asked. `wires` are the wire formats that this server speaks,
    where they are not those of its kind; the one to prefer first. `networks` (CIDR) are those that the address of its
    host must lie in."""

    name: str
    kind: str
    enabled: bool = True
    url: str | None = None
    wires: tuple[str, ...] | None = None
    tier: Tier | None = None
    key: str | None = None
    ca_file: str | None = None
    networks: tuple[str, ...] = ()
    region: str | None = None
    retention_days: int | None = None
    trains_on_data: bool | None = None
    agreement: Agreement | None = None
    sla: str | None = None
    environment: Environment | None = None
    limits: Limits = Limits()
    file: str | None = None
    context_tokens: int | None = None
    slots: Annotated[int, msgspec.Meta(ge=1)] | None = None
    threads: int = 0


class ModelRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[model]]`. `served_name` defaults to `id`, `capabilities` to those of the endpoint's kind. `family` is who
    made it, or the weights that it was made from: no model judges its own family."""

    id: str
    endpoint: str
    served_name: str | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: tuple[Capability, ...] | None = None
    price: Price | None = None
    tasks: tuple[str, ...] = ()
    strength: float | None = None
    family: str | None = None
