"""What does a Messages endpoint answer? Whole or as a stream; what a caller gets of it is `messages_reply`.

Source: Anthropic's published API reference (Messages, streaming; read 2026-11).
Invariant: an answer is complete only with its stop reason; none is ever invented.
"""

from typing import Any

import msgspec

from tierwise.core.answer import Answer, Delta, Piece, ToolCall, whole
from tierwise.core.secret import Secret
from tierwise.core.usage import Usage
from tierwise.wires.error import error_in_band, not_an_answer
from tierwise.wires.loose import a_text, an_object
from tierwise.wires.messages_seals import REDACTED, SIGNED
from tierwise.wires.metering import service
from tierwise.wires.stream import EventReader, count, event_name, few, incomplete, read_object

FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "pause",
}

_encode = msgspec.json.Encoder().encode


def decode_answer(body: bytes, *, key: Secret | None = None, mark: str = "") -> Answer:
    """Read an answer that was not streamed. Raises `ProviderError`, mostly `BadReply`, for anything else.

    `key` is the endpoint's credential: should the endpoint repeat it in an error, it is masked. Tool calls have ids on
    this wire, so `mark` is not used.
    """
    message = read_object(body, key)
    if not isinstance(message.get("content"), list):
        raise not_an_answer(body, key)
    pieces: list[Piece] = []
    foreign: list[str] = []
    calls = 0
    for block in few(message["content"]):
        if not isinstance(block, dict):
            raise not_an_answer(body, key)
        piece = _whole_block(block, calls)
        if piece is None:
            foreign.append(a_text(block.get("type"))[:64])
        else:
            pieces.append(piece)
            calls += len(piece.tool_calls)
        if block.get("citations"):
            foreign.append("citations")
    finish = _finish(message)
    if finish.finish is None:
        raise incomplete()
    pieces.append(finish)
    usage = _Usage()
    usage.take(message.get("usage"))
    return whole(
        pieces,
        usage=usage.value,
        served_model=a_text(message.get("model")) or None,
        ident=a_text(message.get("id")) or None,
        raw=body,
        foreign=tuple(foreign),
    )


class AnswerDecoder(EventReader):
    """Feed the bytes of a streamed answer, get deltas."""

    def __init__(self, *, key: Secret | None = None) -> None:
        super().__init__(key)
        self._usage = _Usage()
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._stopped = False

    @property
    def _complete(self) -> bool:
        return self._stopped

    def _event(self, name: bytes, payload: bytes) -> Delta | None:
        event = read_object(payload, self._key)
        kind = a_text(event.get("type")) or name.decode("latin-1")
        if kind == "error":
            raise error_in_band(event.get("error") or event, self._key)
        pieces: tuple[Piece, ...] = ()
        foreign: tuple[str, ...] = ()
        usage = served = ident = None
        match kind:
            case "message_start":
                message = an_object(event.get("message"))
                # The output count of this event is a placeholder: nothing has been written yet.
                self._usage.take(message.get("usage"), output=False)
                served = a_text(message.get("model")) or None
                ident = a_text(message.get("id")) or None
            case "content_block_start":
                pieces, foreign = self._opened(_index(event), an_object(event.get("content_block")))
            case "content_block_delta":
                pieces, foreign = self._added(_index(event), an_object(event.get("delta")))
            case "content_block_stop":
                pieces = self._closed(_index(event))
            case "message_delta":
                self._usage.take(event.get("usage"))
                usage = self._usage.value
                delta = an_object(event.get("delta"))
                if a_text(delta.get("stop_reason")):
                    self._stopped = True
                    pieces = (*(piece for index in list(self._blocks) for piece in self._closed(index)), _finish(delta))
            case "message_stop":
                self._ended = True
                if not self._stopped:
                    raise incomplete()
        return Delta(
            raw=payload,
            event=event_name(kind),
            pieces=pieces,
            foreign=foreign,
            usage=usage,
            served_model=served,
            ident=ident,
        )

    def _opened(self, index: int, block: dict[str, Any]) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
        kind = a_text(block.get("type"))
        before = self._closed(index)
        opened = self._blocks[index] = _Block(kind, self._calls)
        match kind:
            case "tool_use":
                # The input of this event is a placeholder, but where no piece follows.
                self._calls += 1
                opened.last = [_arguments(block)]
                call = ToolCall(index=opened.call, id=a_text(block.get("id")), name=a_text(block.get("name")))
                return (*before, Piece(tool_calls=(call,))), ()
            case "thinking":
                opened.last = [a_text(block.get("signature"))]
                return (*before, *_with_content(Piece(reasoning=a_text(block.get("thinking"))))), ()
            case "text" | "redacted_thinking":
                piece = _whole_block(block, 0)
                return (*before, *_with_content(piece)), ()
        return before, (kind[:64],)

    def _added(self, index: int, delta: dict[str, Any]) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
        block = self._blocks.get(index)
        match delta.get("type"):
            case "text_delta":
                return (Piece(text=a_text(delta.get("text"))),), ()
            case "thinking_delta":
                return (Piece(reasoning=a_text(delta.get("thinking"))),), ()
            case "signature_delta" if block is not None and block.kind == "thinking":
                block.last.append(a_text(delta.get("signature")))
            case "input_json_delta" if block is not None and block.kind == "tool_use":
                part = a_text(delta.get("partial_json"))
                if part:
                    block.last.clear()
                    return (Piece(tool_calls=(ToolCall(index=block.call, arguments=part),)),), ()
            case "citations_delta":
                return (), ("citations",)
        return (), ()

    def _closed(self, index: int) -> tuple[Piece, ...]:
        """Return what the end of a block completes: a signature, or arguments that came in no piece."""
        block = self._blocks.pop(index, None)
        last = "" if block is None else "".join(block.last)
        if block is None or not last:
            return ()
        if block.kind == "tool_use":
            return (Piece(tool_calls=(ToolCall(index=block.call, arguments=last),)),)
        return (Piece(seal=SIGNED + last),)


