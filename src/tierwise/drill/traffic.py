"""What was asked, when, and what came of it? Recorded calls as a drill replays them: without content, in a few words.

Times are whole microseconds, so that the same traffic gives the same sums on every machine.
Invariant: a call says nothing that its decision record does not say; the same records give the same traffic.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec
from msgspec import UNSET

from tierwise.core.call import Features
from tierwise.core.decision import AttemptRecord, Decision, Outcome
from tierwise.core.errors import Verdict
from tierwise.core.label import Label
from tierwise.core.usage import Usage
from tierwise.economics.price import EXPECTED_OUTPUT_TOKENS
from tierwise.ledger.encode import decode_decision
from tierwise.policy.granted import LABEL, MODELS

US_PER_S, US_PER_MS = 1_000_000, 1000
Ended = Literal["answered", "gate", "failed", "stopped", "left"]
"""How an attempt ended: `gate` withheld its answer, `stopped` means that no other was tried, `left` that the caller
went."""


class Kind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decides a call beside how long it is. `models` and `low`: what the caller's key was seen to deny.

    `latency_ms` is the target that its caller or its workflow stated.
    """

    model: str
    label: Label
    features: Features
    workflow: str | None = None
    key: str | None = None
    team: str | None = None
    models: tuple[str, ...] | None = None
    low: bool = False
    latency_ms: float | None = None


class Try(msgspec.Struct, frozen=True, array_like=True):
    """One attempt; `starts_us` after the call came, `first_us` until the first byte. None: never told."""

    model: str
    endpoint: str
    ended: Ended
    starts_us: int
    took_us: int | None
    first_us: int | None
    usage: Usage | None


class Call(msgspec.Struct, frozen=True, array_like=True):
    """One call. `at_us` is Unix time, `kind` a place in the table of kinds; `read` and `schema` are estimates."""

    id: str
    at_us: int
    kind: int
    read: int
    schema: int
    outcome: Outcome
    tries: tuple[Try, ...]

    @property
    def took_us(self) -> int | None:
        """Return how long the caller waited, None where nobody was asked or an attempt never said."""
        last = self.tries[-1] if self.tries else None
        return None if last is None or last.took_us is None else last.starts_us + last.took_us


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which records it was made of: their numbers (after, up to), how many, and the digest of their bytes."""

    since_ts: float
    after: int
    last: int
    records: int
    sha256: str


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Calls in the order in which they came; `skipped` are dry runs and copies, which no caller waited for."""

    kinds: tuple[Kind, ...]
    calls: tuple[Call, ...]
    skipped: int


class Gathering:
    """Makes traffic of records, and their digest."""

    def __init__(self) -> None:
        self._kinds: dict[bytes, int] = {}
        self._known: list[Kind] = []
        self._calls: list[Call] = []
        self._digest = hashlib.sha256()
        self._records = self._skipped = 0

    def add(self, records: Iterable[bytes]) -> None:
        """Read records; StoreError for one that cannot be read."""
        for record in records:
            self._records += 1
            self._digest.update(len(record).to_bytes(8) + record)
            decision = decode_decision(record)
            copied = decision.rollout is not UNSET and decision.rollout.arm == "shadow"
            if copied or decision.outcome in ("dry_run", "pending"):
                self._skipped += 1
            else:
                self._calls.append(self._call(decision))

    def source(self, since_ts: float, after: int, last: int) -> Source:
        """Return what was read."""
        digest = self._digest.hexdigest()
        return Source(since_ts=since_ts, after=after, last=last, records=self._records, sha256=digest)

    def traffic(self) -> Traffic:
        """Return all of it."""
        calls = tuple(sorted(self._calls, key=lambda call: (call.at_us, call.id)))
        return Traffic(kinds=tuple(self._known), calls=calls, skipped=self._skipped)

    def _call(self, decision: Decision) -> Call:
        kind = _kind(decision)
        place = self._kinds.setdefault(msgspec.json.encode(kind), len(self._known))
        if place == len(self._known):
            self._known.append(kind)
        begun = decision.attempts[0].started if decision.attempts else decision.ts
        at_us, features = round(begun * US_PER_S), decision.features
        tries = tuple(_tries(decision, at_us))
        return Call(
            decision.id, at_us, place, features.input_tokens_est, features.schema_tokens_est, decision.outcome, tries
        )


def _kind(decision: Decision) -> Kind:
    by = [one.excluded_by for one in decision.candidates] if decision.key_id is not None else []
    models = tuple(one.model for one in decision.candidates if one.excluded_by != MODELS) if MODELS in by else None
    return Kind(
        model=decision.requested_model,
        label=decision.label.value,
        features=msgspec.structs.replace(decision.features, input_tokens_est=0, schema_tokens_est=0),
        workflow=decision.workflow,
        key=decision.key_id,
        team=decision.team,
        models=models,
        low=LABEL in by,
        latency_ms=None if decision.latency_target_ms is UNSET else decision.latency_target_ms,
    )


def _tries(decision: Decision, at_us: int) -> Iterator[Try]:
    for one in decision.attempts:
        took, first = _us(one.duration_ms), _us(one.first_byte_ms)
        starts = max(0, round(one.started * US_PER_S) - at_us)
        yield Try(one.model, one.endpoint, _ended(one, decision), starts, took, first, one.usage)


def _us(ms: float | None) -> int | None:
    return None if ms is None else max(0, round(ms * US_PER_MS))


def _ended(attempt: AttemptRecord, decision: Decision) -> Ended:
    if attempt.verdict == Verdict.OK:
        return "answered"
    if attempt.verdict == "cancelled" or decision.outcome == "cancelled":
        return "left"
    if attempt.gate is not None and attempt.gate.verdict == "fail":
        return "gate"
    return "stopped" if attempt.verdict == Verdict.STOP else "failed"


def usage_of(call: Call, model: str, features: Features) -> tuple[Usage, bool]:
    """Return the tokens of the call at a model: its own on record, else the last ones on record, else an estimate.

    Says whether it is an estimate.
    """
    for wanted in (model, None):
        for one in reversed(call.tries):
            if one.usage is not None and wanted in (one.model, None):
                return one.usage, one.usage.estimated
    most = features.max_output_tokens or EXPECTED_OUTPUT_TOKENS
    output = 0 if features.embeddings else min(most, EXPECTED_OUTPUT_TOKENS)
    return Usage(input=call.read, output=output, estimated=True), True
