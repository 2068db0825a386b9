"""How long does a call wait for the ledger, and when is it refused? The three writes that it waits for, watched.

Invariant: what the store returns or raises comes back as it is; what is measured is what a caller waits for, refusals
too.
"""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from time import perf_counter
from typing import TypeVar

from tierwise.core.decision import Decision
from tierwise.core.errors import StoreError
from tierwise.core.label import Label
from tierwise.ledger.contents import Contents
from tierwise.ledger.holds import Account
from tierwise.ledger.intent import Intent
from tierwise.ledger.protocol import Calls

T = TypeVar("T")


class Timed:
    """A store that tells `took` in one word what was written and how many seconds that took.

    `failed` gets what a write raised, and the id of its call.
    """

    def __init__(
        self, store: Calls, took: Callable[[str, float], None], failed: Callable[[StoreError, str], None]
    ) -> None:
        self._store, self._took, self._failed = store, took, failed
        self.alone = store.alone

    async def intent(self, intent: Intent, accounts: Sequence[Account] = ()) -> Account | None:
        """As the store's."""
        return await self._timed("intent", intent.id, self._store.intent(intent, accounts))

    async def hold(self, ident: str, amount_usd: Decimal, accounts: Sequence[Account]) -> Account | None:
        """As the store's."""
        return await self._timed("hold", ident, self._store.hold(ident, amount_usd, accounts))

    async def outcome(self, decision: Decision, content: Contents | None = None) -> object:
        """As the store's."""
        return await self._timed("outcome", decision.id, self._store.outcome(decision, content))

    async def session_label(self, key_id: str | None, session: str, since_ts: float = 0.0) -> Label | None:
        """As the store's."""
        return await self._store.session_label(key_id, session, since_ts)

    async def _timed(self, what: str, ident: str, write: Awaitable[T]) -> T:
        began = perf_counter()
        try:
            return await write
        except StoreError as error:
            self._failed(error, ident)
            raise
        finally:
            self._took(what, perf_counter() - began)
