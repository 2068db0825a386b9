"""How long does a call wait for the ledger? The four methods that it waits for, with a clock around three of them.

Invariant: what is measured is what a caller waits for, refusals too; nothing else changes.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from time import perf_counter

from tierwise.core.decision import Decision
from tierwise.core.label import Label
from tierwise.ledger.contents import Contents
from tierwise.ledger.holds import Account
from tierwise.ledger.intent import Intent
from tierwise.ledger.protocol import Calls


class Timed:
    """A store that tells `took` what was written, in one word, and how many seconds that took."""

    def __init__(self, store: Calls, took: Callable[[str, float], None]) -> None:
        self._store, self._took = store, took
        self.alone = store.alone

    async def intent(self, intent: Intent, accounts: Sequence[Account] = ()) -> Account | None:
        """As the store's."""
        began = perf_counter()
        try:
            return await self._store.intent(intent, accounts)
        finally:
            self._took("intent", perf_counter() - began)

    async def hold(self, ident: str, amount_usd: Decimal, accounts: Sequence[Account]) -> Account | None:
        """As the store's."""
        began = perf_counter()
        try:
            return await self._store.hold(ident, amount_usd, accounts)
        finally:
            self._took("hold", perf_counter() - began)

    async def outcome(self, decision: Decision, content: Contents | None = None) -> object:
        """As the store's."""
        began = perf_counter()
        try:
            return await self._store.outcome(decision, content)
        finally:
            self._took("outcome", perf_counter() - began)

    async def session_label(self, key_id: str | None, session: str, since_ts: float = 0.0) -> Label | None:
        """As the store's."""
        return await self._store.session_label(key_id, session, since_ts)
