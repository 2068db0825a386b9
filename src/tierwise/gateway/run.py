"""One call under way: what was ruled, what was tried, and the record as it stands.

Decides nothing; the gateway fills it. Invariant: every attempt that was begun is in the record.
"""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec

from tierwise.core.decision import Decision, Outcome
from tierwise.core.errors import Refused
from tierwise.core.trace import handed_on
from tierwise.economics.limits import Admission
from tierwise.gateway.asking import Asking, without_content
from tierwise.gateway.attempt import Attempt
from tierwise.gateway.decide import ZERO, Hop, Ruling
from tierwise.gateway.forgiven import Forgiven
from tierwise.gateway.kept_content import KeptContent
from tierwise.gateway.rules import Rules
from tierwise.ledger.contents import Contents
from tierwise.ledger.intent import Intent
from tierwise.quality.settings import Gates
from tierwise.wires.error import SEAL_REFUSED

WHOLE = Gates()
# Without a workflow nobody asked for a check that would delay a stream, so its first content goes straight out.
STREAMED = Gates(json=False, schema=False, tool_arguments=False, hold_back_chars=0)


class Run:
    """One call under way; `rules` are those that it was decided by, `forgiven` what is declassified in it."""

    __slots__ = (
        "admission", "asking", "attempts", "call", "flagged", "forgiven", "gates", "held_usd", "kept",
        "on_gate_failure", "reading", "rules", "ruling", "settling", "started", "unseal",
    )  # fmt: skip

    def __init__(
        self, rules: Rules, ruling: Ruling, asking: Asking, started: float, forgiven: Forgiven = Forgiven()
    ) -> None:
        self.rules, self.ruling, self.asking, self.started = rules, ruling, asking, started
        self.forgiven = forgiven
        call = self.call = asking.call
        self.unseal = False
        self.admission: Admission | None = None
        workflow = ruling.workflow
        self.gates = workflow.gates if workflow else STREAMED if call.stream else WHOLE
        # Nobody waits for a shadow's answer, and no person is to look at it.
        self.on_gate_failure = workflow.on_gate_failure if workflow and call.copy is None else "fail"
        self.attempts: list[Attempt] = []
        self.reading: list[asyncio.Task[None]] = []
        self.kept = KeptContent(call) if rules.ledger.keeps_content else None
        self.flagged = self.settling = False
        self.held_usd = ZERO

    def another_way(self, attempt: Attempt) -> bool:
        """Say whether the same endpoint may be asked once more, differently.

        Either without the thinking that it cannot read, or for the mending of JSON that does not fit.
        """
        if attempt.mendable is not None:
            return True
        refused = isinstance(attempt.error, Refused) and attempt.error.code == SEAL_REFUSED
        if not refused or self.unseal or not self.asking.sealed:
            return False
        self.unseal = True
        return True

    def handed_on(self, hop: Hop) -> tuple[tuple[str, str], ...]:
        """Return the headers that let the next hop continue the trace; none for one farther than was allowed."""
        farthest = self.rules.trace_to
        if farthest is None or hop.endpoint.tier.rank > farthest.rank:
            return ()
        return handed_on(self.ruling.decision.id, len(self.attempts), self.call.trace)

    @property
    def obligations(self) -> tuple[str, ...]:
        """The duties that the call is under: of every target that was asked, else of the first to be."""
        asked = dict.fromkeys(duty for attempt in self.attempts for duty in attempt.hop.obligations)
        return tuple(asked) if self.attempts else self.ruling.decision.obligations

    @property
    def spent_usd(self) -> Decimal:
        """What the attempts that are over have cost, or may have cost where an endpoint never said."""
        over = (attempt.record() for attempt in self.attempts if attempt.released)
        return sum(((one.cost_usd or ZERO) + (one.unknown_usd or ZERO) for one in over), ZERO)

    @property
    def good_outcome(self) -> Outcome:
        """The outcome of an answer that was handed over."""
        if "human_review" in self.obligations and self.call.copy is None:
            return "review"
        return "flagged" if self.flagged else "answered"

    def intent(self) -> Intent:
        """Return what the ledger must hold before the first hop is asked."""
        decision, hop = self.ruling.decision, self.ruling.hops[0]
        return Intent(
            id=decision.id,
            ts=decision.ts,
            requested_model=decision.requested_model,
            caller_wire=decision.caller_wire,
            features=decision.features,
            label=decision.label,
            chosen=hop.model.id,
            endpoint=hop.endpoint.name,
            tier=hop.endpoint.tier,
            reserved_usd=hop.reserve_usd or None,
            workflow=decision.workflow,
            session=decision.session,
            key_id=decision.key_id,
            team=decision.team,
            strategy=decision.strategy,
            policy_digest=decision.policy_digest,
            price_digest=decision.price_digest,
            registry_digest=decision.registry_digest,
        )

    def decision(
        self,
        outcome: Outcome,
        *,
        error: str | None = None,
        baseline: Decimal | None = None,
    ) -> Decision:
        """Return the record as it stands."""
        before = self.ruling.decision
        attempts = tuple(attempt.record() for attempt in self.attempts)
        costs = [a.cost_usd for a in attempts if a.cost_usd is not None]
        reason = before.reason
        if len(attempts) > 1:
            reason += "; " + "; ".join(f"{a.model}: {_passed_on(a.gate, a.error)}" for a in attempts[:-1])
        last = attempts[-1] if attempts else None
        return msgspec.structs.replace(
            before,
            attempts=attempts,
            chosen=last.model if last else before.chosen,
            obligations=self.obligations,
            dropped=without_content(self.attempts[-1].dropped) if last else (),
            reason=reason,
            outcome=outcome,
            error=error or (last.error if last and outcome in ("broken", "failed") else None),
            total_cost_usd=sum(costs, ZERO) if costs else None,
            baseline_cost_usd=baseline,
            review={"state": "waiting"} if outcome == "review" else None,
            trace=self.call.trace or msgspec.UNSET,
        )

    def closed(
        self, outcome: Outcome, now: Rules, *, error: str | None, baseline: Decimal | None
    ) -> tuple[Decision, Contents | None]:
        """Return the record at the end, and what is kept of the call's content; `now` are the rules in force."""
        decision = self.decision(outcome, error=error, baseline=baseline)
        return (decision, None) if self.kept is None else self.kept.closed(decision, self.rules, now, self.forgiven)


def _passed_on(gate: Any, error: str | None) -> str:
    if gate is not None and gate.verdict == "fail":
        return f"passed on by the gate {gate.name} ({gate.detail})"
    return f"failed ({error})"
