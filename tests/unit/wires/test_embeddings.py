"""Vectors: what is asked, what comes back, and in which writing."""

import base64
import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.answer import Answer
from tierwise.core.call import Call, Hints
from tierwise.core.conversation import Conversation
from tierwise.core.errors import BadReply, InvalidCall, Overloaded
from tierwise.core.usage import Usage
from tierwise.wires import embeddings
from tierwise.wires.embeddings import as_base64, as_floats, decode_answer, decode_request, encode_answer, splice_request
from tierwise.wires.wire import Recipient

HERE = Recipient(endpoint="here", served_name="served", stream=False)
SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)


def body(**more: Any) -> bytes:
    return json.dumps({"model": "auto", "input": "hi"} | more).encode()


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def refused(raw: bytes) -> InvalidCall:
    with pytest.raises(InvalidCall) as caught:
        decode_request(raw)
    return caught.value


# requests


def test_one_text_and_many() -> None:
    call = decode_request(body())
    assert [(part.kind, part.path, part.text, part.role) for part in call.parts] == [("text", "input", "hi", "user")]
    assert (call.wire, call.model, call.stream, call.features.embeddings) == ("embeddings", "auto", False, True)
    call = decode_request(body(input=["a", "bcd"], dimensions=256, encoding_format="base64", user="u-1"))
    assert [(part.path, part.text) for part in call.parts] == [("input[0]", "a"), ("input[1]", "bcd"), ("user", "u-1")]
    assert call.features.input_tokens_est == 1 + 2


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ([1, 2, 3], "input[0]"),
        ([[1, 2], [3]], "input[0]"),
        (["a", [1]], "input[1]"),
        ([[]], "input[0]"),
        (["a", 7], "input[1]"),
    ],
)
def test_token_ids_are_refused_with_the_reason(given: Any, param: str) -> None:
    error = refused(body(input=given))
    assert (error.status, error.param, error.code) == (400, param, "invalid_value")
    assert "send text, not token ids" in str(error) and "cannot be searched" in str(error)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", None]}, "input[1]"),
        ({"input": [True]}, "input[0]"),
        ({"input": [1.5]}, "input[0]"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"model": ""}, "model"),
        ({"model": "a\nb"}, "model"),
        ({"model": None}, "model"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": "9"}, "dimensions"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"x-tierwise-quality": "2"}}, "metadata.x-tierwise-quality"),
        ({"api_base": "http://127.0.0.1"}, "api_base"),
        ({"extra": {"api_key": "x"}}, "api_key"),
        ({"metadata": {"base_url": "x"}}, "metadata.base_url"),
    ],
)
def test_what_is_wrong_is_named(more: dict[str, Any], param: str) -> None:
    error = refused(body(**more))
    assert (error.status, error.param) == (400, param)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b'{"model":"m"}', b'{"input":"a"}', b'{"model":"m","model":"n","input":"a"}', b"\xff"]
)
def test_what_is_no_request(raw: bytes) -> None:
    assert refused(raw).status == 400


def test_every_string_is_searched() -> None:
    call = decode_request(
        body(input=["one"], user="two", extra={"deep": ["three"], "four": 1}, metadata={"five": "six"})
    )
    seen = "\n".join(part.text for part in call.parts)
    assert all(word in seen for word in ("one", "two", "three", "four", "five", "six"))


def test_hints_are_read_and_do_not_leave() -> None:
    raw = body(metadata={"x-tierwise-workflow": "w", "own": "kept"})
    call = decode_request(raw, Hints(session="s"))
    assert call.hints == Hints(workflow="w", session="s")
    assert json.loads(splice_request(call, HERE).body)["metadata"] == {"own": "kept"}
    only = decode_request(body(metadata={"x-tierwise-workflow": "w"}))
    assert "metadata" not in json.loads(splice_request(only, HERE).body)


@given(TEXT, st.sampled_from(["", " ", "\r\n\t"]), st.permutations(["model", "input", "x", "dimensions"]))
def test_the_endpoint_gets_the_callers_bytes(text: str, gap: str, order: list[str]) -> None:
    values = {"model": '"auto"', "input": f"[{gap}{json.dumps(text)}]", "x": '{"\\u0061": 1.50}', "dimensions": "256"}
    raw = ("{" + ",".join(f'{gap}"{name}"{gap}:{gap}{values[name]}{gap}' for name in order) + "}").encode()
    request = splice_request(decode_request(raw), HERE)
    at = raw.index(b'"auto"', raw.index(b'"model"'))
    assert request.body == raw[:at] + b'"served"' + raw[at + 6 :]
    assert (request.path, request.dropped) == ("/embeddings", ())


def test_no_other_wire_is_asked_and_nothing_is_streamed() -> None:
    conversation = embeddings.read_conversation(decode_request(body(input=["a", "b"])))
    assert [turn.blocks[0].text for turn in conversation.turns] == ["a", "b"]  # type: ignore[union-attr]
    call = decode_request(body())
    for act in (
        lambda: embeddings.encode_request(Conversation(turns=()), HERE),
        lambda: embeddings.answer_writer(call, ident="i"),
        embeddings.answer_decoder,
    ):
        with pytest.raises(TypeError):
            act()


# answers


