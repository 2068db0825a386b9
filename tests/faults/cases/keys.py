"""Rows 39 to 49: keys and money."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal

from tests.faults import stage
from tests.faults.answers import read
from tests.faults.doors import ALL, CALLS, CHAT, RESPONSES, Door
from tests.faults.http import request
from tests.faults.lies import TEXT
from tests.faults.scene import Elsewhere, Scene, case

LEFT_S = 5.0
MACHINE, KEYS = "tests/integration/nth/test_machine.py", "tests/integration/server/test_keys.py"
GATEWAY = "tests/integration/gateway/test_gateway.py"
PROOFS = (
    Elsewhere(41, f"{KEYS}::test_an_open_stream_ends_with_its_key_and_never_looks_finished"),
    Elsewhere(41, f"{KEYS}::test_a_call_that_waits_ends_with_its_key_too"),
    Elsewhere(41, "tests/integration/server/test_shared_keys.py::test_a_key_that_is_revoked_on_one_machine_is_dead_on_all_open_streams_too"),
    Elsewhere(42, f"{KEYS}::test_a_fallback_goes_nowhere_where_the_key_may_not"),
    Elsewhere(44, f"{MACHINE}::test_two_hundred_at_once_with_money_for_ten"),
    Elsewhere(44, "tests/contract/test_store.py::test_ten_thousand_parallel_admissions_never_overshoot_and_none_too_few"),
    Elsewhere(46, f"{MACHINE}::test_a_days_budget_begins_with_the_day_of_utc_whatever_the_zone_does"),
    Elsewhere(46, f"{MACHINE}::test_no_step_of_a_clock_opens_a_budget_and_the_next_hour_does"),
    Elsewhere(47, f"{MACHINE}::test_a_clock_that_jumps_ends_no_key_wakes_nobody_and_mixes_nothing_up"),
    Elsewhere(48, f"{GATEWAY}::test_an_outside_endpoint_that_bills_on_is_read_to_its_end"),
    Elsewhere(48, "tests/integration/gateway/test_limits.py::test_a_caller_who_leaves_pays_for_an_answer_that_nobody_waited_for"),
    Elsewhere(49, f"{KEYS}::test_scopes_say_what_else_a_key_is_for"),
)  # fmt: skip


@case(39, ALL)
async def no_key(at: Scene) -> None:
    """None, an empty one, two that disagree, the wrong scheme; a wrong one is not repeated to who shows it."""
    good, key = at.door.raw(at.target.model), at.target.key
    heads = {
        "none": (),
        "empty": ("Authorization: Bearer ",),
        "empty, the other header": ("x-api-key: ",),
        "two that disagree": (f"Authorization: Bearer {key}", "x-api-key: sk-another-one-0815"),
        "said twice": (f"Authorization: Bearer {key}", "Authorization: Bearer sk-another-one-0815"),
        "basic": (f"Authorization: Basic {key}",),
        "no scheme": (f"Authorization: {key}",),
        "unknown": ("Authorization: Bearer sk-another-one-0815",),
    }
    for name, lines in heads.items():
        reply = await at.refused(name, good, *lines, key="")
        at.hold(b"0815" not in reply.body, f"{name}: the key is repeated")


@case(40, ALL)
async def odd_keys(at: Scene) -> None:
    """What would mean something to a database, a shell or a terminal is a wrong key like any other."""
    good = at.door.raw(at.target.model)
    said = set()
    for odd in (
        "' OR 1=1 --", "'; DROP TABLE keys;--", "/* x */", '"', "$(id)", "%00", "../../key", "{{7*7}}",
        "\N{KEY}".encode().decode("latin-1"), "é", "x" * 10_000, f"{at.target.key}x", (at.target.key or "")[:-1],
        (at.target.key or "").upper(),
    ):  # fmt: skip
        for head in (f"Authorization: Bearer {odd}", f"x-api-key: {odd}"):
            reply = await at.refused(odd[:20], good, head, key="")
            said.add(reply.body)
    at.hold(len(said) == 1, f"odd keys are told apart: {said}")


@case(41, ALL, within=True)
async def a_key_that_is_over(at: Scene) -> None:
    """An expired one, in either header."""
    good = at.door.raw(at.target.model)
    for head in (f"Authorization: Bearer {stage.LATE_KEY}", f"x-api-key: {stage.LATE_KEY}"):
        await at.refused("expired", good, head, key="")


@case(42, CALLS, within=True)
async def not_for_this_key(at: Scene) -> None:
    """By name, by tier, through a workflow and with either header: one and the same refusal, and nobody is asked."""
    for model in ("second", "outside", "auto:either"):
        replies = [
            await at.refused(model, at.door.good(model), head, key="")
            for head in (f"Authorization: Bearer {stage.NARROW_KEY}", f"x-api-key: {stage.NARROW_KEY}")
        ]
        at.hold(len({reply.body for reply in replies}) == 1, f"{model}: the headers are told apart")
    at.hold(at.asks == 0, "somebody was asked")


@case(42, CALLS, within=True)
async def no_way_round(at: Scene) -> None:
    """A fallback and an escalation end before a model that the key may not use; with another key they go there."""
    upstream = at.target.upstream
    assert upstream is not None
    for name, free in (("html-first", "second"), ("climbs", "outside")):
        before = len(upstream.asked)
        reply = await at.ask(at.door.good(f"auto:{name}"), key=stage.NARROW_KEY)
        at.hold(reply.status == 502, f"{name}: {reply.status} {reply.body[:120]!r}")
        asked = {json.loads(one.body)["model"] for one in upstream.asked[before:]}
        at.hold(all("fault=" in one for one in asked), f"{name}: asked {asked}")
        record = json.loads(at.records[-1][2])
        excluded = {one["model"]: one["excluded_by"] for one in record["candidates"]}
        at.hold(excluded.get(free) == "key:models", f"{name}: excluded by {excluded}")
        reply = await at.ask(at.door.good(f"auto:{name}"))
        at.hold(reply.status == 200, f"{name}, another key: {reply.status}")


@case(42, (RESPONSES,), within=True)
async def not_by_a_stored_response(at: Scene) -> None:
    """A conversation that began elsewhere opens no model."""
    made = (await at.ask(at.door.good("ordinary"), key=stage.NARROW_KEY)).json()["id"]
    await at.refused("continued", at.door.good("second", previous_response_id=made), key=stage.NARROW_KEY)


@case(43, (RESPONSES,), within=True)
async def somebody_elses(at: Scene) -> None:
    """A response or a decision of another key is answered as one that was never made."""
    made = await at.ask()
    theirs, never = made.json()["id"], "resp_00000000000000000000000000"
    for method, path in (("GET", "responses"), ("DELETE", "responses"), ("GET", "decisions")):
        own = (made.field("x-tierwise-decision") or "") if path == "decisions" else theirs
        told = []
        for ident in (own, never):
            head = at.target.head("Connection: close", key=stage.NARROW_KEY)
            reply = (await at.send(request(f"/v1/{path}/{ident}", head=head, method=method))).final[0]
            at.judge(f"{method} {path}", reply)
            told.append(reply.body.replace(ident.encode(), b"ID"))
        at.hold(told[0] == told[1], f"{method} {path}: told apart from a missing one: {told}")
    told = []
    for ident in (theirs, never):
        reply = await at.ask(at.door.good("ordinary", previous_response_id=ident), key=stage.NARROW_KEY)
        at.hold(reply.status == 400, f"continued: {reply.status}")  # as the vendor's own API has it
        told.append(reply.body.replace(ident.encode(), b"ID"))
    at.hold(told[0] == told[1], f"continued: told apart from a missing one: {told}")


@case(45, CALLS, within=True)
async def no_price(at: Scene) -> None:
    """What is outside and has no price is refused; a price of 0 is one."""
    await at.refused("unpriced", at.door.good("unpriced"))
    at.hold(at.asks == 0, "an unpriced model was asked")
    reply = await at.ask(at.door.good("free"))
    at.hold(reply.status == 200, f"free: {reply.status}")
    at.hold(Decimal(json.loads(at.records[-1][2])["total_cost_usd"]) == 0, "what is free costs something")


@case(47, (*CALLS, Door("count_tokens")), within=True)
async def too_often(at: Scene) -> None:
    """One call a minute: the second is told when, in the caller's words."""
    key = stage.few(at.door)
    first = await at.ask(key=key)
    at.hold(first.status == 200, f"the first: {first.status}")
    reply = await at.refused("the second", at.door.good(at.target.model), key=key)
    wait = reply.field("retry-after") or "none"
    at.hold(wait.isdigit() and 1 <= int(wait) <= 60, f"retry-after: {wait}")


