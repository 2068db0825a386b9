"""Thinking goes back to whom it came from, in its own bytes, and to nobody else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.conversation import Seal
from tierwise.wires.messages_seals import (
    REDACTED,
    SIGNED,
    UNSIGNED,
    readable,
    replaced,
    seal_of,
    sealed_block,
    without_clearing,
)
from tierwise.wires.seals import enclose, fits, open_seal
from tierwise.wires.wire import Recipient

TEXT = {"type": "text", "text": "x"}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
PLAIN = {"type": "thinking", "thinking": "hm", "signature": "EqQB+/="}
HIDDEN = {"type": "redacted_thinking", "data": "EmwK"}
THERE = Recipient(endpoint="there", served_name="m", stream=False)
UNSEALED = Recipient(endpoint="there", served_name="m", stream=False, unseal=True)


def sealed(data: str, origin: str, wire: str = "messages") -> str:
    return enclose(Seal(wire=wire, data=data, origin=origin))


def signed(signature: str) -> dict[str, Any]:
    return PLAIN | {"signature": signature}


def assistants(*blocks: Any) -> bytes:
    return json.dumps([{"role": "user", "content": "hi"}, {"role": "assistant", "content": [*blocks]}]).encode()


def left(raw: bytes, to: Recipient = THERE) -> list[Any]:
    """Return the assistant's blocks that an endpoint is sent."""
    mended = readable(raw, to)
    tree = json.loads(raw if mended is None else mended.messages)
    return [block for message in tree if message["role"] == "assistant" for block in message["content"]]


@given(st.sampled_from([SIGNED, REDACTED]), st.text(min_size=1, max_size=50), st.text(max_size=20), st.text(max_size=9))
def test_what_is_sealed_is_opened_again(kind: str, data: str, text: str, origin: str) -> None:
    """A caller keeps it in the field of its own wire that nobody reads."""
    seal = Seal(wire="messages", data=kind + data, origin=origin)
    for kept in (signed(enclose(seal)), {"type": "redacted_thinking", "data": enclose(seal)}):
        opened = seal_of(kept)
        assert opened == seal
        block = sealed_block(seal, text)
        assert seal_of(block) == Seal(wire="messages", data=kind + data)
        assert block == ({"type": "thinking", "thinking": text, "signature": data} if kind == SIGNED else HIDDEN | {"data": data})  # fmt: skip


def test_thinking_that_nobody_signed_has_no_seal() -> None:
    assert seal_of(signed("")) is None
    unsigned = open_seal(UNSIGNED)
    assert unsigned is not None and not fits(unsigned, "messages", "there")


@pytest.mark.parametrize(
    ("block", "kept"),
    [
        (PLAIN, PLAIN),
        (HIDDEN, HIDDEN),
        (signed(""), signed("")),
        (signed("tw1.not an envelope"), signed("tw1.not an envelope")),
        (signed(sealed(SIGNED + "EqQB", "there")), signed("EqQB")),
        (signed(sealed(SIGNED + "EqQB", "")), signed("EqQB")),
        (signed(sealed(REDACTED + "EmwK", "there")), HIDDEN),
        (HIDDEN | {"data": sealed(REDACTED + "EmwK", "there")}, HIDDEN),
        (HIDDEN | {"data": sealed(SIGNED + "EqQB", "there")}, signed("EqQB") | {"thinking": ""}),
        (signed(sealed(SIGNED + "EqQB", "elsewhere")), None),
        (HIDDEN | {"data": sealed(REDACTED + "EmwK", "elsewhere")}, None),
        (signed(sealed("rs_1 gAAA", "there", "responses")), None),
        (signed(sealed("sig", "", "gemini")), None),
        (signed(UNSIGNED), None),
    ],
)
def test_who_can_read_it_gets_it(block: dict[str, Any], kept: dict[str, Any] | None) -> None:
    assert left(assistants(block, TEXT)) == ([TEXT] if kept is None else [kept, TEXT])
    assert left(assistants(block, TEXT), UNSEALED) == [TEXT]
    mended = readable(assistants(block, TEXT), THERE)
    assert (mended is not None and mended.cut) is (kept is None)


