"""What an endpoint's error means, and what of it may be passed on."""

import json
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.errors import (
    BadReply,
    ContextTooLong,
    Overloaded,
    ProviderError,
    RateLimited,
    Refused,
    Unauthorized,
    Verdict,
)
from tierwise.core.secret import Secret
from tierwise.wires.chat import error_body
from tierwise.wires.error import MAX_TEXT, error_from, error_in_band, not_an_answer, retry_after_s

NOW = 1_700_000_000.0


def said(**members: Any) -> bytes:
    return json.dumps({"error": members}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "verdict"),
    [
        (400, said(message="bad temperature", code="invalid_value"), Refused, Verdict.STOP),
        (404, said(message="no such path"), Refused, Verdict.STOP),
        (404, b"<html>404: Not Found</html>", Refused, Verdict.NEXT),
        (404, b"404 page not found", Refused, Verdict.NEXT),
        (404, said(message="gone", code="model_not_found"), Refused, Verdict.NEXT),
        (404, said(message="model 'x' not found", type="api_error"), Refused, Verdict.NEXT),
        (413, b"", Refused, Verdict.STOP),
        (422, said(message="x"), Refused, Verdict.STOP),
        (408, b"", Refused, Verdict.RETRY_SAME),
        (409, b"", Refused, Verdict.RETRY_SAME),
        (425, b"", Refused, Verdict.RETRY_SAME),
        (429, said(message="slow down", code="rate_limit_exceeded"), RateLimited, Verdict.NEXT),
        (401, said(message="who?"), Unauthorized, Verdict.NEXT),
        (403, b"<html>", Unauthorized, Verdict.NEXT),
        (500, b"junk", Overloaded, Verdict.RETRY_SAME),
        (500, said(message="Failed to parse tools: type must be string, but is null"), Refused, Verdict.STOP),
        (500, said(message="Failed to parse input at pos 3"), Overloaded, Verdict.RETRY_SAME),  # the model's own
        (502, b"<html>", Overloaded, Verdict.RETRY_SAME),
        (503, b"", Overloaded, Verdict.RETRY_SAME),
        (501, b"<html>", Overloaded, Verdict.NEXT),
        (505, b"", Overloaded, Verdict.NEXT),
        (529, b"", Overloaded, Verdict.RETRY_SAME),
        (400, said(message="x", code="context_length_exceeded"), ContextTooLong, Verdict.NEXT),
        (400, said(message="x", type="exceed_context_size_error"), ContextTooLong, Verdict.NEXT),
        (400, said(message="This model's maximum context length is 4096 tokens."), ContextTooLong, Verdict.NEXT),
        (500, said(message="x", code="context_length_exceeded"), Overloaded, Verdict.RETRY_SAME),
        (302, b"", BadReply, Verdict.NEXT),
        (204, b"", BadReply, Verdict.NEXT),
        (101, b"", BadReply, Verdict.NEXT),
    ],
)
def test_the_status_decides_first(status: int, body: bytes, kind: type[ProviderError], verdict: Verdict) -> None:
    error = error_from(status, {}, body, NOW)
    assert (type(error), error.verdict, error.status) == (kind, verdict, status)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({b"retry-after": b"7"}, 7.0),
        ({b"retry-after": b"0"}, 0.0),
        ({b"retry-after": b"1.5"}, 1.5),
        ({b"retry-after": b"-1"}, None),
        ({b"retry-after": b"1000000000"}, None),
        ({b"retry-after": b"nan"}, None),
        ({b"retry-after": b"inf"}, None),
        ({b"retry-after": b"soon"}, None),
        ({b"retry-after": b"\xff\xfe"}, None),
        ({b"retry-after": formatdate(NOW + 30, usegmt=True).encode()}, 30.0),
        ({b"retry-after": formatdate(NOW - 30, usegmt=True).encode()}, 0.0),
        ({b"retry-after-ms": b"250", b"retry-after": b"9"}, 0.25),
        ({b"retry-after-ms": b"x", b"retry-after": b"9"}, 9.0),
    ],
)
def test_how_long_to_wait(headers: dict[bytes, bytes], wait_s: float | None) -> None:
    assert retry_after_s(headers, NOW) == wait_s
    assert error_from(429, headers, b"", NOW).retry_after_s == wait_s


