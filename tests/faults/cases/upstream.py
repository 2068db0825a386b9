"""Rows 54 and 58 to 69: endpoints that fail and lie, each on every wire that an endpoint may speak."""

import asyncio
import json
from typing import Any

from tests.faults.answers import read
from tests.faults.doors import CALLS
from tests.faults.doors import WIRES as PLAIN
from tests.faults.http import Reply
from tests.faults.lies import LIES, STATUS, TEXT, WAITS, WIRES, Lie
from tests.faults.scene import Case, Elsewhere, Scene, case

MOST_ATTEMPTS = 3
TRANSPORT = "tests/integration/providers/test_transport.py"
PROOFS = (
    Elsewhere(58, f"{TRANSPORT}::test_tls_is_verified"),
    Elsewhere(58, f"{TRANSPORT}::test_a_name_that_leads_elsewhere_is_sent_nothing"),
    Elsewhere(58, f"{TRANSPORT}::test_no_proxy_is_taken_from_the_environment"),
    Elsewhere(59, "tests/integration/gateway/test_gateway.py::test_within_the_hold_back_window_a_broken_stream_falls_over"),
    Elsewhere(60, f"{TRANSPORT}::test_connections_that_may_hold_foreign_bytes_are_not_kept"),
    Elsewhere(63, "tests/unit/wires/test_sse.py::test_reads_what_the_standard_says"),
    Elsewhere(64, f"{TRANSPORT}::test_what_is_not_an_answer_is_refused"),
    Elsewhere(65, "tests/integration/server/test_herd.py::test_what_fails_half_of_the_time_gets_little_more_than_was_asked"),
    Elsewhere(65, "tests/integration/gateway/test_gateway.py::test_a_failing_endpoint_rests_and_comes_back"),
    Elsewhere(66, "tests/unit/wires/test_chat_answer.py::test_calls_without_ids_get_some"),
    Elsewhere(67, "tests/integration/gateway/test_perimeter.py::test_no_marked_byte_arrives_outside"),
    Elsewhere(69, f"{TRANSPORT}::test_answers_without_a_body_end_with_their_head"),
)  # fmt: skip


def lying(lie: Lie) -> Case:
    """Make the case of a lie: the same at an endpoint of each wire."""

    async def ask(at: Scene) -> None:
        wires = [wire for wire in (WIRES[:1] if lie.large else WIRES) if lie.role(wire) in at.target.models]
        replies = await asyncio.gather(*(at.ask(at.door.good(at.target.models[lie.role(w)], TEXT)) for w in wires))
        for wire, reply in zip(wires, replies, strict=True):
            judge(at, lie, wire, reply)

    ask.__name__ = lie.name
    return Case(
        row=lie.row,
        ask=ask,
        doors=PLAIN if lie.large else CALLS,
        needs=(lie.role("chat"),),
        within=lie.whole == "quality_gate",
    )


def judge(at: Scene, lie: Lie, wire: str, reply: Reply) -> None:
    """Hold what came of a lie against what should."""
    how, codes = lie.expected(stream=at.door.stream)
    if at.door.stream and wire == "gemini" and "wrong_length" in lie.script:
        how, codes = "broken", frozenset(("upstream_incomplete",))  # this wire has no end but that of its bytes
    said = read(at.door, reply)
    for text in said.problems:
        at.problem(f"{wire}: {text}")
    if said.how != how:
        at.problem(f"{wire}: {said.how} ({reply.status} {said.code}), not {how}: {reply.body[:200]!r}")
    if how == "whole" and said.text != TEXT:
        at.problem(f"{wire}: the text is {said.text!r}")
    if how == "broken" and not TEXT.startswith(said.text):
        at.problem(f"{wire}: words of something else: {said.text!r}")
    if lie.row == 68:
        at.hold(not any(secret.encode() in reply.body for secret in at.target.secrets), f"{wire}: the key is passed on")
    if at.target.inside is None:
        return
    if codes and said.code not in codes:
        at.problem(f"{wire}: the code is {said.code!r}, not {' or '.join(codes)}")
    if how == "error" and said.code in STATUS and reply.status != STATUS[said.code]:
        at.problem(f"{wire}: {said.code} with status {reply.status}")
    recorded(at, lie, wire, reply, how)


def recorded(at: Scene, lie: Lie, wire: str, reply: Reply, how: str) -> None:
    """Hold the record against what the caller got."""
    outcome = {"whole": "answered", "broken": "broken", "error": "failed"}[how]
    found = {ident: (said, json.loads(record)) for ident, said, record in at.records}
    told, record = found.get(reply.field("x-tierwise-decision") or "", ("none", {"attempts": []}))
    if told != outcome:
        at.problem(f"{wire}: recorded as {told}, not {outcome}")
        return
    attempts: list[dict[str, Any]] = record["attempts"]
    at.hold(1 <= len(attempts) <= MOST_ATTEMPTS, f"{wire}: {len(attempts)} attempts")
    usage = attempts[-1]["usage"]
    if how == "broken":
        at.hold(usage is not None, f"{wire}: what came is not counted")
    if how == "whole":
        at.hold(usage is not None and usage["estimated"] is lie.estimated, f"{wire}: usage is {usage}")
        at.hold(usage is not None and 0 < usage["output"] < 100, f"{wire}: usage is {usage}")


CASES = tuple(map(lying, LIES))


@case(58, CALLS, needs=("refused", "unknown", "untrusted"))
async def nobody_there(at: Scene) -> None:
    """A port that nobody listens on, a name that nobody has, a server that is not what it says."""
    for role in ("refused", "unknown", "untrusted"):
        await at.refused(role, at.door.good(at.target.models[role]))
    at.hold(at.asks == 0, "somebody was asked all the same")


@case(58, CALLS, needs=("second",), within=True)
async def the_next_is_asked(at: Scene) -> None:
    """Where a fallback is allowed, the first failure is nobody's but the record's."""
    for name in ("refused", "hang", "html"):
        reply = await at.ask(at.door.good(f"auto:{name}-first", TEXT))
        said = read(at.door, reply)
        at.hold((said.how, said.text) == ("whole", TEXT), f"{name}: {said.how}, {said.text!r}, {reply.body[:160]!r}")
        at.hold(reply.field("x-tierwise-attempts") == "2", f"{name}: {reply.field('x-tierwise-attempts')} attempts")
        at.problems += said.problems


@case(65, CALLS, within=True)
async def bounded_waits(at: Scene) -> None:
    """Every status with every wait that an endpoint may name; each has a model of its own, as one failure may rest it."""
    roles = [f"wait-{status}-{place}-{at.door}" for status in (429, 503, 529) for place in range(len(WAITS))]
    before = at.asks
    replies = await asyncio.gather(*(at.ask(at.door.good(role)) for role in roles))
    for role, reply in zip(roles, replies, strict=True):
        at.judge(role, reply)
        wait = reply.field("retry-after")
        at.hold(wait is None or 1 <= int(wait) <= 60, f"{role}: retry-after {wait}")
        at.hold(reply.field("x-should-retry") == "true", f"{role}: no repeat is advised")
    at.hold(at.asks - before <= MOST_ATTEMPTS * len(roles), f"{at.asks - before} attempts for {len(roles)} calls")