def answered(*vectors: Any, **more: Any) -> bytes:
    rows = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    whole = {"object": "list", "data": rows, "model": "served-1", "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    return json.dumps(whole | more).encode()


def test_an_answer_and_its_bill() -> None:
    raw = answered([0.5, -1], packed(0.25))
    assert decode_answer(raw) == Answer(raw=raw, usage=Usage(input=3), served_model="served-1")


@pytest.mark.parametrize("usage", [None, {}, 5, {"prompt_tokens": None}, {"prompt_tokens": -1}, {"prompt_tokens": "3"}])
def test_usage_that_is_not_told_is_not_zero(usage: Any) -> None:
    assert decode_answer(answered([0.5], usage=usage)).usage is None
    assert decode_answer(answered([0.5], usage={"prompt_tokens": 0})).usage == Usage(input=0)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"{}",
        b"[]",
        b'{"data":[]}',
        b'{"data":[{}]}',
        b'{"data":[{"embedding":[]}]}',
        b'{"data":[{"embedding":""}]}',
        b'{"data":[{"embedding":[0.5,null]}]}',
        b'{"data":[{"embedding":["x"]}]}',
        b'{"data":[{"embedding":[NaN]}]}',
        b'{"data":[{"embedding":[Infinity]}]}',
        b'{"data":[{"embedding":[1e999]}]}',
        b'{"data":[{"embedding":"AAAA"}]}',
        b'{"data":[{"embedding":"AACAPw=="},{"embedding":"AACAP"}]}',
        b'{"data":[{"embedding":"not base64!"}]}',
        '{"data":[{"embedding":"é"}]}'.encode(),
        answered(packed(0.5, math.nan)),
        answered([0.5], packed(math.inf)),
        answered(packed(math.inf, -math.inf)),
        answered([0.5])[:-1],
        b'{"data":[{"embedding":[0.5]}]}\xff',
        b'{"data":[{"inde\xf8":0,"embedding":[0.5]}]}',
    ],
)
def test_what_is_no_vector_is_refused(raw: bytes) -> None:
    with pytest.raises(BadReply) as caught:
        decode_answer(raw)
    assert caught.value.code == "upstream_invalid"


def test_an_error_that_came_with_200() -> None:
    with pytest.raises(Overloaded):
        decode_answer(b'{"error":{"message":"x","code":"server_error"}}')


def given_back(vectors: list[Any], wanted: str | None, **more: Any) -> bytes:
    call: Call = decode_request(body(**({} if wanted is None else {"encoding_format": wanted})))
    return encode_answer(decode_answer(answered(*vectors, **more)), call, ident="i")


@given(st.lists(st.lists(SINGLE, min_size=1, max_size=5), min_size=1, max_size=3), st.booleans(), st.booleans())
def test_every_number_comes_back_in_the_writing_that_was_asked(
    vectors: list[list[float]], sent: bool, wanted: bool
) -> None:
    written: list[Any] = [packed(*vector) if sent else vector for vector in vectors]
    told = json.loads(given_back(written, "base64" if wanted else "float"))
    got = [row["embedding"] for row in told["data"]]
    assert got == [packed(*vector) for vector in vectors] if wanted else got == vectors
    assert [row["index"] for row in told["data"]] == list(range(len(vectors)))


def test_numbers_are_what_a_caller_gets_who_asked_for_nothing() -> None:
    assert json.loads(given_back([packed(0.5)], None))["data"][0]["embedding"] == [0.5]
    assert json.loads(given_back([[0.5], packed(0.25)], "float"))["data"][1]["embedding"] == [0.25]
    assert json.loads(given_back([[0.5], packed(0.25)], "base64"))["data"][0]["embedding"] == packed(0.5)


def test_what_needs_no_other_writing_keeps_every_byte() -> None:
    raw = b'{ "data":[ {"embedding":[ 0.10, 1e-3 ],"x":1.50} ],"usage" : {"prompt_tokens":1}, "y":"\\u00e9" }'
    assert encode_answer(decode_answer(raw), decode_request(body()), ident="i") == raw
    coded = raw.replace(b"[ 0.10, 1e-3 ]", b'"%b"' % packed(0.5).encode())
    call = decode_request(body(encoding_format="base64"))
    assert encode_answer(decode_answer(coded), call, ident="i") == coded


def test_members_that_nobody_knows_keep_their_bytes() -> None:
    row = b'{"x":{ "a" : 1.50,"b":"\\u00e9" },"embedding":[0.5],"z":[ ]}'
    raw = b'{ "zeta":[ 1.0 ], "data":[ %b ],"usage" : {"prompt_tokens":1}, "y":"\\/" }' % row
    told = encode_answer(decode_answer(raw), decode_request(body(encoding_format="base64")), ident="i")
    coded = b'{"x":{ "a" : 1.50,"b":"\\u00e9" },"embedding":"%b","z":[ ]}' % packed(0.5).encode()
    assert told == b'{ "zeta":[ 1.0 ], "data":[%b],"usage" : {"prompt_tokens":1}, "y":"\\/" }' % coded


def test_base64_is_little_endian() -> None:
    assert as_base64([1.0]) == "AACAPw==" == as_base64("AACAPw==")
    assert as_floats("AACAPw==") == [1.0] == as_floats([1.0])


def test_a_number_too_large_for_base64_is_refused() -> None:
    with pytest.raises(BadReply) as caught:
        given_back([[1e300]], "base64")
    assert caught.value.code == "upstream_invalid"
    assert json.loads(given_back([[1e300]], "float"))["data"][0]["embedding"] == [1e300]


def test_an_error_has_all_four_fields() -> None:
    told = json.loads(embeddings.error_body(400, "no", "invalid_request_error", "input", None))
    assert told == {"error": {"message": "no", "type": "invalid_request_error", "param": "input", "code": None}}
