"""What of a call's content comes into the ledger: in which form, on every wire, and what never does."""

import asyncio
import base64
import json
import sqlite3
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway.conftest import Build, House, text_of
from tests.postgres.server import Server
from tierwise.core.call import Hints
from tierwise.core.decision import Committed, ContentLevel, ContentRecord
from tierwise.core.errors import PolicyDenied, StoreError, StreamBroken, TierwiseError
from tierwise.core.label import Label, Tier
from tierwise.gateway.gateway import Reply
from tierwise.ledger.contents import Contents, agrees
from tierwise.ledger.settings import LedgerSettings
from tierwise.policy.settings import LabelSettings, Pattern, Rule, Then, When
from tierwise.server.settings import KeyRow
from tierwise.wires.known import CALLERS

CARD, IBAN = "4024007134564847", "DE26500105175260181590"
WIRES = ("chat", "responses", "messages")


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


def body_of(wire: str, text: str, **more: Any) -> bytes:
    """Write a request of a wire, with spaces that no encoder of ours would put there."""
    turns = [{"role": "user", "content": text}]
    match wire:
        case "responses":
            fields: dict[str, Any] = {"input": text}
        case "messages":
            fields = {"messages": turns, "max_tokens": 200}
        case _:
            fields = {"messages": turns}
    return json.dumps({"model": "near"} | fields | more, indent=1, ensure_ascii=False).encode()


async def asked(
    h: House, wire: str, body: bytes, hints: Hints = Hints()
) -> tuple[Reply, Contents | None, ContentRecord]:
    """Send a body through to the end of its answer; return what came, what is kept, and what the record says of it."""
    reply = await h.gateway.handle(CALLERS[wire].decode_request(body, hints))
    await text_of(reply)
    return reply, *await found(h, reply.decision.id)


async def found(h: House, ident: str) -> tuple[Contents | None, ContentRecord]:
    record = (await h.recorded(ident)).content
    assert record
    return await h.wired.ledger.content(ident), record


def keeping(level: ContentLevel, **more: Any) -> LedgerSettings:
    return LedgerSettings(store_content=level, **more)


def under(duty: Any, **when: Any) -> tuple[Rule, ...]:
    return (Rule(when=When(**when), then=Then(obligations=(duty,))),)


# how much


def test_by_default_nothing_is_kept_and_the_record_does_not_mention_it(house: Build) -> None:
    async def work() -> None:
        async with house() as h:
            reply = await h.ask("wombat")
            assert not (await h.recorded(reply.decision.id)).content
            assert await h.wired.ledger.content(reply.decision.id) is None
            assert reply.body is None

    run(work())


@pytest.mark.parametrize("wire", WIRES)
def test_full_keeps_the_request_as_it_came_and_the_whole_answer_as_it_left(house: Build, wire: str) -> None:
    async def work() -> None:
        async with house(ledger=keeping("full")) as h:
            body = body_of(wire, "zwölf wombats")
            reply, kept, record = await asked(h, wire, body)
            assert kept is not None
            assert kept.request == body
            assert kept.answer == reply.body
            assert b"wombats" in (reply.body or b"")
            assert record.answer is not None
            assert (record.level, record.request.kept, record.answer.kept) == ("full", "full", "full")
            assert record.request.size_bytes == len(body)
            assert agrees(record.request, kept.salt, body)
            assert agrees(record.answer, kept.salt, kept.answer or b"")
            assert not agrees(record.request, b"x" * 32, body), "without the salt nobody can try a guess"

    run(work())


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("endpoint", ["chat", "messages"])
def test_of_a_stream_is_kept_what_it_said(house: Build, wire: str, endpoint: str) -> None:
    async def work() -> None:
        async with house(ledger=keeping("full"), wires={"near": (endpoint,)}) as h:
            body = body_of(wire, "zwölf wombats at play", stream=True)
            _, kept, record = await asked(h, wire, body)
            assert kept is not None
            assert kept.request == body
            said = {"choices": [{"index": 0, "text": "zwölf wombats at play", "finish": "stop"}]}
            assert json.loads(kept.answer or b"") == said
            assert record.answer is not None
            assert agrees(record.answer, kept.salt, kept.answer or b"")

    run(work())


def test_calls_of_tools_in_a_stream_are_kept_whole(house: Build) -> None:
    async def work() -> None:
        tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
        async with house(ledger=keeping("full")) as h:
            _, kept, _ = await asked(h, "chat", body_of("chat", "look", stream=True, tools=[tool]))
            assert kept is not None
            (choice,) = json.loads(kept.answer or b"")["choices"]
            (call,) = choice["tool_calls"]
            assert call["name"] == "look"
            assert json.loads(call["arguments"]) is not None

    run(work())


@pytest.mark.parametrize("stream", [False, True])
def test_hash_keeps_no_word_but_proves_what_was_asked_and_answered(house: Build, stream: bool) -> None:
    async def work() -> None:
        async with house(ledger=keeping("hash")) as h:
            body = body_of("chat", "wombat", stream=stream)
            reply, kept, record = await asked(h, "chat", body)
            assert kept is not None
            assert (kept.request, kept.answer) == (None, None)
            assert agrees(record.request, kept.salt, body)
            assert record.answer is not None
            assert stream or agrees(record.answer, kept.salt, reply.body or b"")

    run(work())


