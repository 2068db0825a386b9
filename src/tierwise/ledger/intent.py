"""What is about to be done? The small row that stands in the ledger before the first byte goes upstream.

It holds what the record needs if the outcome never comes; candidates and attempts come only with the outcome.
Invariant: an intent whose writer died becomes exactly one record with outcome `interrupted`.
"""

from decimal import Decimal

import msgspec

from tierwise.core.call import Features
from tierwise.core.decision import Decision, Labelled, Outcome
from tierwise.core.label import Tier


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is about to go to `chosen` at `endpoint`. `reserved_usd` is the most that it may cost, if metered."""

    id: str
    ts: float
    requested_model: str
    caller_wire: str
    features: Features
    label: Labelled
    chosen: str
    endpoint: str
    tier: Tier
    reserved_usd: Decimal | None = None
    workflow: str | None = None
    session: str | None = None
    key_id: str | None = None
    team: str | None = None
    strategy: str | None = None
    policy_digest: str = ""
    price_digest: str = ""
    registry_digest: str = ""

    def decision(self, outcome: Outcome, reason: str) -> Decision:
        """Return the record as far as it was known before the call went out."""
        return Decision(
            id=self.id,
            ts=self.ts,
            requested_model=self.requested_model,
            caller_wire=self.caller_wire,
            features=self.features,
            label=self.label,
            workflow=self.workflow,
            session=self.session,
            key_id=self.key_id,
            team=self.team,
            strategy=self.strategy,
            policy_digest=self.policy_digest,
            price_digest=self.price_digest,
            registry_digest=self.registry_digest,
            chosen=self.chosen,
            reason=reason,
            outcome=outcome,
        )