@pytest.mark.parametrize(
    ("value", "kind", "code"),
    [
        ({"message": "x", "code": "rate_limit_exceeded"}, RateLimited, "rate_limit_exceeded"),
        ({"message": "x", "type": "server_error"}, Overloaded, "server_error"),
        ({"message": "x", "code": 503}, Overloaded, None),
        ({"message": "x", "code": 429}, RateLimited, None),
        ({"message": "x", "code": "context_length_exceeded"}, ContextTooLong, "context_length_exceeded"),
        ({"message": "x", "code": "odd"}, BadReply, "odd"),
        ({"message": "x"}, BadReply, "upstream_error"),
        ("plain words", BadReply, "upstream_error"),
        (["?"], BadReply, "upstream_error"),
        (True, BadReply, "upstream_error"),
    ],
)
def test_errors_inside_of_a_success(value: Any, kind: type[ProviderError], code: str | None) -> None:
    error = error_in_band(value)
    assert (type(error), error.code) == (kind, code)


KEYS = [
    "sk-proj-abc123DEF456",
    "canary-key",
    "hf_aaaabbbbccccdddd",
    "AIzaSyA1234567890abcdefghij",
    "plainwordaskey",
    "7f3c1a",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "text", ["Incorrect API key provided: {}.", "{}", "see https://x.invalid/?key={}&a=1", '{{"k":"{}"}}']
)
def test_the_endpoints_key_is_never_repeated(key: str, text: str) -> None:
    body = said(message=text.format(key), code=key, type=key)
    for error in (
        error_from(401, {}, body, NOW, key=Secret(key)),
        error_in_band({"message": text.format(key), "code": key}, Secret(key)),
        not_an_answer(body, Secret(key)),
    ):
        assert key not in str(error)
        assert key not in str(error.code)


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-abcdef123456.",
        "Bearer abcdefghijkl is wrong",
        "token=abcdefgh rejected",
        "hash 0123456789abcdef0123456789abcdef",
        "at http://10.0.0.7:8000/v1/chat",
    ],
)
def test_what_looks_like_a_key_or_an_address_is_masked_unasked(text: str) -> None:
    shown = str(error_from(400, {}, said(message=text), NOW))
    for secret in ("sk-abcdef123456", "abcdefgh", "0123456789abcdef", "10.0.0.7"):
        assert secret not in shown


def test_what_helps_the_caller_is_kept() -> None:
    text = (
        "Unsupported value: 'temperature' does not support 0.2 with gpt-4o-mini-2024-07-18; use max_completion_tokens."
    )
    assert text in str(error_from(400, {}, said(message=text), NOW))


@given(st.text())
def test_text_is_one_short_line(text: str) -> None:
    shown = str(error_from(400, {}, said(message=text), NOW))
    assert len(shown) < MAX_TEXT + 50
    assert shown.isprintable() or not shown.isascii()
    assert not set("\r\n\t\x00\x1b\u202e") & set(shown)


@given(st.binary(max_size=200), st.integers(100, 599))
def test_any_body_makes_an_error(body: bytes, status: int) -> None:
    assert isinstance(error_from(status, {}, body, NOW), ProviderError)
    assert isinstance(not_an_answer(body), ProviderError)


def test_deeply_nested_errors_are_junk() -> None:
    assert error_from(500, {}, b"[" * 100_000, NOW).status == 500
    assert not_an_answer(b"[" * 100_000).code == "upstream_invalid"


def test_an_error_for_the_caller_has_all_four_fields() -> None:
    assert json.loads(error_body(400, "m", "t", None, "c")) == {
        "error": {"message": "m", "type": "t", "param": None, "code": "c"}
    }
