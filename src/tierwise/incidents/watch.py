"""What was seen? Watches finished decisions, budgets, breakers and the ledger; keeps sightings until they are taken.

Called for every call, so that only puts a decision aside; it is looked at when the sightings are taken. Knows neither
stores nor notifiers. An ordinary refusal is no sighting.
Invariant: what waits here is bounded, and holds no content.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from tierwise.core.decision import STOPPED, Decision, of_policy
from tierwise.core.errors import StoreBusy, StoreError, Verdict
from tierwise.core.label import Tier
from tierwise.economics.budget import Account
from tierwise.incidents.conditions import CONDITIONS
from tierwise.incidents.settings import IncidentSettings
from tierwise.ledger.incidents import Sighting, gathered, merged
from tierwise.policy.settings import LabelSettings, ceilings
from tierwise.registry.catalog import Catalog
from tierwise.router.eligible import of_budget

MAX_WAITING = 10_000
MAX_SIGHTINGS = 1_000
MAX_KEYS = 1_000
LEDGER = "the ledger"
REFUSING_BELOW = 2
"""A budget that has less than one of so many parts of its limit left, and refuses a call, is spent."""
_FAILED = (Verdict.RETRY_SAME, Verdict.NEXT)
_BESIDE_POLICY = (None, "tasks", "tool_loop", "canary")


class Facts(Protocol):
    """What is known at this moment."""

    accounts: tuple[Account, ...]

    def down(self) -> list[str]:
        """Return the models that failed repeatedly and have not answered since."""


class InForce(Protocol):
    """What exists, and how far each label may go."""

    @property
    def catalog(self) -> Catalog:
        """Return what exists."""

    @property
    def labels(self) -> LabelSettings:
        """Return how far each label may go."""


class Watch:
    """The sightings of one gateway. One event loop owns it."""

    def __init__(
        self,
        settings: IncidentSettings,
        facts: Facts,
        in_force: Callable[[], InForce],
        new_id: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        self.missed = 0
        self._settings, self._facts, self._in_force = settings, facts, in_force
        self._new_id, self._clock = new_id, clock
        self._finished: deque[Decision] = deque()
        self._seen: dict[tuple[str, str], Sighting] = {}
        self._down_since: dict[str, float] = {}
        self._failures: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._refusals: OrderedDict[str, deque[tuple[float, str]]] = OrderedDict()
        self._gates: dict[str, deque[bool]] = {}

    def finished(self, decision: Decision) -> None:
        """Put a decision aside whose outcome is known."""
        if len(self._finished) < MAX_WAITING:
            self._finished.append(decision)
        else:
            self.missed += 1

    def unwritten(self, error: StoreError, ident: str) -> None:
        """Keep that the ledger refused a write of this call; one that is only busy breaks no promise."""
        if not isinstance(error, StoreBusy):
            self.saw("unwritten", LEDGER, (ident,))

    def saw(
        self, condition: str, subject: str, decisions: Sequence[str] = (), *, count: int = 1, until: float | None = None
    ) -> None:
        """Keep that a condition was seen of a subject, so often; what was seen before of the same gathers."""
        row = CONDITIONS[condition]
        found = row.sighting(self._new_id(), subject, self._clock(), self._settings.rest_s)
        self.put_back([msgspec.structs.replace(found, decisions=tuple(decisions), count=count, until=until)])

    def put_back(self, sightings: Iterable[Sighting]) -> None:
        """Keep sightings, also such as could not be stored."""
        for sighting in sightings:
            name = (sighting.kind, sighting.subject)
            before = self._seen.get(name)
            if before is not None:
                self._seen[name] = merged(before, sighting)
            elif len(self._seen) < MAX_SIGHTINGS:
                self._seen[name] = sighting
            else:
                self.missed += 1

    def taken(self, now: float) -> list[Sighting]:
        """Look at what is new, and return everything that was seen since the last time. `now` is monotonic."""
        decisions, self._finished = self._finished, deque()
        for decision in decisions:
            self._look_at(decision)
        self._look_at_endpoints(now)
        found, self._seen = list(self._seen.values()), {}
        return found

    # one decision

    def _look_at(self, decision: Decision) -> None:
        for attempt in decision.attempts:
            if attempt.verdict == STOPPED:
                self.saw("stopped", f"endpoint:{attempt.endpoint}", (decision.id,))
            elif attempt.verdict in _FAILED and attempt.error is not None and attempt.gate is None:
                count, ids = self._failures.get(attempt.endpoint, (0, ()))
                self._failures[attempt.endpoint] = count + 1, gathered(ids, (decision.id,))
            elif attempt.verdict == Verdict.OK:
                self._failures.pop(attempt.endpoint, None)
        self._look_at_budgets(decision)
        if decision.rollout and decision.rollout.arm == "shadow":  # nobody asked for it, and nobody was answered
            return
        if decision.outcome == "refused" and not decision.attempts and self._settings.refusals is not None:
            self._look_at_refusal(decision, self._settings.refusals)
        if decision.workflow is not None and self._settings.gate_failures is not None and decision.attempts:
            self._look_at_gate(decision, decision.workflow, self._settings.gate_failures)

    def _look_at_budgets(self, decision: Decision) -> None:
        now = self._clock()
        covering = [
            a for a in self._facts.accounts if a.budget.covers(decision.workflow, decision.key_id, decision.team)
        ]
        if not covering:
            return
        refused = decision.outcome == "refused" and any(of_budget(c.excluded_by, c.reason) for c in decision.candidates)
        for account in covering:
            budget, left = account.budget, account.left(now)
            # A call that is too large for what is left is refused too; that alone says little of the budget.
            spent = left <= 0 or (refused and left < budget.limit_usd / REFUSING_BELOW)
            if spent or account.over_soft_limit():
                until = account.start + budget.window_s
                condition = "budget_spent" if spent else "budget_soft"
                self.saw(condition, f"{budget.scope} {budget.window}", (decision.id,), until=until)

    def _look_at_refusal(self, decision: Decision, most: int) -> None:
        """Count refusals of one key that only policy explains."""
        by = [candidate.excluded_by for candidate in decision.candidates]
        if not any(map(of_policy, by)) or not all(one in _BESIDE_POLICY or of_policy(one) for one in by):
            return
        subject = "callers without a key" if decision.key_id is None else f"key:{decision.key_id}"
        known = self._refusals.setdefault(subject, deque(maxlen=most))
        self._refusals.move_to_end(subject)
        if len(self._refusals) > MAX_KEYS:
            self._refusals.popitem(last=False)
        known.append((decision.ts, decision.id))
        if len(known) == most and decision.ts - known[0][0] <= self._settings.refusals_window_s:
            self.saw("insisted", subject, [ident for _, ident in known])

    def _look_at_gate(self, decision: Decision, workflow: str, share: float) -> None:
        """Count the calls of a workflow whose last answer failed its gates."""
        gate = decision.attempts[-1].gate
        failed = gate is not None and gate.verdict == "fail"
        known = self._gates.setdefault(workflow, deque(maxlen=self._settings.gate_calls))
        known.append(failed)
        if failed and len(known) == self._settings.gate_calls and sum(known) >= share * len(known):
            self.saw("gates", f"workflow:{workflow}", (decision.id,))

    # breakers

    def _look_at_endpoints(self, now: float) -> None:
        """See an endpoint as down while a model of it has been for long enough; count the calls that failed there."""
        down = self._facts.down()
        self._down_since = {model: self._down_since.get(model, now) for model in down}
        in_force = self._in_force()
        models, long = in_force.catalog.models, self._settings.down_after_s
        gone = {m for m, since in self._down_since.items() if now - since >= long and m in models}
        stranding = _stranding(in_force.catalog, in_force.labels, gone)
        for endpoint in dict.fromkeys(models[model].endpoint for model in gone):
            count, ids = self._failures.pop(endpoint, (0, ()))
            needed = in_force.catalog.endpoints[endpoint].tier in stranding
            self.saw("needed" if needed else "down", f"endpoint:{endpoint}", ids, count=count)


def _stranding(known: Catalog, labels: LabelSettings, gone: set[str]) -> set[Tier]:
    """Return the tiers that a label may reach which has nobody left there."""
    tiers = {
        m.id: known.endpoints[m.endpoint].tier
        for m in known.models.values()
        if m.endpoint not in known.unusable and not m.tasks and "embeddings" not in m.capabilities
    }
    found: set[Tier] = set()
    for ceiling in set(ceilings(labels).values()) if gone else ():
        able = {model for model, tier in tiers.items() if tier.rank <= ceiling.rank}
        if able and able <= gone:
            found |= {tiers[model] for model in able}
    return found
