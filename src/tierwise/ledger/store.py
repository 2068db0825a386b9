"""How does one gateway keep its ledger? The store in a file of SQLite.

One process at a time writes to the file (`lock`), so that its own bookkeeping of budgets is exact; several processes
need the store in PostgreSQL. Invariants: those of `protocol.Store`.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Self

from tierwise.core.decision import Decision
from tierwise.core.errors import StoreError
from tierwise.ledger import audit_tables, tables
from tierwise.ledger.contents import Contents
from tierwise.ledger.history import History
from tierwise.ledger.holds import ZERO, Account, Holds
from tierwise.ledger.intent import Intent
from tierwise.ledger.settings import LedgerSettings
from tierwise.ledger.tables import hold_row, intent_row, record_row
from tierwise.ledger.writer import Chore, Options, Stop, Writer


class Ledger(History):
    """The one writer of the ledger at `path`. Belongs to the event loop in which it was opened."""

    alone = True

    def __init__(self, path: Path, options: Options) -> None:
        super().__init__(path)
        self._writer = Writer(path, options)
        self._holds, self._clock, self._signer = Holds(), options.clock, options.signer
        self._closed = False
        self.interrupted = 0

    @classmethod
    async def open(cls, path: Path, settings: LedgerSettings | None = None, options: Options | None = None) -> Self:
        """Open the ledger, creating it where missing; close the intents that a dead process left open.

        `settings` gives durability and retention (its `path` is not read here); `options` is for tests of limits.
        `StoreError` where another process writes to it, or the file cannot be used.
        """
        settings = settings or LedgerSettings()
        ledger = cls(path, options or _options(settings))
        ledger.interrupted = await ledger._writer.open()
        return ledger

    @property
    def pending_rows(self) -> int:
        """How many rows wait for the disk."""
        return self._writer.pending_rows

    async def enforce(self, accounts: Sequence[Account]) -> None:
        """Tell the accounts what had been spent in their windows."""
        for account in accounts:
            now, window_s = self._clock(), account.budget.window_s
            start = now - now % window_s
            account.seen(start=start, spent=await self.spent_usd(start, account.budget.scope), reserved=ZERO)

    async def intent(self, intent: Intent, accounts: Sequence[Account] = ()) -> Account | None:
        """Return when the intent is durable, and what it reserves is set aside in all accounts or in none.

        This process alone writes to the file, so its accounts are exact; the row says what a restart has to count.
        """
        self._check_open()
        short = self._holds.place(intent.id, intent.reserved_usd or ZERO, accounts, self._clock())
        try:
            await self._writer.write(intent_row(intent, ZERO if short else intent.reserved_usd))
        except StoreError:
            self._holds.settle(intent.id, ZERO, self._clock())
            raise
        return short

    async def hold(self, ident: str, amount_usd: Decimal, accounts: Sequence[Account]) -> Account | None:
        """Set the amount aside for the open call instead of what it held, in all accounts or in none; durable."""
        self._check_open()
        before = self._holds.of(ident)
        short = self._holds.place(ident, amount_usd, accounts, self._clock())
        if short is None:
            try:
                await self._writer.write(hold_row(ident, amount_usd))
            except StoreError:
                self._holds.place(ident, min(before, amount_usd), accounts, self._clock())
                raise
        return short

    async def outcome(self, decision: Decision, content: Contents | None = None) -> int:
        """Return the record's number when it is durable, its content with it; closes the intent of the same id, if any.

        Recording the same decision twice gives the same number; another record for the same id is refused.
        """
        self._check_open()
        try:
            return await self._writer.write(record_row(decision, content=content))
        finally:  # the money is spent, written or not
            self._holds.settle(decision.id, decision.charged_usd or ZERO, self._clock())

    async def prune(self, before_ts: float) -> int:
        """Delete the records from before this Unix time; return how many there were. Writes go on meanwhile."""
        self._check_open()
        return await self._writer.ask(Chore(partial(tables.prune, before_ts=before_ts, signer=self._signer)))

    async def notarise(self) -> int:
        """Take what was recorded since the last time into the audited log, and sign it; return how much that was."""
        self._check_open()
        if self._signer is None:
            raise StoreError(f"{self._path}: no key signs this ledger")
        return await self._writer.ask(Chore(partial(audit_tables.notarised, signer=self._signer, clock=self._clock)))

    async def close(self) -> None:
        """Commit what is queued and close the file; intents that are still open stay so."""
        if not self._closed:
            self._closed = True
            await super().close()  # first, so that the writer is the last to close and folds its log into the file
            await self._writer.ask(Stop())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self._path}: the ledger is closed")


def _options(row: LedgerSettings) -> Options:
    return Options(durability=row.durability, keep_s=row.keep_s, content_keep_s=row.content_keep_s)
