"""What was decided, and what came of it? The decision record, field by field as the contract publishes it.

Invariant: content of the call is not in here; every candidate that was looked at is, with the reason for its fate.
"""

import re
from decimal import Decimal
from typing import Any, Literal

import msgspec

from tierwise.core.call import Features
from tierwise.core.capacity import CapacityRecord
from tierwise.core.label import Label, Tier
from tierwise.core.rollout import RolloutRecord
from tierwise.core.trace import Trace
from tierwise.core.usage import Usage

_POLICY = re.compile(r"(?:ceiling|rule|key):|pseudonymise$")
STOPPED = "stopped"
"""The verdict on an attempt that the last check before sending stopped (`errors.LeakStopped`)."""
Outcome = Literal[
    "pending", "answered", "flagged", "review", "refused", "failed", "broken", "cancelled", "interrupted", "dry_run"
]
ContentLevel = Literal["none", "hash", "redacted", "full"]


class LabelSource(msgspec.Struct, frozen=True, kw_only=True):
    """Who set which label, and where: `caller`, `workflow`, `default`, `session`, `stored`, `detector:card` or
    `declassified:ID`."""

    source: str
    label: Label
    detail: str = ""


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """The label in force and everything that contributed to it."""

    value: Label
    sources: tuple[LabelSource, ...] = ()


class RuleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A ceiling, rule or grant that applied. `effects`: `deny`, `require_all` or duties; `because`: its conditions."""

    rule: str
    effects: tuple[str, ...]
    because: tuple[str, ...] = ()


class CandidateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One model that was looked at. `excluded_by` names the filter or rule, `reason` is for people.

    `score` is the place in the order of trial (lower is tried first); `probability` is that of being tried first.
    `own` is true where the expected cost is that of machines of one's own, which no budget counts; else not written.
    `rules` are those of policy that applied, every denial among them; not written where there is none. `capacity` is
    what was known of how busy it was, and what `expected_latency_ms` is made of; not written where nothing was.
    """

    model: str
    endpoint: str
    tier: Tier
    allowed: bool
    excluded_by: str | None = None
    reason: str = ""
    score: float | None = None
    expected_cost_usd: Decimal | None = None
    own: bool | msgspec.UnsetType = msgspec.UNSET
    expected_quality: float | None = None
    expected_latency_ms: float | None = None
    probability: float | None = None
    rules: tuple[RuleRecord, ...] | msgspec.UnsetType = msgspec.UNSET
    capacity: CapacityRecord | msgspec.UnsetType = msgspec.UNSET


class CertificateRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The certificate that the workflow names. Where it is not valid it gave nothing, and `void` says why."""

    digest: str
    valid: bool
    void: tuple[str, ...] = ()


class GateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the quality gates said of one answer; `name` is the failed gate, or the list of those passed."""

    name: str
    verdict: Literal["pass", "fail"]
    detail: str = ""


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One lap of the loop. `cost_reason` says why `cost_usd` is null; `verdict` is what followed.

    `unknown_usd` is what it may have cost at most, where the endpoint was asked and never said, or beyond `cost_usd`
    where it was left before it had: budgets count it.

    `own_usd` is what the machine of one's own that served it costs for these tokens; nobody sends a bill for it, no
    budget counts it, and it is not written where that is not known.

    `upstream_id` is the endpoint's own name for its answer or for the request, where it gave one: bills name it too.

    `suspicion` says where the answer's own numbers do not add up: a prompt that was cut without a word.
    """

    endpoint: str
    model: str
    tier: Tier
    started: float
    wire: str | None = None
    served_model: str | None = None
    upstream_id: str | None = None
    first_byte_ms: float | None = None
    duration_ms: float | None = None
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    cost_reason: str | None = None
    unknown_usd: Decimal | None = None
    own_usd: Decimal | msgspec.UnsetType = msgspec.UNSET
    confidence: float | None = None
    gate: GateRecord | None = None
    verdict: str = ""
    error: str | None = None
    suspicion: str | None = None


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a request or an answer, beside the record, and what binds the record to it.

    `size_bytes` is that of the whole. `sha256`, in hexadecimal, is of a salt and the bytes that are kept, or under
    `hash` of the whole; without the salt it tells nothing. `why`: the reason why less is kept than was configured.
    """

    size_bytes: int
    kept: ContentLevel = "none"
    sha256: str | None = None
    truncated: bool = False
    why: str = ""


class ContentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the call's content was to be kept; the content itself is in a table of its own."""

    level: ContentLevel
    request: Committed
    answer: Committed | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The whole record of one call. `seq` is set by the ledger; `ts` is Unix time in seconds.

    `content` is not written where no content of the call was to be kept, `trace` where the caller named none,
    `certificate` where the workflow names none, `rollout` where nothing was on trial, `latency_target_ms` where neither
    the caller nor the workflow stated one.
    """

    id: str
    ts: float
    requested_model: str
    caller_wire: str
    features: Features
    label: Labelled
    candidates: tuple[CandidateRecord, ...] = ()
    seq: int | None = None
    workflow: str | None = None
    session: str | None = None
    key_id: str | None = None
    team: str | None = None
    strategy: str | None = None
    policy_digest: str = ""
    price_digest: str = ""
    registry_digest: str = ""
    chosen: str | None = None
    reason: str = ""
    attempts: tuple[AttemptRecord, ...] = ()
    outcome: Outcome = "pending"
    error: str | None = None
    obligations: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    total_cost_usd: Decimal | None = None
    baseline_cost_usd: Decimal | None = None
    review: dict[str, Any] | None = None
    feedback: dict[str, Any] | None = None
    content: ContentRecord | msgspec.UnsetType = msgspec.UNSET
    trace: Trace | msgspec.UnsetType = msgspec.UNSET
    certificate: CertificateRecord | msgspec.UnsetType = msgspec.UNSET
    rollout: RolloutRecord | msgspec.UnsetType = msgspec.UNSET
    latency_target_ms: float | msgspec.UnsetType = msgspec.UNSET

    @property
    def charged_usd(self) -> Decimal | None:
        """What budgets count: what it cost, and what it may have cost where an endpoint never said."""
        unknown = [attempt.unknown_usd for attempt in self.attempts if attempt.unknown_usd is not None]
        known = [] if self.total_cost_usd is None else [self.total_cost_usd]
        return sum((*known, *unknown), Decimal(0)) if known or unknown else None


def of_policy(excluded_by: str | None) -> bool:
    """Say whether what excluded a candidate is policy's (a ceiling, a rule, a key, a duty), not the router's."""
    return excluded_by is not None and _POLICY.match(excluded_by) is not None
