"""Less is kept wherever anything is in doubt: bounds, cuts, seals, and canaries in every place of every wire."""

import json
import random
from typing import Any

import msgspec
import pytest

from tests.integration.gateway.test_perimeter import CANARY, _body
from tests.unit.ledger.samples import a_decision
from tierwise.core.answer import Answer, Choice, Delta, Piece, TokenLogprob, ToolCall, assemble
from tierwise.core.call import Call
from tierwise.core.conversation import Seal
from tierwise.core.decision import ContentLevel, ContentRecord, Decision, Labelled
from tierwise.core.declassified import Declassified
from tierwise.core.label import Label
from tierwise.gateway.forgiven import Forgiven
from tierwise.gateway.kept_content import MAX_KEPT_BYTES, MAX_STREAM_CHARS, KeptContent
from tierwise.gateway.rules import Rules
from tierwise.ledger.contents import Contents, agrees
from tierwise.ledger.settings import LedgerSettings
from tierwise.policy.detect import Detectors
from tierwise.policy.judge import Policy
from tierwise.policy.settings import LabelSettings, Pattern
from tierwise.registry.catalog import Catalog
from tierwise.wires.known import CALLERS
from tierwise.wires.seals import enclose

LABELS = LabelSettings(patterns={"canary": Pattern(pattern=CANARY, label=Label.INTERNAL)})
WORLD = {"model": "m"}


def rules(level: ContentLevel) -> Rules:
    return Rules(
        catalog=Catalog(endpoints={}, models={}, unusable={}),
        policy=Policy(LABELS, (), {}),
        labels=LABELS,
        detectors=Detectors(LABELS),
        ledger=LedgerSettings(store_content=level),
    )


FULL, REDACTED = rules("full"), rules("redacted")


def call(wire: str, body: Any) -> Call:
    return CALLERS[wire].decode_request(json.dumps(body | WORLD).encode())


def chat(text: str) -> Call:
    return call("chat", {"messages": [{"role": "user", "content": text}]})


def closed(kept: KeptContent, by: Rules, forgiven: Forgiven = Forgiven()) -> tuple[Contents, ContentRecord]:
    decision, contents = kept.closed(a_decision(1), by, by, forgiven)
    assert contents is not None
    assert decision.content
    return contents, decision.content


def said(contents: Contents) -> Any:
    return json.loads(contents.answer or b"null")


def test_a_stream_is_kept_up_to_the_bound_and_marked() -> None:
    kept = KeptContent(chat("hi"))
    for _ in range(MAX_STREAM_CHARS // 1000 + 3):
        kept.heard(Delta(pieces=(Piece(text="x" * 1000),)))
    kept.heard(Delta(pieces=(Piece(finish="stop"),)))
    contents, record = closed(kept, FULL)
    (choice,) = said(contents)["choices"]
    assert choice == {"index": 0, "text": "x" * MAX_STREAM_CHARS, "finish": "stop"}
    assert record.answer is not None
    assert record.answer.truncated
    assert agrees(record.answer, contents.salt, contents.answer or b"")


def test_half_a_value_at_a_cut_is_not_kept_where_values_are_masked() -> None:
    kept = KeptContent(chat("hi"))
    kept.heard(Delta(pieces=(Piece(text="x" * (MAX_STREAM_CHARS - 6) + CANARY),)))
    contents, record = closed(kept, REDACTED)
    assert contents.answer is None
    assert record.answer is not None
    assert (record.answer.kept, record.answer.why) == ("hash", "it was too long to be masked whole")


def test_a_long_request_is_kept_up_to_the_bound_and_its_size_told() -> None:
    asked = chat("y" * (MAX_KEPT_BYTES + 10))
    contents, record = closed(KeptContent(asked), FULL)
    assert contents.request == asked.body[:MAX_KEPT_BYTES]
    assert (record.request.truncated, record.request.size_bytes) == (True, len(asked.body))
    assert agrees(record.request, contents.salt, contents.request or b"")
    assert record.answer is None


def test_what_a_stream_says_is_what_its_pieces_add_up_to() -> None:
    pieces = [
        Piece(choice=1, text="se"), Piece(reasoning="hm"), Piece(text="one ", tokens=(TokenLogprob(b"one", -1.0),)),
        Piece(tool_calls=(ToolCall(index=0, id="c1", name="look", arguments='{"a'),)), Piece(text="two"),
        Piece(tool_calls=(ToolCall(index=0, arguments='":1}'), ToolCall(index=1, id="c2", name="see"))),
        Piece(choice=1, text="cond", finish="length"), Piece(finish="tool_calls"),
    ]  # fmt: skip
    kept = KeptContent(chat("hi"))
    for piece in pieces:
        kept.heard(Delta(pieces=(piece,)))
    found = {choice["index"]: choice for choice in said(closed(kept, FULL)[0])["choices"]}
    for choice in assemble([Delta(pieces=tuple(pieces))]).choices:
        one = found[choice.index]
        assert [one.get(name) or "" for name in ("text", "reasoning")] == [choice.text, choice.reasoning]
        assert one["finish"] == choice.finish
        calls = one.get("tool_calls", [])
        assert [(c["name"], c.get("arguments", "")) for c in calls] == [
            (c.name, c.arguments) for c in choice.tool_calls
        ]


def test_half_a_character_in_a_stream_is_no_reason_not_to_record_it() -> None:
    kept = KeptContent(chat("hi"))
    kept.heard(Delta(pieces=(Piece(text="a\ud83d"),)))
    assert said(closed(kept, FULL)[0])["choices"][0]["text"] == "a?"


def test_what_nobody_can_look_into_is_taken_out_where_values_are_masked() -> None:
    seal = enclose(Seal(wire="messages", origin="far", data="c2VhbGVkIHdvcmRz"))
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": seal}]},
        {"role": "user", "content": f"about {CANARY}"},
    ]
    asked = call("messages", {"messages": turns, "max_tokens": 9})
    assert seal.encode() in (closed(KeptContent(asked), FULL)[0].request or b"")
    contents, record = closed(KeptContent(asked), REDACTED)
    assert record.request.kept == "redacted"
    assert contents.request is not None
    assert seal.encode() not in contents.request
    assert CANARY.encode() not in contents.request
    assert json.loads(contents.request)["messages"][1]["content"][0]["thinking"] == "hm"


