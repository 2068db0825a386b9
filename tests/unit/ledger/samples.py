"""Decisions and intents for the ledger's tests, plain ones and every kind that Hypothesis can think of."""

from decimal import Decimal
from typing import get_args

import msgspec
from hypothesis import strategies as st

from tierwise.core.call import Features
from tierwise.core.decision import (
    AttemptRecord,
    CandidateRecord,
    Decision,
    GateRecord,
    Labelled,
    LabelSource,
    Outcome,
    RuleRecord,
)
from tierwise.core.label import Label, Tier
from tierwise.core.usage import Usage
from tierwise.ledger.ids import new_id
from tierwise.ledger.intent import Intent

START = 1_800_000_000


def an_id(number: int) -> str:
    """Return the id of the `number`th second after the start."""
    return new_id((START + number) * 1_000_000_000, number.to_bytes(10, "big"))


def an_intent(number: int, **changes: object) -> Intent:
    """Return an intent whose id and time follow from the number."""
    fields: dict[str, object] = {
        "id": an_id(number),
        "ts": float(START + number),
        "requested_model": "auto",
        "caller_wire": "chat",
        "features": Features(input_tokens_est=100),
        "label": Labelled(value=Label.INTERNAL),
        "chosen": "small",
        "endpoint": "here",
        "tier": Tier.LOCAL,
    }
    return Intent(**{**fields, **changes})  # type: ignore[arg-type]


def a_decision(number: int, **changes: object) -> Decision:
    """Return an answered decision whose id and time follow from the number."""
    fields: dict[str, object] = {
        "id": an_id(number),
        "ts": float(START + number),
        "requested_model": "auto",
        "caller_wire": "chat",
        "features": Features(input_tokens_est=100),
        "label": Labelled(value=Label.INTERNAL),
        "chosen": "small",
        "outcome": "answered",
        "attempts": (AttemptRecord(endpoint="here", model="small", tier=Tier.LOCAL, started=1.5, verdict="ok"),),
    }
    return Decision(**{**fields, **changes})  # type: ignore[arg-type]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MAYBE_TEXT = st.none() | TEXT
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
MONEY = st.none() | st.decimals(allow_nan=False, allow_infinity=False)
COUNT = st.integers(0, 1 << 53)

FEATURES = st.builds(Features, input_tokens_est=COUNT, max_output_tokens=st.none() | COUNT, schema=st.booleans())
LABELLED = st.builds(
    Labelled,
    value=st.sampled_from(Label),
    sources=st.lists(
        st.builds(LabelSource, source=TEXT, label=st.sampled_from(Label), detail=TEXT), max_size=2
    ).map(tuple),
)  # fmt: skip
CANDIDATES = st.builds(
    CandidateRecord,
    model=TEXT,
    endpoint=TEXT,
    tier=st.sampled_from(Tier),
    allowed=st.booleans(),
    excluded_by=MAYBE_TEXT,
    reason=TEXT,
    score=st.none() | NUMBER,
    expected_cost_usd=MONEY,
    expected_quality=st.none() | NUMBER,
    rules=st.just(msgspec.UNSET)
    | st.lists(
        st.builds(RuleRecord, rule=TEXT, effects=st.just(("deny",)), because=st.lists(TEXT, max_size=2).map(tuple)),
        min_size=1,
        max_size=2,
    ).map(tuple),
)
ATTEMPTS = st.builds(
    AttemptRecord,
    endpoint=TEXT,
    model=TEXT,
    tier=st.sampled_from(Tier),
    started=NUMBER,
    duration_ms=st.none() | NUMBER,
    usage=st.none() | st.builds(Usage, input=COUNT, output=COUNT, estimated=st.booleans()),
    cost_usd=MONEY,
    cost_reason=MAYBE_TEXT,
    confidence=st.none() | NUMBER,
    gate=st.none() | st.builds(GateRecord, name=TEXT, verdict=st.sampled_from(["pass", "fail"]), detail=TEXT),
    verdict=TEXT,
    error=MAYBE_TEXT,
)
DECISIONS = st.builds(
    Decision,
    id=st.integers(0, 1 << 30).map(an_id),
    ts=NUMBER,
    requested_model=TEXT,
    caller_wire=TEXT,
    features=FEATURES,
    label=LABELLED,
    candidates=st.lists(CANDIDATES, max_size=3).map(tuple),
    workflow=MAYBE_TEXT,
    session=MAYBE_TEXT,
    key_id=MAYBE_TEXT,
    chosen=MAYBE_TEXT,
    attempts=st.lists(ATTEMPTS, max_size=3).map(tuple),
    outcome=st.sampled_from(get_args(Outcome)),
    obligations=st.lists(TEXT, max_size=2).map(tuple),
    total_cost_usd=MONEY,
    baseline_cost_usd=MONEY,
    review=st.none() | st.dictionaries(TEXT, st.none() | st.booleans() | COUNT | TEXT, max_size=3),
)
ONE_CENT = Decimal("0.01")