def test_what_needs_no_change_is_not_touched() -> None:
    for raw in (
        assistants(PLAIN, TEXT),
        assistants(TEXT | {"text": "thinking"}),
        b'[{"role":"user","content":"thinking"}]',
    ):
        assert readable(raw, THERE) is None
    assert readable(assistants(TEXT | {"text": "thinking"}), UNSEALED) is None


def test_a_message_of_which_nothing_is_left_goes_too() -> None:
    raw = b'[ {"role":"user","content":"a"} , {"role":"assistant","content":[%b]}, {"role":"user","content":"b"} ]'
    mended = readable(raw % json.dumps(signed(UNSIGNED)).encode(), THERE)
    assert mended is not None
    assert mended.messages == b'[ {"role":"user","content":"a"}, {"role":"user","content":"b"} ]'


def test_thinking_is_found_behind_escapes_too() -> None:
    written = json.dumps(signed(UNSIGNED)).replace("thinking", "t\\u0068inking").replace("signature", "s\\u0069gnature")
    raw = b'[{"role":"assistant","content":[%b,{"type":"text","text":"x"}]}]' % written.encode()
    assert b"thinking" not in raw
    assert left(raw) == [TEXT]


FOREIGN = signed(UNSIGNED)
ASKED, ANSWERED = {"role": "user", "content": "a"}, {"role": "user", "content": [{"type": "tool_result"}]}


@pytest.mark.parametrize(
    ("turns", "loop"),
    [
        ([[FOREIGN, USE], ANSWERED], True),
        ([[FOREIGN, PLAIN, USE], ANSWERED], False),
        ([[FOREIGN, HIDDEN, USE], ANSWERED], False),
        ([[FOREIGN], [USE], ANSWERED], True),
        ([[FOREIGN, TEXT], [PLAIN, USE], ANSWERED], True),
        ([[FOREIGN, USE], ANSWERED, [FOREIGN, PLAIN, USE], ANSWERED], False),
        ([[FOREIGN, USE], ANSWERED, [USE], ANSWERED], False),
        ([[PLAIN, USE], ANSWERED, [FOREIGN, USE], ANSWERED], True),
        ([[FOREIGN, TEXT], ASKED, [PLAIN, USE], ANSWERED], False),
    ],
)
def test_the_last_turn_tells_whether_a_loop_lost_its_thinking(turns: list[Any], loop: bool) -> None:
    messages = [ASKED, *(turn if isinstance(turn, dict) else {"role": "assistant", "content": turn} for turn in turns)]
    mended = readable(json.dumps(messages).encode(), THERE)
    assert mended is not None and mended.cut
    assert mended.loop is loop


@given(
    st.lists(st.tuples(st.sampled_from(["1", '{"a" : [1,2]}', '"],"', "[ ]"]), st.booleans()), max_size=6),
    st.sampled_from(["", " ", "\r\n\t"]),
)
def test_elements_that_stay_keep_their_bytes(elements: list[tuple[str, bool]], gap: str) -> None:
    raw = f"[{gap}{f'{gap},{gap}'.join(text for text, _ in elements)}{gap}]".encode()
    kept = [text.encode() if stays else None for text, stays in elements]
    cut = replaced(raw, kept)
    assert json.loads(cut) == [json.loads(text) for text, stays in elements if stays]
    assert cut == raw or None in kept


@pytest.mark.parametrize(
    ("management", "left_over"),
    [
        ({"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}, None),
        ({"edits": [{"type": "clear_thinking_20251015"}, {"type": "x"}], "y": 1}, {"edits": [{"type": "x"}], "y": 1}),
        ({"edits": "clear_thinking"}, {"edits": "clear_thinking"}),
        ({"note": "clear_thinking"}, {"note": "clear_thinking"}),
    ],
)
def test_what_only_thinking_needs_goes_with_it(management: Any, left_over: Any) -> None:
    written = without_clearing(json.dumps(management).encode())
    assert (None if written is None else json.loads(written)) == left_over
