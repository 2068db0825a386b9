"""The ledger as the gateway is given it: every outcome that became durable, and every write that failed, is seen.

Adds nothing to what the ledger does, and waits for nothing of its own.
Invariant: what the ledger returns or raises comes back as it is.
"""

from collections.abc import Sequence
from decimal import Decimal

from tierwise.core.decision import Decision
from tierwise.core.errors import StoreBusy, StoreError
from tierwise.core.label import Label
from tierwise.incidents.watch import LEDGER, Watch
from tierwise.ledger.contents import Contents
from tierwise.ledger.holds import Account
from tierwise.ledger.intent import Intent
from tierwise.ledger.protocol import Calls


class Watched:
    """The ledger, watched."""

    def __init__(self, ledger: Calls, watch: Watch) -> None:
        self._ledger, self._watch = ledger, watch
        self.alone = ledger.alone

    async def intent(self, intent: Intent, accounts: Sequence[Account] = ()) -> Account | None:
        """As the ledger does."""
        try:
            return await self._ledger.intent(intent, accounts)
        except StoreError as error:
            self._seen(error, intent.id)
            raise

    async def hold(self, ident: str, amount_usd: Decimal, accounts: Sequence[Account]) -> Account | None:
        """As the ledger does."""
        try:
            return await self._ledger.hold(ident, amount_usd, accounts)
        except StoreError as error:
            self._seen(error, ident)
            raise

    async def outcome(self, decision: Decision, content: Contents | None = None) -> object:
        """As the ledger does."""
        try:
            number = await self._ledger.outcome(decision, content)
        except StoreError as error:
            self._seen(error, decision.id)
            raise
        self._watch.finished(decision)
        return number

    async def session_label(self, key_id: str | None, session: str, since_ts: float = 0.0) -> Label | None:
        """As the ledger does."""
        return await self._ledger.session_label(key_id, session, since_ts)

    def _seen(self, error: StoreError, ident: str) -> None:
        """Keep that a write failed; one for which only no time was left may be done again, and breaks no promise."""
        if not isinstance(error, StoreBusy):
            self._watch.saw("unwritten", LEDGER, (ident,))
