"""Who would serve this call, in which order, and what is proven of each? The gateway's own decision, made once more.

The order, policy, certificates and money are those of `gateway.decide`; nothing is decided here in another way.
Invariant: the same call under the same rules at the same time gives the same way.
"""

from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import UNSET

from tierwise.core.call import Hints
from tierwise.core.certificate import Certificate
from tierwise.core.decision import Labelled
from tierwise.core.errors import BudgetExceeded, InvalidCall, NoCandidate, PolicyDenied, TierwiseError
from tierwise.core.grant import Grant
from tierwise.core.label import Label
from tierwise.drill.traffic import US_PER_S, Call, Kind
from tierwise.economics.budget import Account
from tierwise.economics.limits import ASSUMED_OUTPUT_TOKENS
from tierwise.gateway.attempt import told
from tierwise.gateway.certified import accepting
from tierwise.gateway.decide import Ask, Hop, Pool, Ruling, decide, resolve
from tierwise.gateway.facts import Facts
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow

MOST_KEPT = 20_000
Evidence = Literal["certified", "out_of_order", "trusted", "none"]
"""What is known of an answer's quality. `out_of_order`: a certificate vouches for the model after others that were
not asked before it; its measured quality holds, its promise about accepted answers was not shown for this traffic."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The order of trial, or why there is none: `cause` in a word, `by` what excluded each model, `reason` in full."""

    hops: tuple[Hop, ...] = ()
    workflow: Workflow | None = None
    accounts: tuple[Account, ...] = ()
    certificate: Certificate | None = None
    qualities: dict[str, float | None] = {}
    cause: str = ""
    by: tuple[tuple[str, str], ...] = ()
    reason: str = ""

    def evidence(self, model: str, asked: tuple[str, ...]) -> Evidence:
        """Say what is known of an accepted answer of a model, when these were asked before it."""
        if self.qualities.get(model) is None or self.certificate is None:
            return "trusted" if self.workflow is not None and model in self.workflow.trusted else "none"
        steps = [one.model for one in accepting(self.certificate)]
        before = steps[: steps.index(model)] if model in steps else []
        return "certified" if set(before) <= set(asked) else "out_of_order"


class Deciding:
    """Decides the calls of one run. Keeps ways, since traffic repeats itself."""

    def __init__(self, rules: Rules, facts: Facts) -> None:
        self._rules, self._facts = rules, facts
        self._kept: dict[object, Way] = {}

    def __call__(self, ident: str, kind: Kind, call: Call, now_us: int) -> Way:
        """Decide a call that comes now."""
        ask = _ask(ident, kind, call, now_us)
        try:
            pool = resolve(self._rules, ask)
        except InvalidCall as error:
            return Way(cause="unknown_model", reason=told(error))
        flow = pool.workflow
        team, name = kind.team if kind.key is not None else None, flow.name if flow else None
        if self._facts.accounts_for(name, kind.key, team) or self._drawn(pool):
            return self._decide(ask, kind, pool)
        known = self._rules.certified.get(name or "")
        place = (call.kind, call.read, call.schema, known.void(ask.ts) if known else (), self._ahead(pool))
        found = self._kept.get(place)
        if found is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            found = self._kept[place] = self._decide(ask, kind, pool)
        return found

    def _ahead(self, pool: Pool) -> tuple[int, ...]:
        """Return how many have to end before one who comes now has a turn: all that the load decides."""
        servers = ((one.id, self._rules.catalog.endpoints[one.endpoint].slots) for one in pool.models)
        return tuple(max(0, self._facts.live.under_way(name) - slots + 1) for name, slots in servers if slots)

    def _drawn(self, pool: Pool) -> bool:
        """Say whether one call's order is not another's, since it is drawn."""
        flow = pool.workflow
        strategy = flow.strategy if flow else self._rules.default_strategy
        return not pool.pinned and (strategy == "weighted" or (flow is not None and flow.name in self._rules.rollouts))

    def _decide(self, ask: Ask, kind: Kind, pool: Pool) -> Way:
        ruling = decide(self._rules, self._facts, ask, pool, Labelled(value=kind.label))
        record, refusal = ruling.decision, ruling.refusal
        counts = record.certificate is not UNSET and record.certificate.valid
        known = self._rules.certified.get(record.workflow or "") if counts else None
        return Way(
            hops=ruling.hops,
            workflow=ruling.workflow,
            accounts=ruling.accounts,
            certificate=known.certificate if known else None,
            qualities={one.model: one.expected_quality for one in record.candidates},
            cause="" if refusal is None else _cause(refusal),
            by=_excluded(ruling),
            reason="" if refusal is None else told(refusal),
        )


def _excluded(ruling: Ruling) -> tuple[tuple[str, str], ...]:
    if ruling.refusal is None:
        return ()
    return tuple((one.model, one.excluded_by or "") for one in ruling.decision.candidates)


def _cause(refusal: TierwiseError) -> str:
    match refusal:
        case PolicyDenied():
            return "policy"
        case BudgetExceeded():
            return "budget"
        case NoCandidate(cause=cause):
            return cause
        case _:
            return "other"


def _ask(ident: str, kind: Kind, call: Call, now_us: int) -> Ask:
    features = msgspec.structs.replace(kind.features, input_tokens_est=call.read, schema_tokens_est=call.schema)
    return Ask(
        id=ident,
        ts=now_us / US_PER_S,
        now=0.0,
        model=kind.model,
        wire="",
        features=features,
        hints=Hints(workflow=kind.workflow, latency_ms=kind.latency_ms),
        key_id=kind.key,
        grant=grant_of(kind),
    )


def grant_of(kind: Kind) -> Grant | None:
    """Return what the caller's key could do, as far as the record showed it."""
    if kind.key is None:
        return None
    models = () if kind.models is None else kind.models or ("",)
    return Grant(name=kind.key, team=kind.team, models=models, label=Label.PUBLIC if kind.low else None)


def most_tokens(kind: Kind, call: Call) -> int:
    """Return the tokens that a rate limit counts of a call before it is over, as the gateway counts them."""
    features = kind.features
    written = 0 if features.embeddings else (features.max_output_tokens or ASSUMED_OUTPUT_TOKENS) * features.n
    return call.read + call.schema + written


def reserve(accounts: tuple[Account, ...], amount: Decimal, now: float) -> bool:
    """Set the amount aside in all accounts, or in none and say so."""
    done: list[Account] = []
    for account in accounts:
        if not account.reserve(amount, now):
            for one in done:
                one.settle(amount, Decimal(0), now)
            return False
        done.append(account)
    return True
