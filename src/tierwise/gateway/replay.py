"""What would other rules have done with recorded traffic?

Pure: the label, features and hints of a record are decided anew, all endpoints taken as healthy and no budget as spent;
nothing is sent and nothing is written. Content is not stored and cannot be scanned again: a label stays what it was,
but for a default or a detector's label that a policy sets otherwise.
Invariant: a decision is left out of a new decision only where policy says the same of every model that it looked at.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from tierwise.core.call import Features, Hints
from tierwise.core.decision import Decision, Labelled, LabelSource, of_policy
from tierwise.core.errors import InvalidCall, StoreError
from tierwise.core.grant import Grant
from tierwise.core.label import Label, Tier, highest
from tierwise.gateway.attempt import told
from tierwise.gateway.decide import Ask, Pool, decide, judged_all, resolve, weigh
from tierwise.gateway.facts import Facts
from tierwise.gateway.flips import Side, Tally
from tierwise.gateway.rules import Rules
from tierwise.ledger.encode import encode_decision
from tierwise.policy.granted import LABEL, MODELS
from tierwise.policy.judge import Judgement

NO_FEATURES = Features(input_tokens_est=0)
MOST_KEPT = 20_000
"""Answers that are kept because the same is asked again and again."""


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a recorded candidate."""

    model: str
    tier: Tier
    excluded_by: str | None = None
    expected_cost_usd: msgspec.Raw = msgspec.Raw(b"null")
    own: bool = False


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a recorded attempt."""

    model: str


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a decision record: a fifth of it, and `features` only where they matter."""

    id: str
    requested_model: str
    features: msgspec.Raw
    label: Labelled
    candidates: tuple[Looked, ...] = ()
    workflow: str | None = None
    key_id: str | None = None
    team: str | None = None
    chosen: str | None = None
    attempts: tuple[Tried, ...] = ()
    obligations: tuple[str, ...] = ()


_recorded, _features = msgspec.json.Decoder(Recorded), msgspec.json.Decoder(Features)
_amount = msgspec.json.Decoder(Decimal | None)
Verdicts = dict[str, Judgement]
Key = tuple[str, str | None, str | None, tuple[str, ...] | None, bool]


def read(record: bytes) -> Recorded:
    """Read a record as far as it matters here; StoreError where the bytes are none."""
    try:
        return _recorded.decode(record)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise StoreError(f"a record of the ledger cannot be read: {error}") from error


