"""Which strings go on in the next event, when they end, and how more is said. Whole streams: `gateway/test_restoring`."""

from typing import Any

import pytest

from tierwise.wires.continued import Track, added, closed, tracks

CHAT = {"id": "c", "usage": {"x": 1}, "choices": [{"index": 2, "delta": {"content": "so"}, "finish_reason": None}]}
BLOCK = {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "so"}}
ITEM = {
    "type": "response.output_text.delta",
    "output_index": 3,
    "content_index": 0,
    "delta": "so",
    "logprobs": [{"token": "so"}],
}


@pytest.mark.parametrize(
    ("wire", "event", "path"),
    [("chat", CHAT, "choices[0].delta.content"), ("messages", BLOCK, "delta.text"), ("responses", ITEM, "delta")],
)
def test_a_piece_of_text_is_found_and_more_of_it_is_an_event_of_the_same_text(
    wire: str, event: dict[str, Any], path: str
) -> None:
    ((found, track),) = tracks(wire, event).items()
    assert found == path
    more = added(wire, event, track, "more")
    assert tracks(wire, more) == {path: track}
    assert "more" in str(more)
    assert "'so'" not in str(more)
    assert "usage" not in more


@pytest.mark.parametrize(
    ("wire", "event", "track", "ends"),
    [
        (
            "chat",
            {"choices": [{"index": 2, "delta": {}, "finish_reason": "stop"}]},
            Track(("choice", 2), "content"),
            True,
        ),
        (
            "chat",
            {"choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]},
            Track(("choice", 2), "content"),
            False,
        ),
        ("chat", {"choices": [{"index": 2, "delta": {"tool_calls": [{}]}}]}, Track(("choice", 2), "content"), True),
        ("chat", {"choices": [{"index": 2, "delta": {"content": ""}}]}, Track(("choice", 2), "reasoning"), False),
        ("messages", {"type": "content_block_stop", "index": 1}, Track(("block", 1), "text"), True),
        ("messages", {"type": "content_block_stop", "index": 0}, Track(("block", 1), "text"), False),
        ("messages", {"type": "ping"}, Track(("block", 1), "text"), False),
        ("messages", {"type": "message_delta"}, Track(("block", 1), "text"), True),
        ("responses", {"type": "response.output_text.done", "output_index": 3}, Track(("item", 3), "x"), True),
        ("responses", {"type": "response.output_text.done", "output_index": 2}, Track(("item", 3), "x"), False),
        ("responses", {"type": "response.completed"}, Track(("item", 3), "x"), True),
    ],
)
def test_a_text_ends_where_the_wire_says_so(wire: str, event: dict[str, Any], track: Track, ends: bool) -> None:
    assert closed(wire, event, track) is ends
