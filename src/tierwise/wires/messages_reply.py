"""What does a Messages caller get? Events of a stream, whole answers, errors.

Source: Anthropic's published API reference (Messages, streaming, errors; read 2026-11).
Invariant: one block is open at a time, each is closed, and `message_stop` comes from `end` alone.
"""

from typing import Any

import msgspec

from tierwise.core.answer import Answer, Delta, Piece
from tierwise.core.call import Call
from tierwise.core.usage import Usage
from tierwise.wires.interleaved import Interleaved
from tierwise.wires.loose import arguments_of
from tierwise.wires.messages_seals import UNSIGNED
from tierwise.wires.sse import event

STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "pause": "pause_turn",
}
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}

_encode = msgspec.json.Encoder().encode


class AnswerWriter:
    """Writes the events of a stream: those of an endpoint of this wire as they came, all others spelled anew."""

    response = b""

    def __init__(self, call: Call, *, ident: str) -> None:
        self._call, self._ident = call, ident
        self._last = b""
        self._passed = False
        self._started = False
        self._open: str | None = None
        self._index = -1
        self._tools = Interleaved()
        self._refused = False
        self._finish: Piece | None = None
        self._usage: Usage | None = None

    def write(self, delta: Delta) -> bytes:
        """Return the events that this delta makes; the one that says that the answer is complete is held back."""
        if delta.raw:
            self._passed = True
            frame = event(delta.raw, delta.event)
            if delta.event == "message_stop":
                self._last = frame
                return b""
            return frame
        out: list[bytes] = []
        self._usage = delta.usage or self._usage
        for piece in delta.pieces:
            if piece.choice == 0:
                self._piece(piece, delta, out)
        return b"".join(out)

    def end(self) -> bytes:
        """Return what says that the answer is complete."""
        if self._passed:
            return self._last or _event("message_stop", {})
        out: list[bytes] = []
        self._start(Delta(), out)
        self._close(out)
        for piece in self._tools.freed(last=True):
            self._words(piece, out)
        self._close(out)
        reason = stop_reason(self._finish, tools=self._tools.any, refused=self._refused)
        sequence = None if self._finish is None else self._finish.stop_sequence
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        out.append(_event("message_delta", {"delta": delta, "usage": usage_of(self._usage)}))
        out.append(_event("message_stop", {}))
        return b"".join(out)

    def error(self, body: bytes) -> bytes:
        """Return the event that says that the answer broke; `body` is from `error_body`. Nothing may follow it."""
        return event(body, "error")

    def _piece(self, piece: Piece, delta: Delta, out: list[bytes]) -> None:
        if piece.content:
            self._start(delta, out)
        if piece.words and not self._tools.hold(piece):
            self._words(piece, out)
        for call in piece.tool_calls:
            self._tools.add(call)
        if piece.tool_calls:
            if self._open != "tool_use":
                self._close_block(out)
            self._drain(out, last=False)
        for held in self._tools.freed(last=False):
            self._words(held, out)
        if piece.finish is not None:
            self._finish = piece

    def _words(self, piece: Piece, out: list[bytes]) -> None:
        if piece.reasoning:
            self._switch("thinking", {"thinking": "", "signature": ""}, out)
            self._add({"type": "thinking_delta", "thinking": piece.reasoning}, out)
        if piece.seal:
            self._sealed(piece.seal, out)
        text = piece.text or piece.refusal
        if text:
            self._refused = self._refused or bool(piece.refusal)
            self._switch("text", {"text": ""}, out)
            self._add({"type": "text_delta", "text": text}, out)

    def _sealed(self, seal: str, out: list[bytes]) -> None:
        """End the thinking before a seal with it; one without any stands for thinking that is hidden."""
        if self._open == "thinking":
            self._add({"type": "signature_delta", "signature": seal}, out)
            self._open = "sealed"
        else:
            self._switch("redacted_thinking", {"data": seal}, out)
        self._close(out)

    def _start(self, delta: Delta, out: list[bytes]) -> None:
        if self._started:
            return
        self._started = True
        message = _message(self._ident, delta.served_model or self._call.model, self._usage)
        out.append(_event("message_start", {"message": message}))

    def _switch(self, kind: str, block: dict[str, Any], out: list[bytes]) -> None:
        if self._open == kind:
            return
        if kind != "tool_use":
            self._close(out)
        self._open = kind
        self._index += 1
        out.append(_event("content_block_start", {"index": self._index, "content_block": {"type": kind} | block}))

    def _add(self, delta: dict[str, Any], out: list[bytes]) -> None:
        out.append(_event("content_block_delta", {"index": self._index, "delta": delta}))

    def _drain(self, out: list[bytes], *, last: bool) -> None:
        """Write what may be written of the tool calls: blocks cannot interleave on this wire."""
        for step, call, text in self._tools.drain(last=last):
            if step == "open":
                self._close_block(out)
                self._switch("tool_use", {"id": call.id, "name": call.name, "input": {}}, out)
            elif step == "add":
                self._add({"type": "input_json_delta", "partial_json": text}, out)
            else:
                self._close_block(out)

    def _close(self, out: list[bytes]) -> None:
        """Close what is open; calls that still wait come first."""
        self._drain(out, last=True)
        self._close_block(out)

    def _close_block(self, out: list[bytes]) -> None:
        if self._open == "thinking":
            self._add({"type": "signature_delta", "signature": UNSIGNED}, out)
        if self._open is not None:
            self._open = None
            out.append(_event("content_block_stop", {"index": self._index}))