async def _leave(at: Scene, model: str, stay: Callable[[asyncio.StreamReader], Awaitable[object]]) -> None:
    """Ask, stay for so long, and go."""
    target = at.target
    reader, writer = await asyncio.open_connection(target.host, target.port)
    writer.write(target.post(at.door, json.dumps(at.door.good(model, TEXT)).encode()))
    await writer.drain()
    await stay(reader)
    writer.transport.abort()
    at.unseen += 1


async def _until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LEFT_S
    while not holds() and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    return holds()


@case(48, CALLS, needs=("slow",), within=True)
async def the_caller_leaves(at: Scene) -> None:
    """Before the first byte and amid the answer: the endpoint is left, its connection is not used again, once recorded."""
    upstream = at.target.upstream
    assert upstream is not None
    moments: dict[str, tuple[str, Callable[[asyncio.StreamReader], Awaitable[object]]]] = {
        "before the first byte": ("chat-59-hang", lambda _: _until(lambda: bool(upstream.asked[before:]))),
        "amid": ("slow", lambda reader: reader.readuntil(b"data: ") if at.door.stream else _until(lambda: bool(upstream.asked[before:]))),
    }  # fmt: skip
    for name, (model, stay) in moments.items():
        before, records = len(upstream.asked), len(at.records)
        await _leave(at, model, stay)
        at.hold(await _until(lambda: upstream.asked[-1].cancelled), f"{name}: the endpoint is not left")
        at.hold(await _until(lambda: len(at.records) > records), f"{name}: nothing is recorded")  # noqa: B023
        at.hold(len(upstream.asked) - before == 1, f"{name}: asked {len(upstream.asked) - before} times")
        _, outcome, record = at.records[-1]
        at.hold(outcome == "cancelled", f"{name}: recorded as {outcome}")
        usage = json.loads(record)["attempts"][-1]["usage"]
        at.hold((usage is None) == (name != "amid" or not at.door.stream), f"{name}: usage {usage}")
        left = upstream.asked[-1].connection
        said = read(at.door, await at.ask(at.door.good(model="second", text=TEXT)))
        at.hold((said.how, said.text) == ("whole", TEXT), f"{name}: the next one gets {said}")
        at.hold(upstream.asked[-1].connection != left, f"{name}: the connection is used again")


@case(48, tuple(door for door in CALLS if door.stream), within=True)
async def at_the_last_byte(at: Scene) -> None:
    """Who leaves with the end in hand was answered: paid once, not cancelled."""
    end = {"chat": b"[DONE]\n\n", "responses": b"event: response.completed", "messages": b"event: message_stop"}
    await _leave(at, "second", lambda reader: reader.readuntil(end[at.door.wire]))
    at.hold(await _until(lambda: len(at.records) == 1), "not recorded once")
    at.hold(at.records[-1][1] == "answered", f"recorded as {at.records[-1][1]}")


@case(49, (CHAT,), within=True)
async def not_an_administrator(at: Scene) -> None:
    """What only a key for it may see."""
    reply = (await at.send(request("/metrics", head=at.target.head("Connection: close"), method="GET"))).final[0]
    at.judge("/metrics", reply)
