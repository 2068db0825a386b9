"""Which ledger has a gateway that may only decide? None: what it is asked to record is refused.

Invariant: nothing is ever kept.
"""

from collections.abc import Sequence
from decimal import Decimal

from tierwise.core.decision import Decision
from tierwise.core.errors import StoreError
from tierwise.core.label import Label
from tierwise.ledger import holds
from tierwise.ledger.contents import Contents
from tierwise.ledger.intent import Intent


class Nothing:
    """Refuses: a dry run that would record something is a mistake."""

    alone = True

    async def intent(self, intent: Intent, accounts: Sequence[holds.Account] = ()) -> holds.Account | None:
        """Refuse."""
        raise StoreError("a dry run records nothing")

    async def hold(self, ident: str, amount_usd: Decimal, accounts: Sequence[holds.Account]) -> holds.Account | None:
        """Refuse."""
        raise StoreError("a dry run records nothing")

    async def outcome(self, decision: Decision, content: Contents | None = None) -> object:
        """Refuse."""
        raise StoreError("a dry run records nothing")

    async def session_label(self, key_id: str | None, session: str, since_ts: float = 0.0) -> Label | None:
        """Know no sessions."""
        return None