def as_recorded(record: Recorded, after: Side) -> Side:
    """Return what was decided, with the model that was tried first: the last one tried stands in `chosen`.

    An interrupted call's record knows its target only: what else was permitted is taken to be as it is `after`.
    """
    first = record.attempts[0].model if record.attempts else record.chosen
    looked = next((c for c in record.candidates if c.model == first), None)
    permitted = [c for c in record.candidates if not of_policy(c.excluded_by)]
    return Side(
        first=first,
        tier=looked.tier if looked else None,
        permitted=frozenset(c.model for c in permitted) if record.candidates else after.permitted,
        reach=max((c.tier.rank for c in permitted), default=-1) if record.candidates else after.reach,
        duties=record.obligations if len(record.attempts) < 2 else after.duties,  # those of the last one tried
        cost_usd=_amount.decode(looked.expected_cost_usd) if looked and not looked.own else None,
        label=record.label.value,
    )


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What policy says of one kind of call, model by model; `pool` is what it permits."""

    verdicts: dict[str, Judgement]
    pool: Pool
    permitted: frozenset[str]
    reach: int

    def said(self) -> dict[str, Judgement]:
        """Return the verdicts without their reasons."""
        return {m: msgspec.structs.replace(v, rule=None, reason="") for m, v in self.verdicts.items()}


class Replay:
    """Decides recorded calls by these rules. Keeps answers, since traffic repeats itself."""

    def __init__(self, rules: Rules) -> None:
        self._rules, self._facts = rules, Facts(rules.breaker, ())
        self._kept: dict[Any, Side] = {}
        self._judged: dict[Any, Judged] = {}

    def __call__(self, record: Recorded, label: Label) -> Side:
        """Return what would be decided of the recorded call, labelled so."""
        try:
            pool = self.pool(record)
        except InvalidCall as error:
            return Side(label=label, error=told(error))
        place = None if _drawn(self._rules, pool) else (_key(record), label, bytes(record.features))
        found = self._kept.get(place) if place is not None else None
        if found is None:
            found = self._decide(record, label, pool)
            if place is not None:
                _keep(self._kept, place, found)
        return found

    def pool(self, record: Recorded) -> Pool:
        """Return what the call could have meant, or raise InvalidCall."""
        return resolve(self._rules, _ask(record, NO_FEATURES))

    def judged(self, record: Recorded, label: Label, pool: Pool) -> "Judged":
        """Return what policy says of every model that the call could have meant."""
        place = (_key(record), label)
        found = self._judged.get(place)
        if found is None:
            verdicts = judged_all(self._rules, _ask(record, NO_FEATURES), pool, label)
            endpoints = self._rules.catalog.endpoints
            permitted = tuple(model for model in pool.models if verdicts[model.id].allowed)
            found = Judged(
                verdicts=verdicts,
                pool=msgspec.structs.replace(pool, models=permitted),
                permitted=frozenset(model.id for model in permitted),
                reach=max((endpoints[model.endpoint].tier.rank for model in permitted), default=-1),
            )
            _keep(self._judged, place, found)
        return found

    def _decide(self, record: Recorded, label: Label, pool: Pool) -> Side:
        ask, judged = _ask(record, _features.decode(record.features)), self.judged(record, label, pool)
        order = weigh(self._rules, self._facts, ask, judged.pool, judged.verdicts).choice.order
        first, error = order.candidates[0] if order.candidates else None, None
        if first is None:
            refusal = decide(self._rules, self._facts, ask, pool, Labelled(value=label)).refusal
            error = None if refusal is None else told(refusal)
        return Side(
            first=first.model if first else None,
            tier=first.tier if first else None,
            permitted=judged.permitted,
            reach=judged.reach,
            duties=judged.verdicts[first.model].obligations if first else (),
            cost_usd=first.cost_usd if first and first.metered else None,
            label=label,
            error=error,
        )


def against_record(rules: Rules, records: Iterable[bytes]) -> Tally:
    """Compare what was recorded with what these rules decide."""
    again, tally = Replay(rules), Tally()
    for record in map(read, records):
        after = again(record, record.label.value)
        tally.add(record.id, record.workflow, as_recorded(record, after), after)
    return tally


def against_policy(before: Rules, after: Rules, records: Iterable[bytes]) -> Tally:
    """Compare what two policies decide of the recorded calls; nothing is decided that they judge alike."""
    old, new, tally = Replay(before), Replay(after), Tally()
    ordered_alike = before.default_strategy == after.default_strategy
    judged: dict[Any, tuple[Verdicts, Verdicts]] = {}
    for record in map(read, records):
        labels = relabelled(before, record.label), relabelled(after, record.label)
        place = (_key(record), labels)
        found = judged.get(place)
        if found is None:
            found = _verdicts(old, record, labels[0]), _verdicts(new, record, labels[1])
            _keep(judged, place, found)
        if ordered_alike and found[0] == found[1]:
            tally.same(record.workflow, labels[1])
            continue
        side = old(record, labels[0])
        if ordered_alike and _allowed(found[0]) == _allowed(found[1]):  # then only duties differ, and no order does
            duties = found[1][side.first].obligations if side.first else ()
            other = msgspec.structs.replace(side, label=labels[1], duties=duties)
        else:
            other = new(record, labels[1])
        tally.add(record.id, record.workflow, side, other)
    return tally


def anew(rules: Rules, decision: Decision, drifted: frozenset[str] = frozenset()) -> Decision:
    """Decide one recorded call by these rules, whole: a dry run with every candidate and its reasons.

    What the caller said of quality and cost is not recorded, so it does not count here. Raises InvalidCall where the
    model or workflow that was asked for does not exist any more.
    """
    facts, record = Facts(rules.breaker, ()), read(encode_decision(decision))
    facts.drifted = drifted
    target = decision.latency_target_ms
    hints = Hints(
        workflow=decision.workflow, session=decision.session,
        latency_ms=None if target is msgspec.UNSET else target,
    )  # fmt: skip
    ask = msgspec.structs.replace(
        _ask(record, decision.features), ts=decision.ts, wire=decision.caller_wire, hints=hints
    )
    sources = tuple(msgspec.structs.replace(one, label=_of(rules, one)) for one in decision.label.sources)
    label = Labelled(value=relabelled(rules, decision.label), sources=sources)
    ruling = decide(rules, facts, ask, resolve(rules, ask), label)
    error = None if ruling.refusal is None else told(ruling.refusal)
    return msgspec.structs.replace(ruling.decision, outcome="dry_run", error=error)


def _allowed(verdicts: Verdicts) -> list[bool]:
    return [verdict.allowed for verdict in verdicts.values()]


def relabelled(rules: Rules, label: Labelled) -> Label:
    """Return the label that these rules give to what was found in a call. A source that they do not know keeps its."""
    return highest(_of(rules, source) for source in label.sources) if label.sources else label.value


def _of(rules: Rules, source: LabelSource) -> Label:
    if source.source == "default":
        return rules.labels.default
    kind, _, name = source.source.partition(":")
    if kind != "detector" or name == "scan":
        return source.label
    return rules.detectors.labels.get(name, Label.PUBLIC)  # it is off, or there is no such pattern any more


def _verdicts(replay: Replay, record: Recorded, label: Label) -> Verdicts:
    """Return what policy says of every model that the call could have meant; none for a name that does not exist."""
    try:
        pool = replay.pool(record)
    except InvalidCall:
        return {}
    return replay.judged(record, label, pool).said()


def _ask(record: Recorded, features: Features) -> Ask:
    return Ask(
        id=record.id,
        ts=0.0,
        now=0.0,
        model=record.requested_model,
        wire="",
        features=features,
        hints=Hints(workflow=record.workflow),
        key_id=record.key_id,
        grant=_grant(record),
    )


def _key(record: Recorded) -> Key:
    """Return all that decides a call beside its label and features."""
    limited: tuple[str, ...] | None = None
    low = False
    if record.key_id is not None:
        by = [c.excluded_by for c in record.candidates]
        low = LABEL in by
        limited = tuple(c.model for c in record.candidates if c.excluded_by != MODELS) if MODELS in by else None
    return (record.requested_model, record.workflow, record.key_id, limited, low)


def _grant(record: Recorded) -> Grant | None:
    """Return what the caller's key could do, as far as the record shows it; a model that it does not name is denied."""
    if record.key_id is None:
        return None
    _, _, _, limited, low = _key(record)
    return Grant(
        name=record.key_id,
        team=record.team,
        models=() if limited is None else limited or ("",),
        label=Label.PUBLIC if low else None,
    )


def _drawn(rules: Rules, pool: Pool) -> bool:
    """Say whether the order of trial is drawn, so that one call's is not another's."""
    return not pool.pinned and (pool.workflow.strategy if pool.workflow else rules.default_strategy) == "weighted"


def _keep(kept: dict[Any, Any], place: object, value: object) -> None:
    if len(kept) >= MOST_KEPT:
        kept.clear()
    kept[place] = value
