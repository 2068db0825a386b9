"""What does Ollama's own interface answer? One object, or one a line.

Source: Ollama's published API description and `api/types.go` (`/api/chat`), read 2026-11.
Invariant: an answer is complete only with the object that says `done`; a reason that is not said stays unsaid.
"""

from typing import Any

import msgspec

from tierwise.core.answer import Answer, Delta, Piece, ToolCall, whole
from tierwise.core.errors import BadReply
from tierwise.core.secret import Secret
from tierwise.core.usage import Usage
from tierwise.wires.error import error_in_band, not_an_answer
from tierwise.wires.logprobs import read_tokens
from tierwise.wires.loose import a_text, an_object, objects
from tierwise.wires.stream import EventReader, LineDecoder, count, few, read_object

_BOM = b"\xef\xbb\xbf"
_LOADED = ("load", "unload")
"""Reasons of a server that was asked nothing."""
_encode = msgspec.json.Encoder().encode


def decode_answer(body: bytes, *, key: Secret | None = None, mark: str = "") -> Answer:
    """Read an answer that was not streamed. Raises `ProviderError`, mostly `BadReply`, for anything else.

    `key` is the endpoint's credential: should the endpoint repeat it in an error, it is masked. `mark` makes the ids
    of tool calls that came without one.
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
    """Begin to read a streamed answer; `mark` makes the ids of tool calls that come without one."""
    return AnswerDecoder(key=key, mark=mark)


class _Reader:
    """Reads one object after the other."""

    def __init__(self, key: Secret | None, mark: str) -> None:
        self._key, self._mark = key, mark
        self._calls = 0
        self.done = False

    def read(self, payload: bytes) -> Delta:
        """Return what an object says."""
        said = read_object(payload.removeprefix(_BOM), self._key)
        if said.get("error"):
            raise error_in_band(said["error"], self._key)
        if not isinstance(said.get("message"), dict):
            raise not_an_answer(payload, self._key)
        message, tokens = said["message"], read_tokens(said.get("logprobs"))
        thought, words = a_text(message.get("thinking")), a_text(message.get("content"))
        pieces: list[Piece] = []
        if thought:
            pieces.append(Piece(reasoning=thought))
        if words or tokens:
            pieces.append(Piece(text=words, tokens=tokens))
        pieces += [Piece(tool_calls=(self._call(call),)) for call in few(objects(message.get("tool_calls")))]
        if said.get("done") is True:
            pieces.append(Piece(finish=self._finish(a_text(said.get("done_reason")))))
        return Delta(
            raw=payload,
            pieces=tuple(pieces),
            usage=_usage(said) if self.done else None,
            served_model=a_text(said.get("model")) or None,
        )

    def _finish(self, reason: str) -> str | None:
        self.done = True
        if reason in _LOADED:
            raise BadReply(f"The endpoint answered nothing ({reason}).", code="upstream_invalid")
        return "tool_calls" if reason == "stop" and self._calls else reason or None

    def _call(self, call: dict[str, Any]) -> ToolCall:
        function = an_object(call.get("function"))
        arguments = function.get("arguments")
        number = self._calls
        self._calls += 1
        return ToolCall(
            index=number,
            id=a_text(call.get("id")) or f"call_{self._mark}0_{number}",
            name=a_text(function.get("name")),
            arguments=arguments or "{}" if isinstance(arguments, str) else _encode(an_object(arguments)).decode(),
        )


def _usage(said: dict[str, Any]) -> Usage | None:
    """Read the counts. The server leaves out those that are zero, as of a prompt that was all in its cache."""
    if "prompt_eval_count" not in said and "eval_count" not in said:
        return None
    read, written = count(said.get("prompt_eval_count", 0)), count(said.get("eval_count", 0))
    return None if read is None or written is None else Usage(input=read, output=written)
