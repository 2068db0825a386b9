"""What does Ollama's own interface answer? One object, or one a line.

Source: Ollama's published API documentation (`/api/chat`, read 2026-11).
Invariant: an answer is complete only with the object that says `done`.
"""

from typing import Any

import msgspec

from tierwise.core.answer import Answer, Delta, Piece, ToolCall, whole
from tierwise.core.secret import Secret
from tierwise.core.usage import Usage
from tierwise.wires.error import error_in_band, not_an_answer
from tierwise.wires.loose import a_text, objects, tokens_of
from tierwise.wires.stream import EventReader, LineDecoder, count

_FINISHES = {"stop": "stop", "length": "length", "": "stop"}
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def decode_answer(body: bytes, *, key: Secret | None = None, mark: str = "") -> Answer:
    """Read an answer that was not streamed. Raises `ProviderError`, mostly `BadReply`, for anything else.

    `key` is the endpoint's credential: should the endpoint repeat it in an error, it is masked. `mark` makes the ids
    of tool calls, which have none on this wire.
    """
    reader = _Reader(key, mark)
    delta = reader.read(body)
    if not reader.done:
        raise not_an_answer(body, key)
    return whole(delta.pieces, usage=delta.usage, served_model=delta.served_model, raw=body)


class AnswerDecoder(EventReader):
    """Feed the bytes of a streamed answer, get deltas."""

    def __init__(self, *, key: Secret | None = None, mark: str = "") -> None:
        super().__init__(key, framing=LineDecoder())
        self._reader = _Reader(key, mark)

    @property
    def _complete(self) -> bool:
        return self._reader.done

    def _event(self, name: bytes, payload: bytes) -> Delta | None:
        delta = self._reader.read(payload)
        self._ended = self._reader.done
        return delta


def answer_decoder(*, key: Secret | None = None, mark: str = "") -> AnswerDecoder:
    """Begin to read a streamed answer; `mark` makes the ids of tool calls, which have none on this wire."""
    return AnswerDecoder(key=key, mark=mark)


class _Reader:
    """Reads one object after the other."""

    def __init__(self, key: Secret | None, mark: str) -> None:
        self._key, self._mark = key, mark
        self._calls = 0
        self.done = False

    def read(self, payload: bytes) -> Delta:
        """Return what an object says."""
        try:
            said = _decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise not_an_answer(payload, self._key) from None
        if isinstance(said, dict) and said.get("error"):
            raise error_in_band(said["error"], self._key)
        if not isinstance(said, dict) or not isinstance(said.get("message"), dict):
            raise not_an_answer(payload, self._key)
        message = said["message"]
        tokens = tokens_of(said.get("logprobs"))
        pieces: list[Piece] = []
        if a_text(message.get("thinking")):
            pieces.append(Piece(reasoning=message["thinking"]))
        if a_text(message.get("content")) or tokens:
            pieces.append(Piece(text=a_text(message.get("content")), tokens=tokens))
        pieces += [Piece(tool_calls=(self._call(call),)) for call in objects(message.get("tool_calls"))]
        usage = None
        if said.get("done") is True:
            self.done = True
            reason = a_text(said.get("done_reason"))
            finish = _FINISHES.get(reason, reason)
            pieces.append(Piece(finish="tool_calls" if finish == "stop" and self._calls else finish))
            usage = _usage(said)
        served = a_text(said.get("model")) or None
        return Delta(raw=payload, pieces=tuple(pieces), usage=usage, served_model=served)

    def _call(self, call: dict[str, Any]) -> ToolCall:
        function = call.get("function")
        named = function if isinstance(function, dict) else {}
        number = self._calls
        self._calls += 1
        return ToolCall(
            index=number,
            id=a_text(call.get("id")) or f"call_{self._mark}0_{number}",
            name=a_text(named.get("name")),
            arguments=_encode(named.get("arguments") or {}).decode(),
        )


def _usage(said: dict[str, Any]) -> Usage | None:
    """Read the counts; a prompt that was read from the cache may be missing from them, and then counts as none."""
    written = count(said.get("eval_count"))
    return None if written is None else Usage(input=count(said.get("prompt_eval_count")) or 0, output=written)
