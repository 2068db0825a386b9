"""Is there money left for this call? Budgets: what is spent, what is reserved, what may still be spent.

Pure: time is an argument, amounts are `Decimal`. The gateway keeps one `Account` per budget; the ledger's store sets
aside and settles in it, and makes it agree with what other processes spend.
Invariant: `spent + reserved` never exceeds the limit by a reservation that was granted; every reservation is
settled or released exactly once.
"""

from decimal import Decimal
from typing import Literal

import msgspec

ZERO = Decimal(0)
WINDOW_S = {"1h": 3600, "1d": 86_400, "7d": 604_800, "30d": 2_592_000}


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A spending limit over UTC windows. `scope` is `all`, `workflow:NAME` or `key:NAME`."""

    scope: str
    limit_usd: Decimal
    window: Literal["1h", "1d", "7d", "30d"] = "1d"
    soft_limit_usd: Decimal | None = None
    on_limit: Literal["downgrade", "reject"] = "reject"

    @property
    def window_s(self) -> int:
        """Return the length of a window."""
        return WINDOW_S[self.window]

    def covers(self, workflow: str | None, key_id: str | None) -> bool:
        """Say whether a call of this workflow and key counts against the budget."""
        return self.scope in ("all", f"workflow:{workflow}", f"key:{key_id}")


def window_start(window: str, now: float) -> float:
    """Return the Unix time at which the window that holds `now` began; windows are aligned to the epoch (UTC)."""
    length = WINDOW_S[window]
    return now - now % length


class Account:
    """One budget's running state."""

    __slots__ = ("budget", "reserved", "spent", "start")

    def __init__(self, budget: Budget, *, spent: Decimal, now: float) -> None:
        self.budget = budget
        self.start = window_start(budget.window, now)
        self.spent = spent
        self.reserved = ZERO

    def left(self, now: float) -> Decimal:
        """Return what may still be reserved; what is reserved now carries over into a new window."""
        start = window_start(self.budget.window, now)
        if start > self.start:
            self.start, self.spent = start, ZERO
        return self.budget.limit_usd - self.spent - self.reserved

    def seen(self, *, start: float, spent: Decimal, reserved: Decimal) -> None:
        """Take over what the store says: spent since the window's start, reserved now by every process."""
        self.start, self.spent, self.reserved = start, spent, reserved

    def over_soft_limit(self) -> bool:
        """Say whether the soft limit has been reached, from which on metered candidates are avoided."""
        soft = self.budget.soft_limit_usd
        return soft is not None and self.spent + self.reserved >= soft

    def reserve(self, amount: Decimal, now: float) -> bool:
        """Set the amount aside, or return False and change nothing."""
        if amount > self.left(now):
            return False
        self.reserved += amount
        return True

    def settle(self, reserved: Decimal, cost: Decimal, now: float) -> None:
        """Replace a reservation by what the call really cost."""
        self.left(now)
        self.reserved -= reserved
        self.spent += cost
