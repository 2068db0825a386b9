"""What does Gemini answer? Whole or as a stream of partial answers of the same shape.

Source: Google's published API reference (GenerateContentResponse, read 2026-11).
Invariant: an answer is complete only with a finish reason for every candidate that began.
"""

from typing import Any

import msgspec

from tierwise.core.answer import Answer, Delta, Piece, ToolCall, whole
from tierwise.core.errors import BadReply
from tierwise.core.secret import Secret
from tierwise.core.usage import Usage
from tierwise.wires.error import error_in_band, not_an_answer
from tierwise.wires.loose import a_text, an_object, objects, tokens_of
from tierwise.wires.stream import EventReader, count

_FINISHES = {"STOP": "stop", "MAX_TOKENS": "length"}
_BLOCKED = frozenset(
    (
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "LANGUAGE",
        "IMAGE_PROHIBITED_CONTENT",
    )
)
_BROKEN = frozenset(
    ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE", "TOO_MANY_TOOL_CALLS")
)
_PARTS = frozenset(("text", "functionCall", "thought", "thoughtSignature"))
_ASIDE = ("citationMetadata", "groundingMetadata", "urlContextMetadata")

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def decode_answer(body: bytes, *, key: Secret | None = None, mark: str = "") -> Answer:
    """Read an answer that was not streamed. Raises `ProviderError`, mostly `BadReply`, for anything else.

    `key` is the endpoint's credential: should the endpoint repeat it in an error, it is masked. `mark` makes the ids
    of tool calls, which have none on this wire.
    """
    reader = _Reader(key, mark)
    delta = reader.read(body)
    if not reader.complete:
        raise not_an_answer(body, key)
    return whole(delta.pieces, usage=delta.usage, served_model=delta.served_model, raw=body, foreign=delta.foreign)


class AnswerDecoder(EventReader):
    """Feed the bytes of a streamed answer, get deltas. Only the end of the stream ends it."""

    def __init__(self, *, key: Secret | None = None, mark: str = "") -> None:
        super().__init__(key)
        self._reader = _Reader(key, mark)

    @property
    def _complete(self) -> bool:
        return self._reader.complete

    def _event(self, name: bytes, payload: bytes) -> Delta | None:
        return self._reader.read(payload)


def answer_decoder(*, key: Secret | None = None, mark: str = "") -> AnswerDecoder:
    """Begin to read a streamed answer; `mark` makes the ids of tool calls, which have none on this wire."""
    return AnswerDecoder(key=key, mark=mark)


class _Reader:
    """Reads one part of an answer after the other."""

    def __init__(self, key: Secret | None, mark: str) -> None:
        self._key, self._mark = key, mark
        self._open: dict[int, bool] = {}
        self._calls: dict[int, int] = {}

    @property
    def complete(self) -> bool:
        """True once every candidate that began has a finish reason."""
        return bool(self._open) and not any(self._open.values())

    def read(self, payload: bytes) -> Delta:
        """Return what a part of an answer says."""
        try:
            said = _decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise not_an_answer(payload, self._key) from None
        if isinstance(said, dict) and said.get("error"):
            raise error_in_band(said["error"], self._key)
        if not isinstance(said, dict) or not {"candidates", "promptFeedback", "usageMetadata"} & said.keys():
            raise not_an_answer(payload, self._key)
        pieces: list[Piece] = []
        foreign: list[str] = []
        for candidate in objects(said.get("candidates")):
            pieces += self._candidate(candidate, foreign)
        if an_object(said.get("promptFeedback")).get("blockReason"):
            self._open[0] = False
            pieces.append(Piece(finish="content_filter"))
        return Delta(
            raw=payload,
            pieces=tuple(pieces),
            foreign=tuple(foreign),
            usage=read_usage(said.get("usageMetadata")),
            served_model=a_text(said.get("modelVersion")) or None,
        )

    def _candidate(self, candidate: dict[str, Any], foreign: list[str]) -> list[Piece]:
        value = candidate.get("index")
        index = value if isinstance(value, int) else 0
        self._open.setdefault(index, True)
        pieces: list[Piece] = []
        for part in objects(an_object(candidate.get("content")).get("parts")):
            pieces += self._part(part, index, foreign)
        foreign += [name for name in _ASIDE if candidate.get(name)]
        reason = a_text(candidate.get("finishReason"))
        tokens = tokens_of(an_object(candidate.get("logprobsResult")).get("chosenCandidates"), "logProbability")
        if reason in _BROKEN:
            raise BadReply(f"The endpoint stopped with {reason}.", code="upstream_invalid")
        if reason and reason != "FINISH_REASON_UNSPECIFIED":
            self._open[index] = False
            finish = "content_filter" if reason in _BLOCKED else _FINISHES.get(reason, reason.lower())
            if finish == "stop" and self._calls.get(index):
                finish = "tool_calls"
            pieces.append(Piece(choice=index, finish=finish, tokens=tokens))
        elif tokens:
            pieces.append(Piece(choice=index, tokens=tokens))
        return pieces

    def _part(self, part: dict[str, Any], index: int, foreign: list[str]) -> list[Piece]:
        """Return the pieces of a part; what signs a call or words comes before them, as other wires have it."""
        pieces: list[Piece] = []
        words = a_text(part.get("text"))
        signature = a_text(part.get("thoughtSignature"))
        if part.get("thought"):
            return [Piece(choice=index, reasoning=words, seal=signature)]
        if signature:
            pieces.append(Piece(choice=index, seal=signature))
        if words:
            pieces.append(Piece(choice=index, text=words))
        called = part.get("functionCall")
        if isinstance(called, dict):
            number = self._calls.get(index, 0)
            self._calls[index] = number + 1
            call = ToolCall(
                index=number,
                id=a_text(called.get("id")) or f"call_{self._mark}{index}_{number}",
                name=a_text(called.get("name")),
                arguments=_encode(called.get("args") or {}).decode(),
            )
            pieces.append(Piece(choice=index, tool_calls=(call,)))
        foreign += [name for name in part if name not in _PARTS]
        return pieces


def read_usage(value: Any) -> Usage | None:
    """Sort reported counts into buckets that do not overlap: cached tokens are inside the prompt, thoughts beside the
    candidates."""
    if not isinstance(value, dict):
        return None
    prompt = count(value.get("promptTokenCount"))
    if prompt is None:
        return None
    cached = count(value.get("cachedContentTokenCount")) or 0
    used = count(value.get("toolUsePromptTokenCount")) or 0
    if cached > prompt:
        return None
    return Usage(
        input=prompt - cached + used,
        cache_read=cached,
        output=count(value.get("candidatesTokenCount")) or 0,
        reasoning=count(value.get("thoughtsTokenCount")) or 0,
    )