# what is taken out


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", WIRES)
def test_redacted_holds_no_value_that_a_detector_finds_in_either_direction(
    house: Build, wire: str, stream: bool
) -> None:
    async def work() -> None:
        labels = LabelSettings(patterns={"merger": Pattern(pattern="project falcon", label=Label.INTERNAL)})
        async with house(ledger=keeping("redacted"), labels=labels) as h:
            text = f"pay {CARD} from {IBAN}, about project falcon, in Köln"
            reply, kept, record = await asked(h, wire, body_of(wire, text, stream=stream))
            assert kept is not None
            assert record.answer is not None
            assert (record.request.kept, record.answer.kept) == ("redacted", "redacted")
            for side in (kept.request, kept.answer):
                assert side is not None
                told = side.decode()
                assert not any(value in told for value in (CARD, IBAN, "falcon"))
                assert "CARD_" in told
                assert "Köln" in json.dumps(json.loads(told), ensure_ascii=False), "and the rest is there"
            assert agrees(record.request, kept.salt, kept.request or b""), "the record binds what is kept"
            assert stream or CARD.encode() in (reply.body or b""), "the caller got his own"

    run(work())


def test_what_cannot_be_masked_is_kept_as_a_hash_and_says_so(house: Build) -> None:
    async def work() -> None:
        async with house(ledger=keeping("redacted")) as h:
            hidden = base64.b64encode(f"my card is {CARD} ok".encode()).decode()
            body = body_of("chat", hidden)
            _, kept, record = await asked(h, "chat", body)
            assert kept is not None
            assert (kept.request, kept.answer) == (None, None)
            assert record.level == "redacted"
            assert record.request.kept == "hash"
            assert "cannot be masked" in record.request.why
            assert record.answer is not None
            assert record.answer.kept == "hash"

    run(work())


@pytest.mark.parametrize("level", ["full", "redacted"])
@pytest.mark.parametrize("stream", [False, True])
def test_where_an_endpoint_gets_placeholders_the_ledger_gets_the_callers_own_form(
    house: Build, level: ContentLevel, stream: bool
) -> None:
    async def work() -> None:
        rule = under("pseudonymise", label=Label.PUBLIC)
        async with house(ledger=keeping(level), rule=rule) as h:
            reply, kept, _ = await asked(h, "chat", body_of("chat", f"pay {CARD} today", stream=stream))
            assert kept is not None
            (sent,) = [request.body for request in h.upstreams["near"].asked]
            assert CARD.encode() not in sent
            for side in (kept.request, kept.answer):
                assert side is not None
                assert (CARD.encode() in side) is (level == "full")
                assert (b"CARD_1_" in side) is (level == "redacted")
            assert reply.decision.obligations == ("pseudonymise",)

    run(work())


def test_no_key_that_is_shown_or_taken_here_gets_in(house: Build) -> None:
    async def work() -> None:
        made = "tw-" + "aB3" * 16
        rows = (KeyRow(name="team", secret="env:TEAM_KEY"),)
        async with house(ledger=keeping("full"), key=rows, environ={"TEAM_KEY": "s3cret-of-the-team"}) as h:
            text = f"my keys are {made} and s3cret-of-the-team, my dog is Rex"
            _, kept, record = await asked(h, "chat", body_of("chat", text))
            assert kept is not None
            for side in (kept.request, kept.answer):
                assert side is not None
                assert b"Rex" in side
                assert made.encode() not in side
                assert b"s3cret-of-the-team" not in side
            assert agrees(record.request, kept.salt, kept.request or b"")

    run(work())


# who decides


def test_under_the_duty_no_store_nothing_but_sizes_is_kept(house: Build) -> None:
    async def work() -> None:
        rule = under("no_store", label=Label.CONFIDENTIAL)
        async with house(ledger=keeping("full"), rule=rule) as h:
            body = body_of("chat", "wombat")
            _, kept, record = await asked(h, "chat", body, Hints(label=Label.CONFIDENTIAL))
            assert kept is None
            assert record.request == Committed(size_bytes=len(body), why="no_store")
            assert record.answer is not None
            assert (record.answer.sha256, record.answer.kept) == (None, "none")
            _, kept, _ = await asked(h, "chat", body)
            assert kept is not None

    run(work())


def test_a_call_that_nobody_was_asked_is_under_the_duties_of_whoever_might_have_been(house: Build) -> None:
    async def work() -> None:
        deny = Rule(when=When(label=Label.CONFIDENTIAL), then=Then(deny=True, obligations=("no_store",)))
        async with house(ledger=keeping("full"), rule=(deny,)) as h:
            with pytest.raises(TierwiseError) as caught:
                await h.ask("wombat", hints=Hints(label=Label.CONFIDENTIAL))
            assert isinstance(caught.value, PolicyDenied)
            assert caught.value.decision is not None
            kept, record = await found(h, caught.value.decision.id)
            assert kept is None
            assert (record.level, record.request.why, record.answer) == ("none", "no_store", None)

    run(work())