class _Block:
    """A block that is open. `last` is what its end is to say: a signature so far, or arguments if no piece comes."""

    __slots__ = ("call", "kind", "last")

    def __init__(self, kind: str, call: int) -> None:
        self.kind, self.call = kind, call
        self.last: list[str] = []


def answer_decoder(*, key: Secret | None = None, mark: str = "") -> AnswerDecoder:
    """Begin to read a streamed answer. Tool calls have ids on this wire, so `mark` is not used."""
    return AnswerDecoder(key=key)


class _Usage:
    """Counts as they come: cumulative, cached tokens beside the input, reasoning inside the output."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._served: str | msgspec.UnsetType = msgspec.UNSET

    def take(self, usage: Any, *, output: bool = True) -> None:
        """Take what is newly known; a count that is missing or null keeps its value."""
        if not isinstance(usage, dict):
            return
        for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            value = count(usage.get(name))
            if value is not None:
                self._counts[name] = value
        if "service_tier" in usage:
            self._served = service(usage["service_tier"])
        by_age = {name: count(value) or 0 for name, value in an_object(usage.get("cache_creation")).items()}
        if by_age:
            self._counts.setdefault("cache_creation_input_tokens", sum(by_age.values()))
            self._counts["hour"] = by_age.get("ephemeral_1h_input_tokens", 0)
        value = count(usage.get("output_tokens"))
        if output and value is not None:
            self._counts["output_tokens"] = value
            thought = count(an_object(usage.get("output_tokens_details")).get("thinking_tokens"))
            self._counts["thinking_tokens"] = min(thought or 0, value)

    @property
    def value(self) -> Usage | None:
        """The usage so far; None before input and output are known."""
        counts = self._counts
        if "input_tokens" not in counts or "output_tokens" not in counts:
            return None
        kept = counts.get("cache_creation_input_tokens", 0)
        hour = min(counts.get("hour", 0), kept)
        return Usage(
            input=counts["input_tokens"],
            cache_read=counts.get("cache_read_input_tokens", 0),
            cache_write=kept - hour,
            cache_write_1h=hour,
            output=counts["output_tokens"] - counts["thinking_tokens"],
            reasoning=counts["thinking_tokens"],
            service=self._served,
        )


def _whole_block(block: dict[str, Any], call: int) -> Piece | None:
    match block.get("type"):
        case "text":
            return Piece(text=a_text(block.get("text")))
        case "thinking":
            signature = a_text(block.get("signature"))
            return Piece(reasoning=a_text(block.get("thinking")), seal=SIGNED + signature if signature else "")
        case "redacted_thinking":
            return Piece(seal=REDACTED + a_text(block.get("data")))
        case "tool_use":
            names = {"id": a_text(block.get("id")), "name": a_text(block.get("name"))}
            return Piece(tool_calls=(ToolCall(index=call, arguments=_arguments(block), **names),))
        case _:
            return None


def _arguments(block: dict[str, Any]) -> str:
    value = block.get("input")
    return _encode(value).decode() if isinstance(value, dict) else "{}"


def _with_content(piece: Piece | None) -> tuple[Piece, ...]:
    return (piece,) if piece is not None and piece.content else ()


def _finish(said: dict[str, Any]) -> Piece:
    reason = a_text(said.get("stop_reason"))
    return Piece(finish=FINISHES.get(reason, reason) or None, stop_sequence=a_text(said.get("stop_sequence")) or None)


def _index(event: dict[str, Any]) -> int:
    return count(event.get("index")) or 0
