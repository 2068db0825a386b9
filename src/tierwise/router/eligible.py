"""Can this model serve the call at all? The hard filters, each with a name and a reason.

Policy is not asked here: it has spoken before. Order matters only for which reason is shown.
Invariant: a candidate passes exactly if every filter passes; a filter never looks at another candidate.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from tierwise.router.candidate import Candidate, Need

SPENT_OUT, LEAVES = "a budget that rejects at its limit is spent", "the budget has $"


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """Which filter excluded a candidate, and why."""

    by: str
    reason: str


def _tasks(candidate: Candidate, need: Need) -> str | None:
    if candidate.tasks and not set(candidate.tasks) & set(need.tasks):
        return f"knows only {', '.join(candidate.tasks)}"
    return None


def _tool_loop(candidate: Candidate, need: Need) -> str | None:
    if need.endpoint in (None, candidate.endpoint):
        return None
    return f"the open tool loop belongs to {need.endpoint}"


def _capability(candidate: Candidate, need: Need) -> str | None:
    if "embeddings" in candidate.capabilities and "embeddings" not in need.capabilities:
        return "makes embeddings only"
    lost = need.capabilities - candidate.capabilities
    gate = candidate.gate_needs_logprobs and "logprobs" not in candidate.capabilities
    if not lost and not gate:
        return None
    missing = {*lost, *(["logprobs (which a quality gate needs)"] if gate else ())}
    why = "; ".join(told for name, told in candidate.lacks.items() if any(one.startswith(name) for one in missing))
    return f"cannot do {', '.join(sorted(missing))}" + (f": {why}" if why else "")


def _context(candidate: Candidate, need: Need) -> str | None:
    room = candidate.context_tokens
    tokens = candidate.input_tokens + need.output_tokens
    if room is not None and tokens > room:
        note = f", {candidate.context_note}" if candidate.context_note else ""
        return f"up to {tokens} tokens in and out, context is {room}{note}"
    return None


def _price(candidate: Candidate, _need: Need) -> str | None:
    return None if candidate.price_known else "metered, but no price is configured"


def _budget(candidate: Candidate, need: Need) -> str | None:
    if need.spent_out:
        return SPENT_OUT
    worst = candidate.worst_cost_usd
    if worst is None or not candidate.metered:
        return None
    if need.max_cost_usd is not None and worst > need.max_cost_usd:
        return f"could cost {_worst(candidate)}, the call allows ${need.max_cost_usd.normalize():f}"
    if need.money_left_usd is not None and worst > need.money_left_usd:
        return f"could cost {_worst(candidate)}, {LEAVES}{max(need.money_left_usd, 0):f} left"
    return None


def of_budget(excluded_by: str | None, reason: str) -> bool:
    """Say whether a recorded exclusion is a budget's, rather than that of what the call itself may cost."""
    return excluded_by == "budget" and (reason == SPENT_OUT or LEAVES in reason)


def _worst(candidate: Candidate) -> str:
    """Return the cost at most, and where its size comes from if the caller can make it smaller."""
    told = f"${(candidate.worst_cost_usd or Decimal(0)).normalize():f}"
    unbound = candidate.output_tokens
    if unbound is None:
        return told
    return f"{told} with an answer of up to {unbound} tokens (the call sets no limit, with one it needs less)"


def _health(candidate: Candidate, _need: Need) -> str | None:
    return candidate.unavailable


FILTERS: tuple[tuple[str, Callable[[Candidate, Need], str | None]], ...] = (
    ("tasks", _tasks),
    ("tool_loop", _tool_loop),
    ("capability", _capability),
    ("context", _context),
    ("price_unknown", _price),
    ("budget", _budget),
    ("health", _health),
)


def exclusion(candidate: Candidate, need: Need) -> Exclusion | None:
    """Return the first filter that excludes the candidate, or None."""
    for name, check in FILTERS:
        reason = check(candidate, need)
        if reason is not None:
            return Exclusion(by=name, reason=reason)
    return None
