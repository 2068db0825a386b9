"""A count is a Messages request without an answer."""

import json

import pytest

from tierwise.core.errors import BadReply, InvalidCall, ProviderError
from tierwise.core.usage import Usage
from tierwise.wires.count_tokens import counted, decode_answer, decode_request, encode_answer, splice_request
from tierwise.wires.wire import Recipient

BODY = b'{ "model":"auto", "system":"be brief", "messages":[{"role":"user","content":"hi","x":1}], "later":true }'
TO = Recipient(endpoint="e", served_name="claude", stream=False)


def test_it_goes_on_as_it_came_but_for_the_model() -> None:
    call = decode_request(BODY)
    request = splice_request(call, TO)
    assert (call.wire, call.stream, request.path) == ("count_tokens", False, "/messages/count_tokens")
    assert request.body == BODY.replace(b'"auto"', b'"claude"')
    assert ("anthropic-version", "2023-06-01") in request.headers


def test_it_is_searched_as_a_message_is() -> None:
    assert {part.text for part in decode_request(BODY).parts} >= {"be brief", "hi"}


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"model":"m"}', b'{"model":"m","messages":[{"role":"x"}]}'])
def test_what_is_no_message_is_not_counted(body: bytes) -> None:
    with pytest.raises(InvalidCall):
        decode_request(body)


def test_a_count_costs_nothing_and_goes_on_as_it_came() -> None:
    answer = decode_answer(b'{"input_tokens": 12, "more": 1}')
    assert answer.usage == Usage()
    call = decode_request(BODY)
    assert encode_answer(answer, call, ident="1") == b'{"input_tokens": 12, "more": 1}'
    assert json.loads(counted(3)) == {"input_tokens": 3}


@pytest.mark.parametrize("body", [b"", b"<p>", b"[]", b"{}", b'{"input_tokens":-1}', b'{"input_tokens":true}', b"\xff"])
def test_what_is_no_count(body: bytes) -> None:
    with pytest.raises(BadReply):
        decode_answer(body)


def test_an_error_that_came_as_an_answer() -> None:
    with pytest.raises(ProviderError):
        decode_answer(b'{"type":"error","error":{"type":"overloaded_error","message":"later"}}')
