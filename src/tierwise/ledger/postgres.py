"""How do several gateways on several machines share one ledger? The store in PostgreSQL.

Several processes may open the same database; each numbers, admits and settles in its turn (`postgres_tables`).
Invariants: those of `protocol.Store`; and a budget is exact across all processes, for an admission is a commit.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Self

from tierwise.core.decision import Decision
from tierwise.core.errors import StoreError
from tierwise.ledger import postgres_audit
from tierwise.ledger import postgres_tables as tables
from tierwise.ledger.contents import Contents
from tierwise.ledger.holds import ZERO, Account
from tierwise.ledger.intent import Intent
from tierwise.ledger.postgres_history import PostgresHistory
from tierwise.ledger.postgres_tables import Answer, Entry
from tierwise.ledger.postgres_writer import LEASE_S, PostgresWriter
from tierwise.ledger.tables import hold_row, intent_row, record_row
from tierwise.ledger.writer import Options
from tierwise.postgres.connect import Place


class PostgresLedger(PostgresHistory):
    """One of the writers of the ledger in this database. Belongs to the event loop in which it was opened."""

    alone = False

    def __init__(self, where: Place, options: Options, lease_s: float) -> None:
        super().__init__(where)
        self._writer, self._options = PostgresWriter(where, options, lease_s), options
        self._closed = False
        self.interrupted = 0

    @classmethod
    async def open(cls, where: Place, options: Options | None = None, lease_s: float = LEASE_S) -> Self:
        """Open the ledger, making its tables where missing; close the intents that dead processes left open.

        A process that was killed is dead when it has been silent for `lease_s`.
        """
        ledger = cls(where, options or Options(), lease_s)
        ledger.interrupted = await ledger._writer.open()
        return ledger

    @property
    def pending_rows(self) -> int:
        """How many rows wait for the server."""
        return self._writer.pending_rows

    async def enforce(self, accounts: Sequence[Account]) -> None:
        """Tell the accounts what had been spent and set aside in their windows; from here on they are kept true."""
        self._check_open()
        await self._writer.ask(lambda db: tables.enforce(db, accounts, self._writer.believed))
        self._writer.accounts += [one for one in accounts if all(one is not known for known in self._writer.accounts)]

    async def intent(self, intent: Intent, accounts: Sequence[Account] = ()) -> Account | None:
        """Return when the intent is durable, and what it reserves is set aside in all accounts or in none."""
        self._check_open()
        amount = intent.reserved_usd or ZERO
        row = intent_row(intent, intent.reserved_usd)
        return _short(await self._writer.write(Entry(row=row, accounts=tuple(accounts), amount_usd=amount)))

    async def hold(self, ident: str, amount_usd: Decimal, accounts: Sequence[Account]) -> Account | None:
        """Set the amount aside for the open call instead of what it held, in all accounts or in none; durable."""
        self._check_open()
        row = hold_row(ident, amount_usd)
        return _short(await self._writer.write(Entry(row=row, accounts=tuple(accounts), amount_usd=amount_usd)))

    async def outcome(self, decision: Decision, content: Contents | None = None) -> int:
        """Return the record's number when it is durable, its content with it; closes the intent of the same id, if any.

        What the call held is given back and its cost counted, with the record and exactly once. Recording the same
        decision twice gives the same number; another record for the same id is refused.
        """
        self._check_open()
        answer = await self._writer.write(Entry(row=record_row(decision, content=content)))
        return answer if isinstance(answer, int) else 0

    async def prune(self, before_ts: float) -> int:
        """Delete the records from before this Unix time; return how many there were. Writes go on meanwhile."""
        self._check_open()
        total = 0
        while deleted := await self._writer.ask(lambda db: tables.prune(db, before_ts, self._options.signer)):
            total += deleted
        return total

    async def notarise(self) -> int:
        """Take what was recorded since the last time into the audited log, and sign it; return how much that was."""
        self._check_open()
        signer, total = self._options.signer, 0
        if signer is None:
            raise StoreError(f"{self._where}: no key signs this ledger")
        while done := await self._writer.ask(lambda db: postgres_audit.notarised(db, signer)):
            total += done
        return total

    async def close(self) -> None:
        """Commit what is queued and let go of the server; intents that are still open are closed by whoever is next."""
        if not self._closed:
            self._closed = True
            await asyncio.gather(super().close(), self._writer.close())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self._where}: the ledger is closed")


def _short(answer: Answer) -> Account | None:
    return None if isinstance(answer, int | StoreError) else answer