def answer_writer(call: Call, *, ident: str, strip_logprobs: bool = False) -> AnswerWriter:
    """Begin a streamed answer. There are no log-probabilities on this wire that could be stripped."""
    return AnswerWriter(call, ident=ident)


def encode_answer(answer: Answer, call: Call, *, ident: str, strip_logprobs: bool = False) -> bytes:
    """Write a whole answer for the caller."""
    if answer.raw:
        return answer.raw
    content: list[dict[str, Any]] = []
    finish: Piece | None = None
    for piece in answer.pieces:
        if piece.choice == 0:
            _collect(content, piece)
            finish = piece if piece.finish is not None else finish
    for block in content:
        if block["type"] == "thinking":
            block["signature"] = block["signature"] or UNSIGNED
    tools = any(block["type"] == "tool_use" for block in content)
    refused = any(piece.refusal for piece in answer.pieces if piece.choice == 0)
    message = _message(ident, answer.served_model or call.model, answer.usage) | {
        "content": content,
        "stop_reason": stop_reason(finish, tools=tools, refused=refused),
        "stop_sequence": None if finish is None else finish.stop_sequence,
        "usage": usage_of(answer.usage),
    }
    return _encode(message)


def error_body(status: int, message: str, type: str, param: str | None, code: str | None) -> bytes:  # noqa: A002
    """Write an error in this wire's shape: the kind follows from the status, our code stands beside it."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    if code == "insufficient_quota":  # spent, which is no rate that waiting would help
        kind = _ERROR_TYPES[402]
    named = {name: value for name, value in (("code", code), ("param", param)) if value is not None}
    return _encode({"type": "error", "error": {"type": kind, "message": message} | named})


def stop_reason(finish: Piece | None, *, tools: bool, refused: bool = False) -> str | None:
    """Return this wire's word for why an answer ended; some servers say `stop` although they call a tool."""
    if finish is None or finish.finish is None:
        return None
    if tools and finish.finish == "stop":
        return "tool_use"
    if finish.stop_sequence is not None:
        return "stop_sequence"
    if refused and finish.finish == "stop":
        return "refusal"
    return STOP_REASONS.get(finish.finish, finish.finish)


def usage_of(usage: Usage | None) -> dict[str, Any]:
    """Write usage as this wire counts: cached input beside the input, reasoning inside the output."""
    told = usage or Usage()
    thought = {"output_tokens_details": {"thinking_tokens": told.reasoning}} if told.reasoning else {}
    hour = {"ephemeral_5m_input_tokens": told.cache_write, "ephemeral_1h_input_tokens": told.cache_write_1h}
    by_age = {"cache_creation": hour} if told.cache_write_1h else {}
    return (
        thought
        | by_age
        | {
            "input_tokens": told.fresh,
            "cache_creation_input_tokens": told.cache_write + told.cache_write_1h,
            "cache_read_input_tokens": told.cache_read,
            "output_tokens": told.written,
        }
    )


def _collect(content: list[dict[str, Any]], piece: Piece) -> None:
    """Add a piece to the blocks of a whole answer; words of one kind that follow each other are one block."""
    last = content[-1] if content else {}
    if piece.reasoning:
        if last.get("type") == "thinking" and not last["signature"]:
            last["thinking"] += piece.reasoning
        else:
            content.append({"type": "thinking", "thinking": piece.reasoning, "signature": ""})
        last = content[-1]
    if piece.seal:
        if last.get("type") == "thinking" and not last["signature"]:
            last["signature"] = piece.seal
        else:
            content.append({"type": "redacted_thinking", "data": piece.seal})
        last = content[-1]
    text = piece.text or piece.refusal
    if text:
        if last.get("type") == "text":
            last["text"] += text
        else:
            content.append({"type": "text", "text": text})
    content += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_of(call.arguments)}
        for call in piece.tool_calls
    ]


def _message(ident: str, model: str, usage: Usage | None) -> dict[str, Any]:
    counts = usage_of(usage)
    return {
        "id": f"msg_{ident}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": counts | {"output_tokens": 0},
    }


def _event(name: str, fields: dict[str, Any]) -> bytes:
    return event(_encode({"type": name} | fields), name)
