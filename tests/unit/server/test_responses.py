"""A call that builds on an earlier answer: what it is read as, and whose it may be."""

import json
from time import monotonic
from typing import Any, cast

import pytest

from tierwise.core.answer import Answer, Choice
from tierwise.core.call import Call
from tierwise.core.errors import InvalidCall
from tierwise.core.grant import Grant
from tierwise.core.label import Label
from tierwise.gateway.gateway import Gateway
from tierwise.gateway.stored import Stored, StoredResponse
from tierwise.server.http import Request
from tierwise.server.keys import Key
from tierwise.server.responses import Responses
from tierwise.wires.responses import encode_answer

USER, SAID = ({"type": "message", "role": role, "id": role, "content": "x"} for role in ("user", "assistant"))
NO_GATEWAY = cast(Gateway, None)  # reading a call asks none


def stored(now: float) -> Stored:
    kept = Stored()
    items = tuple(json.dumps(item).encode() for item in (USER, SAID))
    response = StoredResponse(body=b"{}", items=items, own={"assistant": items[1]}, label=Label.CONFIDENTIAL, at=now)
    kept.keep("key", "resp_1", response)
    return kept


def asked(key_id: str | None = "key", **more: Any) -> Call:
    async def nobody() -> Any:
        raise AssertionError("nothing is received or sent")

    request = Request(b"/v1/responses", {}, nobody, cast(Any, nobody))
    request.key = None if key_id is None else Key(digest=b"", grant=Grant(name=key_id))
    body = json.dumps({"model": "m", "input": [USER | {"content": "y"}]} | more).encode()
    return Responses(NO_GATEWAY, 1000, stored(monotonic())).call(body, request)


def test_history_comes_first_and_with_its_label() -> None:
    call = asked(previous_response_id="resp_1")
    assert [item["content"] for item in json.loads(call.body)["input"]] == ["x", "x", "y"]
    assert (call.inherited, call.previous) == (Label.CONFIDENTIAL, "resp_1")


def test_the_answer_names_what_it_builds_on() -> None:
    answer = Answer(choices=(Choice(text="z", finish="stop"),))
    for previous in ("resp_1", None):
        told = json.loads(encode_answer(answer, asked(previous_response_id=previous), ident="i"))
        assert told["previous_response_id"] == previous


def test_an_item_brings_its_label_too() -> None:
    call = asked(input=[USER, {"type": "item_reference", "id": "assistant"}])
    assert (call.inherited, call.previous) == (Label.CONFIDENTIAL, None)
    assert json.loads(call.body)["input"] == [USER, SAID]


def test_what_builds_on_nothing_inherits_nothing() -> None:
    call = asked()
    assert (call.inherited, call.previous) == (None, None)


@pytest.mark.parametrize(
    ("key_id", "more", "code"),
    [
        ("other", {"previous_response_id": "resp_1"}, "previous_response_not_found"),
        (None, {"previous_response_id": "resp_1"}, "previous_response_not_found"),
        ("key", {"previous_response_id": "resp_2"}, "previous_response_not_found"),
        ("other", {"input": [USER, {"type": "item_reference", "id": "assistant"}]}, "item_not_found"),
    ],
)
def test_what_another_key_asked_is_not_known(key_id: str | None, more: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        asked(key_id, **more)
    assert caught.value.code == code
