"""Decisions that say everything, ordinary ones, and hostile ones that Hypothesis thinks of; and what is configured."""

from decimal import Decimal

import msgspec
from hypothesis import strategies as st

from tests.unit.ledger.samples import DECISIONS, a_decision
from tierwise.core.call import Features
from tierwise.core.decision import AttemptRecord, CandidateRecord, Decision, GateRecord, Labelled
from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint, Model
from tierwise.core.trace import Trace
from tierwise.core.usage import Usage
from tierwise.telemetry.known import Known, known
from tierwise.telemetry.names import Profile, naming

ENDPOINTS = {
    "here": Endpoint(name="here", kind="embedded", wires=("chat",), tier=Tier.LOCAL),
    "away": Endpoint(name="away", kind="outside", wires=("chat",), tier=Tier.FRONTIER, url="https://api.example/v1"),
}
MODELS = (
    Model(id="small", endpoint="here", served_name="small-7b"),
    Model(id="big", endpoint="away", served_name="big-1"),
)
KNOWN: Known = known(ENDPOINTS, MODELS, ["tickets"], {"embedded": "engine", "outside": "vendor.outside"})
PROFILES: tuple[Profile, ...] = ("v1.41", "latest")
USAGE = Usage(input=100, cache_read=20, cache_write=3, cache_write_1h=2, output=40, reasoning=10)
FAILED = AttemptRecord(
    endpoint="here",
    model="small",
    tier=Tier.LOCAL,
    started=1_800_000_000.001,
    duration_ms=250.0,
    first_byte_ms=50.0,
    usage=msgspec.structs.replace(USAGE, estimated=True),
    cost_reason="unmetered",
    gate=GateRecord(name="schema", verdict="fail", detail="'my secret' is no number"),
    verdict="escalate",
    error="GateFailed: the answer of small failed the gate schema: 'my secret' is no number",
)
PASSED = AttemptRecord(
    endpoint="away",
    model="big",
    tier=Tier.FRONTIER,
    started=1_800_000_000.3,
    duration_ms=700.0,
    first_byte_ms=80.0,
    usage=USAGE,
    served_model="big-1-2026",
    upstream_id="chatcmpl-93ab",
    cost_usd=Decimal("0.0012345678901"),
    verdict="ok",
    confidence=-0.25,
)
WHOLE = a_decision(
    0,
    requested_model="auto",
    workflow="tickets",
    session="ada@example.org",
    key_id="ada",
    team="support",
    strategy="cascade",
    policy_digest="p1",
    price_digest="d1",
    registry_digest="r1",
    reason="the cheapest; passed on by the gate schema ('my secret' is no number)",
    features=Features(input_tokens_est=130, max_output_tokens=500, stream=True, json=True, n=2),
    candidates=(
        CandidateRecord(model="small", endpoint="here", tier=Tier.LOCAL, allowed=True),
        CandidateRecord(model="big", endpoint="away", tier=Tier.FRONTIER, allowed=True),
        CandidateRecord(model="huge", endpoint="away", tier=Tier.FRONTIER, allowed=False, excluded_by="rule:eu"),
        CandidateRecord(model="slow", endpoint="away", tier=Tier.FRONTIER, allowed=False, excluded_by="health"),
    ),
    attempts=(FAILED, PASSED),
    obligations=("no_store",),
    total_cost_usd=Decimal("0.0012345678901"),
)
EMBEDDED = a_decision(
    1,
    features=Features(input_tokens_est=10, embeddings=True),
    attempts=(msgspec.structs.replace(PASSED, usage=Usage(input=8)),),
)
REFUSED = a_decision(
    2,
    attempts=(),
    outcome="refused",
    label=Labelled(value=Label.RESTRICTED),
    error="PolicyDenied: policy allows no model for this call, labelled restricted: my secret",
)
CALLER = Trace(id="4bf92f3577b34da6a3ce929d0e0e4736", parent="00f067aa0ba902b7")
NAMINGS = [naming(profile, openinference=other) for profile in PROFILES for other in (False, True)]

NASTY = st.text(max_size=300) | st.sampled_from(["other", "a\nb", "x" * 5000, "\x00", "{}", '"', "auto", "tickets"])
HOSTILE: st.SearchStrategy[Decision] = st.builds(
    lambda decision, served, session, asked, trace: msgspec.structs.replace(
        decision,
        session=session,
        requested_model=asked,
        trace=trace,
        attempts=tuple(msgspec.structs.replace(one, served_model=served) for one in decision.attempts),
    ),
    DECISIONS,
    NASTY,
    NASTY,
    NASTY,
    st.sampled_from([msgspec.UNSET, CALLER, Trace(counted=True)]),
)