def test_a_label_has_its_own_level_up_to_the_next_one_named(house: Build) -> None:
    async def work() -> None:
        levels: dict[Label, ContentLevel] = {Label.INTERNAL: "hash", Label.RESTRICTED: "none"}
        async with house(
            ledger=keeping("full", store_content_by_label=levels), labels=LabelSettings(default=Label.PUBLIC)
        ) as h:
            seen = {}
            for label in Label:
                reply = await h.ask("wombat", model="near", hints=Hints(label=label))
                record = (await h.recorded(reply.decision.id)).content
                seen[label] = record.level if record else None
            assert list(seen.values()) == ["full", "hash", "hash", None]

    run(work())


@pytest.mark.parametrize(
    ("tier", "label", "kept_as"),
    [
        (None, Label.RESTRICTED, "full"),  # a database on this machine
        (Tier.SELF_HOSTED, Label.CONFIDENTIAL, "full"),
        (Tier.SELF_HOSTED, Label.RESTRICTED, "hash"),
        (Tier.FRONTIER, Label.INTERNAL, "full"),
        (Tier.FRONTIER, Label.CONFIDENTIAL, "hash"),
    ],
)
def test_a_ledger_farther_away_than_the_label_may_reach_gets_no_content(
    house: Build, postgres: Server, tier: Tier | None, label: Label, kept_as: str
) -> None:
    async def work() -> None:
        settings = keeping("full", url=str(postgres.database()), password="env:PASSWORD", tier=tier)
        async with house(ledger=settings, environ={"PASSWORD": postgres.password}) as h:
            for stream in (False, True):
                body = body_of("chat", "wombat-7741", stream=stream)
                _, kept, record = await asked(h, "chat", body, Hints(label=label))
                assert kept is not None
                assert record.answer is not None
                assert (record.request.kept, record.answer.kept) == (kept_as, kept_as)
                assert (kept.request is None) is (kept.answer is None) is (kept_as == "hash")
                assert ("may reach" in record.request.why) is (kept_as == "hash")

    run(work())


# how it ends


def test_a_caller_who_leaves_in_the_middle_leaves_what_he_had_got(house: Build) -> None:
    async def work() -> None:
        async with house(ledger=keeping("full"), served={"near": "scripted-near?fault=slow_chunks&delay_ms=50"}) as h:
            body = body_of("chat", "one two three four five six seven eight nine ten", stream=True)
            reply = await h.gateway.handle(CALLERS["chat"].decode_request(body))
            assert reply.deltas is not None
            got = ""
            async for delta in reply.deltas:
                got += "".join(piece.text for piece in delta.pieces)
                if "two" in got:
                    break
            await reply.deltas.aclose()
            while (await h.recorded(reply.decision.id)).outcome == "pending":
                await asyncio.sleep(0.01)
            kept, record = await found(h, reply.decision.id)
            assert kept is not None
            assert json.loads(kept.answer or b"")["choices"][0]["text"] == got
            assert "ten" not in got
            assert record.request.kept == "full"

    run(work())


def test_of_a_stream_that_breaks_is_kept_what_came(house: Build) -> None:
    async def work() -> None:
        async with house(ledger=keeping("full"), served={"near": "scripted-near?fault=cut&after=2"}) as h:
            body = body_of("chat", "one two three four five six", stream=True)
            reply = await h.gateway.handle(CALLERS["chat"].decode_request(body))
            with pytest.raises(StreamBroken):
                await text_of(reply)
            kept, _ = await found(h, reply.decision.id)
            assert kept is not None
            assert json.loads(kept.answer or b"")["choices"][0]["text"].startswith("one")

    run(work())


def test_an_answer_that_no_caller_got_is_not_kept(house: Build) -> None:
    async def work() -> None:
        async with house(ledger=keeping("full"), served={"near": "scripted-near?fault=bad_json"}) as h:
            with pytest.raises(TierwiseError) as caught:
                await h.gateway.handle(CALLERS["chat"].decode_request(body_of("chat", "wombat")))
            assert caught.value.decision is not None
            kept, record = await found(h, caught.value.decision.id)
            assert kept is not None
            assert kept.answer is None
            assert record.answer is None
            assert b"wombat" in (kept.request or b"")

    run(work())


def test_content_that_cannot_be_written_is_an_outcome_that_cannot_be_written(house: Build, tmp_path: Path) -> None:
    async def work() -> None:
        async with house(ledger=keeping("full")) as h:
            await h.ask("first")
            db = sqlite3.connect(tmp_path / "ledger.sqlite")
            db.execute("CREATE TRIGGER full BEFORE INSERT ON contents BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
            db.close()
            with pytest.raises(StoreError):
                await h.ask("second")
            reply = await h.gateway.handle(CALLERS["chat"].decode_request(body_of("chat", "third", stream=True)))
            with pytest.raises(StoreError):
                await text_of(reply)
            assert await h.wired.ledger.count() == 1

    run(work())
