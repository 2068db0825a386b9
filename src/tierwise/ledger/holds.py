"""How much has each open call set aside, and in which accounts? The bookkeeping of reservations for one process.

Adds nothing up itself: an account does, handed in by whoever knows budgets. Pure: time is an argument.
Invariant: an amount is set aside in all accounts of a call or in none, and given back exactly once.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

ZERO = Decimal(0)


class Budget(Protocol):
    """What a store needs of a budget. `scope` is `all` or a workflow's, team's or key's; windows are aligned to UTC."""

    @property
    def scope(self) -> str:
        """Return whose spending is meant."""

    @property
    def limit_usd(self) -> Decimal:
        """Return what may be spent in a window."""

    @property
    def window_s(self) -> int:
        """Return how long a window is."""


class Account(Protocol):
    """What a store needs of `economics.budget.Account`, a budget's running state: US dollars, Unix seconds."""

    @property
    def budget(self) -> Budget:
        """Return the budget."""

    start: float
    spent: Decimal
    reserved: Decimal

    def reserve(self, amount: Decimal, now: float) -> bool:
        """Set the amount aside, or return False and change nothing."""

    def settle(self, reserved: Decimal, cost: Decimal, now: float) -> None:
        """Replace a reservation by what the call really cost."""

    def seen(self, *, start: float, spent: Decimal, reserved: Decimal) -> None:
        """Take over what the store says: spent since the window's start, reserved now."""


def change(before: Decimal, amount: Decimal, accounts: Sequence[Account], now: float) -> Account | None:
    """Set `amount` aside where `before` was, in all accounts; return the first that has too little, changing none."""
    more = amount - before
    for place, account in enumerate(accounts):
        if more <= 0:
            account.settle(-more, ZERO, now)
        elif not account.reserve(more, now):
            for done in accounts[:place]:
                done.settle(more, ZERO, now)
            return account
    return None


class Holds:
    """What the open calls of this process have set aside."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Decimal, tuple[Account, ...]]] = {}

    def of(self, ident: str) -> Decimal:
        """Return what the call has set aside in each of its accounts."""
        return self._held.get(ident, (ZERO, ()))[0]

    def place(self, ident: str, amount: Decimal, accounts: Sequence[Account], now: float) -> Account | None:
        """Set the call's amount aside instead of what it had; return the account that has too little, if one has."""
        if not accounts:
            return None
        short = change(self.of(ident), amount, accounts, now)
        if short is None:
            self._held[ident] = (amount, tuple(accounts))
        return short

    def settle(self, ident: str, cost: Decimal, now: float) -> None:
        """Give back what the call had set aside and count its cost; does nothing the second time."""
        amount, accounts = self._held.pop(ident, (ZERO, ()))
        for account in accounts:
            account.settle(amount, cost, now)
