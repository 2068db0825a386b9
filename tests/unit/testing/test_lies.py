"""What is odd means the same, what is bad does not; and every wire of the scripted upstream can tell both."""

import gzip
import json
from typing import Any

import pytest

from tests.unit.testing.test_steps import plan, unchunked, written
from tierwise.testing import Script, speech_messages
from tierwise.testing.lies import BOMB_BYTES, ODD, cut_inside_a_character, respelled
from tierwise.testing.steps import End, steps_for
from tierwise.wires.sse import SseDecoder

TEXT = "grüße an alle"
MESSAGES = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": TEXT}]}
VERSION = {"anthropic-version": "2023-06-01", "x-api-key": "canary-0417"}


def stream(fault: Any, **more: Any) -> bytes:
    """Return the body of a stream of Messages."""
    steps = steps_for(MESSAGES, "m", Script(fault=fault, **more), 1, speech_messages, VERSION)
    data = b"".join(step for step in steps.steps if isinstance(step, bytes))
    return unchunked(data.partition(b"chunked\r\n\r\n")[2])[0]


def read(data: bytes) -> list[Any]:
    decoder = SseDecoder()
    return [json.loads(payload) for _, payload in decoder.feed(data) + decoder.finish()]


@pytest.mark.parametrize("fault", sorted(ODD))
def test_what_is_odd_begins_with_all_that_was_to_be_said(fault: Any) -> None:
    plain, odd = read(stream("none")), read(stream(fault))
    if fault == "double_finish":
        odd = [event for place, event in enumerate(odd) if event not in odd[:place]]
    assert odd[: len(plain)] == plain
    assert (fault in ("cr", "bom", "multiline", "no_space")) == (stream(fault)[:30] != stream("none")[:30])


def test_characters_that_are_cut_or_spoiled() -> None:
    body = json.dumps({"a": "über", "b": 1}, ensure_ascii=False).encode()
    assert cut_inside_a_character(body) == b'{"a": "\xc3'
    with pytest.raises(UnicodeDecodeError):
        respelled("bad_utf8", body).decode()
    assert respelled("bad_utf8", b"plain") == b"plain"


@pytest.mark.parametrize(
    ("fault", "value"), [("usage_text", "many"), ("usage_negative", -7), ("usage_huge", int("9" * 18))]
)
def test_counts_that_lie(fault: Any, value: object) -> None:
    usage = json.loads(written(plan(fault))[1])["usage"]
    assert set(usage.values()) == {value}


def test_what_was_not_to_be_compressed() -> None:
    head, body, _ = written(plan("gzip"))
    assert b"content-encoding: gzip" in head
    assert json.loads(gzip.decompress(body))["choices"]
    body = written(plan("bomb", stream=True))[1]
    assert len(body) < 100_000 < BOMB_BYTES == len(gzip.decompress(body))


def test_a_chunk_that_ends_early_and_a_head_without_a_body() -> None:
    _, body, end = written(plan("cut_chunk", stream=True))
    assert (unchunked(body)[1], end) == (False, End.CLOSE)
    assert written(plan("bodyless", status=204))[1] == b""


@pytest.mark.parametrize("fault", ["error", "rate_limit", "redirect", "html", "in_band_error"])
def test_a_key_is_given_away_where_that_is_asked_for(fault: Any) -> None:
    def sent(**more: Any) -> bytes:
        steps = steps_for(MESSAGES, "m", Script(fault=fault, **more), 1, speech_messages, VERSION)
        return b"".join(step for step in steps.steps if isinstance(step, bytes))

    assert sent(leaks=True).count(b"canary-0417") >= 2
    assert b"canary-0417" not in sent()
