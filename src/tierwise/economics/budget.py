"""Is there money left for this call? Budgets: what is spent, what is reserved, what may still be spent.

Pure: time is an argument, amounts are `Decimal`. The gateway keeps one `Account` per budget; the ledger's store sets
aside and settles in it, and makes it agree with what other processes spend.
Invariant: `spent + reserved` never exceeds the limit by a reservation that was granted; every reservation is
settled or released exactly once.
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

ZERO = Decimal(0)
REMEMBERED_WINDOWS = 8
WINDOW_S = {"1h": 3600, "1d": 86_400, "7d": 604_800, "30d": 2_592_000}


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A spending limit over UTC windows. `scope` is `all`, `workflow:NAME`, `team:NAME` or `key:NAME`."""

    scope: Annotated[str, msgspec.Meta(pattern="^(all|(workflow|team|key):.+)$")]
    limit_usd: Decimal
    window: Literal["1h", "1d", "7d", "30d"] = "1d"
    soft_limit_usd: Decimal | None = None
    on_limit: Literal["downgrade", "reject"] = "reject"

    @property
    def window_s(self) -> int:
        """Return the length of a window."""
        return WINDOW_S[self.window]

    def covers(self, workflow: str | None, key_id: str | None, team: str | None = None) -> bool:
        """Say whether a call of this workflow, key and team counts against the budget."""
        return within(self.scope, workflow=workflow, key=key_id, team=team)


def within(scope: str, **named: str | None) -> bool:
    """Say whether a scope (`all`, or `KIND:NAME`) is that of a call with these names; None is no name."""
    return scope == "all" or any(scope == f"{kind}:{name}" for kind, name in named.items() if name is not None)


def window_start(window: str, now: float) -> float:
    """Return the Unix time at which the window that holds `now` began; windows are aligned to the epoch (UTC)."""
    length = WINDOW_S[window]
    return now - now % length


class Account:
    """One budget's running state."""

    __slots__ = ("_others", "budget", "reserved", "spent", "start")

    def __init__(self, budget: Budget, *, spent: Decimal, now: float) -> None:
        self.budget = budget
        self.start = window_start(budget.window, now)
        self.spent = spent
        self.reserved = ZERO
        self._others: dict[float, Decimal] = {}

    def left(self, now: float) -> Decimal:
        """Return what may still be reserved; what is reserved now carries over into a new window."""
        start = window_start(self.budget.window, now)
        if start != self.start:
            self._turn(start)
        return self.budget.limit_usd - self.spent - self.reserved

    def seen(self, *, start: float, spent: Decimal, reserved: Decimal) -> None:
        """Take over what the store says: spent since the window's start, reserved now by every process."""
        self.start, self.spent, self.reserved = start, spent, reserved
        self._others.clear()

    def _turn(self, start: float) -> None:
        """Go to another window. One comes back as it was left, where the clock was set; an older one frees nothing."""
        new = ZERO if start > self.start else self.spent
        self._others[self.start] = self.spent
        self.start, self.spent = start, self._others.pop(start, new)
        while len(self._others) > REMEMBERED_WINDOWS:
            del self._others[next(iter(self._others))]

    def over_soft_limit(self) -> bool:
        """Say whether the soft limit has been reached, from which on as little is spent as quality allows."""
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
