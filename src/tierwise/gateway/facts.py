"""What is known at this moment? Health, load, latency and money: the only mutable state of the gateway.

One event loop owns it, so nothing here needs a lock.
Invariant: every admitted call reports back exactly once; money is set aside and settled by the ledger alone.
"""

import math
from collections import OrderedDict
from collections.abc import Iterable
from decimal import Decimal
from hashlib import blake2b

from tierwise.core.label import Label, highest
from tierwise.economics.budget import Account
from tierwise.economics.limits import Limits
from tierwise.fallback.breaker import Breaker, BreakerSettings
from tierwise.fallback.retries import Retries
from tierwise.gateway.clock import Clock
from tierwise.gateway.forgiven import Active, nothing
from tierwise.gateway.live import Live
from tierwise.gateway.sessions import Sessions
from tierwise.gateway.thoughts import Kept
from tierwise.gateway.vault import Vault

# How fast the highest ratio of read to estimated tokens is forgotten, with each answer.
RATIO_DECAY = 0.01
MAX_SESSIONS = 100_000
MAX_TOOL_CALLS = 50_000
MAX_ID_CHARS = 256


class Facts:
    """Breakers, retries, what is live, ratios of read to estimated tokens by model id, accounts by budget, labels by
    key and session, makers of tool calls, placeholders of sessions, the time; what is declassified, and which
    certificates' traffic has drifted."""

    def __init__(
        self,
        breaker: BreakerSettings,
        accounts: Iterable[Account],
        limits: Limits | None = None,
        clock: Clock | None = None,
        declassified: Active = nothing,
    ) -> None:
        self.declassified = declassified
        self.drifted: frozenset[str] = frozenset()
        self._breaker = breaker
        self.clock = clock or Clock()
        self._breakers: dict[str, Breaker] = {}
        self._retries: dict[str, Retries] = {}
        self._sessions: OrderedDict[tuple[str | None, str], Label] = OrderedDict()
        self.sessions = Sessions()
        self.live = Live()
        self.thoughts = Kept()
        self.vault = Vault()
        self._makers: OrderedDict[tuple[str | None, str], str] = OrderedDict()
        self.accounts = tuple(accounts)
        self.limits = limits or Limits()
        self.ratios: dict[str, float] = {}

    def breaker(self, model: str) -> Breaker:
        """Return the breaker of the model (a model belongs to one endpoint)."""
        found = self._breakers.get(model)
        if found is None:
            found = self._breakers[model] = Breaker(self._breaker)
        return found

    def retries(self, model: str) -> Retries:
        """Return how often the model may be asked again."""
        return self._retries.setdefault(model, Retries())

    def resting_s(self, model: str, now: float) -> float:
        """Return for how long the model's breaker still rejects calls; 0 when it admits them."""
        found = self._breakers.get(model)
        return found.closed_in_s(now) if found else 0.0

    def down(self) -> list[str]:
        """Return the models that failed repeatedly and have not answered since."""
        return [model for model, breaker in self._breakers.items() if breaker.down]

    def read(self, model: str, estimate: int, tokens: int) -> None:
        """Keep how many tokens the model has read of a request that was estimated at so many."""
        if estimate > 0:
            ratio, before = tokens / estimate, self.ratios.get(model, 0.0)
            self.ratios[model] = max(ratio, before + RATIO_DECAY * (ratio - before))

    def corrected(self, model: str, estimate: int) -> int:
        """Return an estimate of tokens as this model has lately read such, from above."""
        return math.ceil(estimate * self.ratios.get(model, 1.0))

    def accounts_for(self, workflow: str | None, key_id: str | None, team: str | None) -> tuple[Account, ...]:
        """Return the accounts that a call of this workflow, key and team is charged to."""
        return tuple(a for a in self.accounts if a.budget.covers(workflow, key_id, team))

    def money_left(self, accounts: Iterable[Account], now: float) -> Decimal | None:
        """Return the least that is left in the accounts, None when there are none."""
        return min((account.left(now) for account in accounts), default=None)

    def session_label(self, key_id: str | None, session: str) -> Label | None:
        """Return the highest label that this key's session has carried."""
        return self._sessions.get((key_id, session))

    def stick(self, key_id: str | None, session: str, label: Label) -> None:
        """Keep the session at this label or above. The least recently used session is forgotten beyond the limit."""
        place = (key_id, session)
        self._sessions[place] = highest((label, self._sessions.get(place, label)))
        self._sessions.move_to_end(place)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)

    def maker(self, key_id: str | None, tool_calls: Iterable[str]) -> str | None:
        """Return the model that made these tool calls, None where that is not known (any more)."""
        return next((made for ident in tool_calls if (made := self._makers.get((key_id, _short(ident))))), None)

    def made(self, key_id: str | None, tool_calls: Iterable[str], model: str) -> None:
        """Keep which model made tool calls: their results go back to it. The oldest are forgotten beyond the limit."""
        for ident in tool_calls:
            self._makers[(key_id, _short(ident))] = model
        while len(self._makers) > MAX_TOOL_CALLS:
            self._makers.popitem(last=False)


def _short(ident: str) -> str:
    """Return an id that costs no more than any other to keep: endpoints make them as long as they like."""
    if len(ident) <= MAX_ID_CHARS:
        return ident
    return "long:" + blake2b(ident.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