def test_a_value_of_the_request_is_masked_in_the_answer_where_nothing_there_gives_it_away() -> None:
    asked = chat('login with {"password": "tango-lima-44"} please')
    kept = KeptContent(asked)
    kept.heard(Delta(pieces=(Piece(text="I used tango-lima-44 as you said"),)))
    contents, _ = closed(kept, REDACTED)
    assert b"tango-lima-44" not in (contents.request or b"") + (contents.answer or b"")
    assert b"as you said" in (contents.answer or b"")


def test_placeholders_of_two_calls_tell_nothing_of_each_other() -> None:
    one, two = (closed(KeptContent(chat(f"about {CANARY}")), REDACTED) for _ in range(2))
    assert one[0].request != two[0].request
    assert one[0].salt != two[0].salt


def test_what_is_declassified_is_no_reason_to_keep_less() -> None:
    asked = chat(f"about {CANARY}")
    one = Declassified(id="d", made=0, until=9, who="ann", why="x", to=Label.PUBLIC, session="s", detectors=("canary",))
    _, record = closed(KeptContent(asked), REDACTED, Forgiven((one,)))
    assert record.request.kept == "redacted"


@pytest.mark.parametrize("seed", range(3))
def test_no_canary_is_in_what_redacted_keeps_wherever_it_stood(seed: int) -> None:
    draw = random.Random(seed)
    masked = 0
    for _ in range(120):
        wire = draw.choice(["chat", "responses", "messages", "count_tokens", "embeddings"])
        asked = call(wire, _body(draw, wire, CANARY))
        kept = KeptContent(asked)
        if wire not in ("count_tokens", "embeddings") and draw.random() < 0.5:
            kept.whole(Answer(choices=(Choice(text=f"so {CANARY}", finish="stop"),)), "01abc", strip_logprobs=False)
        else:
            kept.heard(Delta(pieces=(Piece(text=CANARY[:7]), Piece(text=CANARY[7:] + " it is"))))
        contents, record = closed(kept, REDACTED)
        assert CANARY.encode() not in (contents.request or b"") + (contents.answer or b"")
        assert (contents.request is None) is (record.request.kept == "hash")
        masked += record.request.kept == "redacted"
    assert masked > 100, "and nearly always the rest is kept"


def test_a_release_since_then_can_only_keep_less() -> None:
    labels = msgspec.structs.replace(LABELS, ceilings={})
    far = msgspec.structs.replace(FULL, ledger=LedgerSettings(url="postgresql://me@db/l", store_content="full"))
    strict = msgspec.structs.replace(far, labels=msgspec.structs.replace(labels, preset="private"))
    for first, then in ((far, strict), (strict, far)):
        decision: Decision = a_decision(1, label=Labelled(value=Label.RESTRICTED))
        found, contents = KeptContent(chat("wombat")).closed(decision, first, then, Forgiven())
        assert contents is not None
        assert contents.request is None
        assert found.content
        assert found.content.request.why == "the ledger is self_hosted, restricted may reach local"
