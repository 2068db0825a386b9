"""What does a Chat Completions caller get? Frames of a stream, whole answers, errors.

Invariant: what an endpoint of the same wire sent is passed on as its own bytes; only usage that was not asked for and
log-probabilities that only a gate needed are left out.
"""

from collections.abc import Iterable

import msgspec

from tierwise.core.answer import Answer, Choice, Delta, Piece, TokenLogprob, ToolCall
from tierwise.core.call import Call
from tierwise.core.usage import Usage
from tierwise.wires.ident import created_s
from tierwise.wires.logprobs import write_tokens
from tierwise.wires.sse import event

_encode = msgspec.json.Encoder().encode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_choices = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode
_NULL = msgspec.Raw(b"null")


class AnswerWriter:
    """Writes the frames of a stream.

    What came on another wire is spelled as this one's clients read it: each choice begins with its role, and the usage
    stands alone in the last chunk, for a client takes the usage of every chunk in place of the one before.
    """

    __slots__ = ("_begun", "_call", "_ident", "_model", "_strip", "_usage")
    response = b""

    def __init__(self, call: Call, *, ident: str = "", strip_logprobs: bool = False) -> None:
        self._call, self._ident, self._strip = call, ident, strip_logprobs
        self._begun: set[int] = set()
        self._usage: bytes = b""
        self._model = call.model

    def write(self, delta: Delta) -> bytes:
        """Write one event; empty when there is nothing in it for the caller."""
        raw = delta.raw
        if not raw:
            self._model = delta.served_model or self._model
            if delta.usage is not None and self._call.include_usage:
                self._usage = _encode(_chunk(self._model, self._ident) | {"choices": [], "usage": _usage(delta.usage)})
            if not delta.pieces:
                return b""
            raw = _encode(_chunk(self._model, self._ident) | {"choices": self._choices(delta)})
        elif not delta.pieces and not self._call.include_usage and (delta.usage is not None or b'"usage"' in raw):
            return b""
        if self._strip and b'"logprobs"' in raw:
            raw = _without_logprobs(raw)
        return event(raw)

    def end(self) -> bytes:
        """Write the event that says that the answer is complete."""
        return (event(self._usage) if self._usage else b"") + event(b"[DONE]")

    def error(self, body: bytes) -> bytes:
        """Write an error (a body from `error_body`) into the stream; no end event may follow it."""
        return event(body)

    def _choices(self, delta: Delta) -> list[dict[str, object]]:
        shown = self._call.features.logprobs
        choices = []
        for piece in delta.pieces:
            choices.append(_streamed_choice(piece, shown=shown, first=piece.choice not in self._begun))
            self._begun.add(piece.choice)
        return choices


def answer_writer(call: Call, *, ident: str, strip_logprobs: bool = False) -> AnswerWriter:
    """Begin a streamed answer."""
    return AnswerWriter(call, ident=ident, strip_logprobs=strip_logprobs)


def encode_answer(answer: Answer, call: Call, *, ident: str, strip_logprobs: bool = False) -> bytes:
    """Write a whole answer for the caller. This wire has no place for seals: they stay behind."""
    if not answer.raw:
        return _encode(_whole(answer, call, ident))
    if strip_logprobs and b'"logprobs"' in answer.raw:
        return _without_logprobs(answer.raw)
    return answer.raw


def error_body(status: int, message: str, type: str, param: str | None, code: str | None) -> bytes:  # noqa: A002 - the wire's word
    """Write an error in this wire's shape; all four fields are always there, the status only in the head."""
    return _encode({"error": {"message": message, "type": type, "param": param, "code": code}})


def _without_logprobs(raw: bytes) -> bytes:
    """Set each choice's `logprobs` to null; the bytes of all other members stay."""
    members = _decode_members(raw)
    choices = _decode_choices(members["choices"])
    for choice in choices:
        if "logprobs" in choice:
            choice["logprobs"] = _NULL
    members["choices"] = msgspec.Raw(_encode(choices))
    return _encode(members)


def _chunk(model: str, ident: str) -> dict[str, object]:
    """Spell what all chunks of a stream say, for one that came on another wire."""
    return {
        "id": f"chatcmpl-{ident}",
        "object": "chat.completion.chunk",
        "created": created_s(ident),
        "model": model,
    }


def _streamed_choice(piece: Piece, *, shown: bool, first: bool) -> dict[str, object]:
    calls = [_tool_call(call) | {"index": call.index} for call in piece.tool_calls]
    said = {"content": piece.text, "reasoning_content": piece.reasoning, "refusal": piece.refusal, "tool_calls": calls}
    delta: dict[str, object] = {"role": "assistant"} if first else {}
    delta |= {name: value for name, value in said.items() if value}
    logprobs = _logprobs(piece.tokens) if shown else None
    return {"index": piece.choice, "delta": delta, "logprobs": logprobs, "finish_reason": _reason(piece.finish)}


def _whole(answer: Answer, call: Call, ident: str) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{ident}",
        "object": "chat.completion",
        "created": created_s(ident),
        "model": answer.served_model or call.model,
        "choices": [_whole_choice(choice, shown=call.features.logprobs) for choice in answer.choices],
        "usage": None if answer.usage is None else _usage(answer.usage),
    }


def _whole_choice(choice: Choice, *, shown: bool) -> dict[str, object]:
    message: dict[str, object] = {
        "role": "assistant",
        "content": choice.text or None,
        "refusal": choice.refusal or None,
    }
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        message["tool_calls"] = [_tool_call(call) for call in choice.tool_calls]
    logprobs = _logprobs(choice.tokens) if shown else None
    return {
        "index": choice.index, "message": message, "logprobs": logprobs, "finish_reason": _reason(choice.finish),
    }  # fmt: skip


def _logprobs(tokens: Iterable[TokenLogprob]) -> dict[str, object] | None:
    rows = write_tokens(tokens)
    return {"content": rows, "refusal": None} if rows else None


def _reason(finish: str | None) -> str | None:
    """Return this wire's word: a pause of a server's own tools is none of its."""
    return "stop" if finish == "pause" else finish


def _tool_call(call: ToolCall) -> dict[str, object]:
    names = {"id": call.id, "type": "function"} if call.id else {}
    return names | {"function": ({"name": call.name} if call.name else {}) | {"arguments": call.arguments}}


def _usage(usage: Usage) -> dict[str, object]:
    prompt, completion = usage.read, usage.written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
