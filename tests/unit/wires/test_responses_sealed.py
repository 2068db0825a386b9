"""Which reasoning goes to whom, and what its neighbours keep."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.conversation import Seal
from tierwise.wires.responses_request import decode_request, splice_request
from tierwise.wires.responses_sealed import WIRE, readable, seal_data, seal_of, sealed_in
from tierwise.wires.seals import enclose
from tierwise.wires.wire import Recipient

HERE = Recipient(endpoint="here", served_name="s", stream=False)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=10)


def sealed(wire: str = WIRE, origin: str = "here", data: str = "rs_1 gAAAA") -> dict[str, Any]:
    return {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": enclose(Seal(wire=wire, origin=origin, data=data))}  # fmt: skip


@given(st.text("abcxyz_0123456789", max_size=10), TEXT)
def test_what_is_sealed_comes_out_as_it_went_in(ident: str, content: str) -> None:
    assert sealed_in(Seal(wire=WIRE, data=seal_data(ident, content))) == content


@pytest.mark.parametrize(
    ("item", "seal"),
    [
        ({"type": "reasoning", "id": "rs"}, None),
        ({"type": "reasoning", "encrypted_content": None}, None),
        ({"type": "reasoning", "encrypted_content": ""}, None),
        ({"type": "reasoning", "id": "rs", "encrypted_content": "gA"}, Seal(wire=WIRE, data="rs gA")),
        ({"type": "reasoning", "id": None, "encrypted_content": "gA"}, Seal(wire=WIRE, data=" gA")),
        (sealed("messages", "there", "signed:x"), Seal(wire="messages", origin="there", data="signed:x")),
    ],
)
def test_whose_it_is(item: dict[str, Any], seal: Seal | None) -> None:
    assert seal_of(item) == seal


OPENED = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}
PLAIN = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gBBBB"}
TOLD = {"type": "reasoning", "id": "rs_3", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
NAMED = {"type": "reasoning", "id": "rs_4", "summary": [{"type": "summary_text", "text": "hm"}]}


@pytest.mark.parametrize(
    ("item", "unseal", "left"),
    [
        (sealed(), False, OPENED),
        (sealed(origin=""), False, OPENED),
        (sealed(origin="there"), False, None),
        (sealed(wire="messages"), False, None),
        (sealed(), True, None),
        (PLAIN, False, PLAIN),
        (PLAIN, True, None),
        (TOLD, False, TOLD),
        (NAMED, False, None),
    ],
)
def test_what_this_endpoint_is_shown(item: dict[str, Any], unseal: bool, left: dict[str, Any] | None) -> None:
    user = {"role": "user", "content": "x"}
    to = Recipient(endpoint="here", served_name="s", stream=False, unseal=unseal)
    given, cut = readable(json.dumps([user, item, user]).encode(), to)
    assert json.loads(given) == [row for row in (user, left, user) if row is not None]
    assert cut == (left is None)


def test_only_the_models_own_words_lose_the_ids_that_lead_nowhere() -> None:
    call = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}"}
    said = {"type": "message", "id": "msg", "role": "assistant", "content": "x"}
    answer = {"type": "function_call_output", "id": "fco", "call_id": "c", "output": "1"}
    given, _ = readable(json.dumps([said, sealed(origin="there"), said, call, answer, said]).encode(), HERE)
    assert [item.get("id") for item in json.loads(given)] == ["msg", None, None, "fco", "msg"]


@pytest.mark.parametrize(
    "given", [b'"reasoning"', b"[]", b'[ {"role":"user", "content":"\\u00e9 \\"reasoning\\""} ]', b"null"]
)
def test_where_nothing_is_sealed_every_byte_stays(given: bytes) -> None:
    assert readable(given, HERE) == (given, False)


def test_an_item_that_is_opened_keeps_its_other_bytes() -> None:
    envelope = sealed()["encrypted_content"]
    raw = b'[{ "type":"reasoning" ,"id":"rs", "summary": [ ],"x":1.50,"encrypted_content" : "%b" }]' % envelope.encode()
    given, _ = readable(raw, HERE)
    assert given == b'[{ "type":"reasoning", "summary": [ ],"x":1.50,"encrypted_content" : "gAAAA" }]'


@pytest.mark.parametrize("word", ['"reasoning"', '"re\\u0061soning"', '"\\u0072easoning"'])
def test_a_word_behind_an_escape_is_the_same_word(word: str) -> None:
    """An envelope of another endpoint must not get out because its item's type is spelled otherwise."""
    sealed = enclose(Seal(wire="responses", data="rs_1 secret", origin="elsewhere"))
    item = f'{{"type":{word},"summary":[],"encrypted_content":"{sealed}"}}'
    body = f'{{"model":"m","input":[{{"role":"user","content":"a"}},{item},{{"role":"user","content":"b"}}]}}'
    call = decode_request(body.encode())
    request = splice_request(call, Recipient(endpoint="e", served_name="m", stream=False))
    assert sealed.encode() not in request.body
    assert request.dropped == ("reasoning",)
