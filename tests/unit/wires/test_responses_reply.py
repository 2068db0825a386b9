"""Pieces of what a Responses caller gets; its streams are checked in `tests/contract`."""

import json
from typing import Any

import pytest

from tierwise.core.answer import Answer, Delta, Piece, ToolCall
from tierwise.core.call import Call
from tierwise.core.usage import Usage
from tierwise.wires.responses import error_body
from tierwise.wires.responses_reply import (
    AnswerWriter,
    answer_writer,
    encode_answer,
    free_form,
    usage_of,
    whole_response,
)
from tierwise.wires.responses_request import decode_request


def asked(**more: Any) -> Call:
    return decode_request(json.dumps({"model": "m", "input": "x"} | more).encode())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input":"x"}', "x"),
        ('{"input":"x","more":1}', "x"),
        ('{"input":"\\u00e9\\n"}', "\u00e9\n"),
        ('{"input":5}', '{"input":5}'),
        ('{"patch":"x"}', '{"patch":"x"}'),
        ('"x"', '"x"'),
        ("not json", "not json"),
        ("[" * 100_000, "[" * 100_000),
        ("", ""),
    ],
)
def test_the_text_of_a_free_form_tool(arguments: str, text: str) -> None:
    assert free_form(arguments) == text


def test_usage_in_the_vendors_totals() -> None:
    assert usage_of(Usage(input=3, cache_read=4, cache_write=3, output=2, reasoning=5)) == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 17,
    }


@pytest.mark.parametrize(
    ("finish", "status", "details"),
    [
        (None, "completed", None),
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_the_status_says_why_it_ended(finish: str | None, status: str, details: Any) -> None:
    told = whole_response(asked(), "i", "m", [], finish, None)
    assert (told["status"], told["incomplete_details"], told["error"], told["usage"]) == (status, details, None, None)


def test_storing_is_told_as_it_was_asked() -> None:
    told = [
        whole_response(asked(**more), "i", "m", [], None, None)["store"]
        for more in ({}, {"store": None}, {"store": False})
    ]
    assert told == [True, True, False]


def test_an_endpoints_events_are_passed_on_in_their_own_bytes() -> None:
    writer = answer_writer(asked(), ident="i")
    assert writer.write(Delta(raw=b'{"a":\n1}', event="e")) == b'event: e\ndata: {"a":\ndata: 1}\n\n'
    assert writer.write(Delta(raw=b"{}")) == b"data: {}\n\n"
    for name in ("response.completed", "response.incomplete"):
        raw = b'{"type":"x","response" : {"id":"r", "n":1.50} }'
        last = AnswerWriter(asked(), ident="i")
        assert last.write(Delta(raw=raw, event=name)) == b""
        assert last.response == b'{"id":"r", "n":1.50}'
        assert last.end() == b"event: %b\ndata: %b\n\n" % (name.encode(), raw)


def test_only_the_first_alternative_has_a_place() -> None:
    pieces = (Piece(choice=1, text="other"), Piece(text="x"), Piece(choice=1, finish="length"), Piece(finish="stop"))
    told = json.loads(encode_answer(Answer(ordered=pieces), asked(), ident="i"))
    assert [item["content"][0]["text"] for item in told["output"]] == ["x"]
    assert told["status"] == "completed"


def test_every_item_has_its_own_id() -> None:
    pieces = (
        Piece(reasoning="a"), Piece(seal="s"), Piece(seal="t"), Piece(text="b"), Piece(refusal="c"),
        Piece(tool_calls=(ToolCall(index=0, id="x", name="f", arguments="{}"), ToolCall(index=1, id="y", name="f", arguments="{}"))),
        Piece(text="d"), Piece(finish="stop"),
    )  # fmt: skip
    told = json.loads(encode_answer(Answer(ordered=pieces), asked(), ident="i"))["output"]
    assert [item["id"] for item in told] == ["rs_i_0", "rs_i_1", "msg_i_2", "fc_i_3", "fc_i_4", "msg_i_5"]
    assert [item.get("encrypted_content") for item in told[:2]] == ["s", "t"]
    assert [part["type"] for part in told[2]["content"]] == ["output_text", "refusal"]


def test_an_error_has_all_four_fields() -> None:
    assert json.loads(error_body(400, "no", "invalid_request_error", "input", None)) == {
        "error": {"message": "no", "type": "invalid_request_error", "param": "input", "code": None}
    }
