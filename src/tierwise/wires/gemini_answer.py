"""What does Gemini answer? Whole or as a stream of partial answers of the same shape.

Source: Google's published API reference (GenerateContentResponse) and the types of google-genai 3.4.0, read 2026-11.
Invariant: an answer is complete only with a finish reason for every candidate that began.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from tierwise.core.answer import Answer, Delta, Piece, ToolCall, whole
from tierwise.core.errors import BadReply
from tierwise.core.secret import Secret
from tierwise.core.usage import Media, Usage
from tierwise.wires.error import error_in_band, not_an_answer
from tierwise.wires.gemini_contents import THOUGHT
from tierwise.wires.logprobs import read_tokens
from tierwise.wires.loose import a_text, an_object, objects
from tierwise.wires.metering import metered
from tierwise.wires.stream import EventReader, count, few, read_object

_FINISHES = {"STOP": "stop", "MAX_TOKENS": "length"}
_UNSAID = ("", "FINISH_REASON_UNSPECIFIED")
_BLOCKED = frozenset((
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_RECITATION",
    "IMAGE_PROHIBITED_CONTENT", "MODEL_ARMOR",
))  # fmt: skip
_BROKEN = frozenset((
    "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
))  # fmt: skip
"""Reasons after which there is no answer: the model wrote what its own server could not read."""
_PARTS = frozenset(("text", "functionCall", "thought", "thoughtSignature"))
_ASIDE = ("citationMetadata", "groundingMetadata", "urlContextMetadata", "continuationToken")

_COUNTS = (
    "promptTokenCount", "cachedContentTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount",
    "thoughtsTokenCount",
)  # fmt: skip

_encode = msgspec.json.Encoder().encode


def decode_answer(body: bytes, *, key: Secret | None = None, mark: str = "") -> Answer:
    """Read an answer that was not streamed. Raises `ProviderError`, mostly `BadReply`, for anything else.

    `key` is the endpoint's credential: should the endpoint repeat it in an error, it is masked. `mark` makes the ids
    of tool calls that came without one.
    """
    reader = _Reader(key, mark)
    delta = reader.read(body)
    if not reader.complete:
        raise not_an_answer(body, key)
    return whole(
        delta.pieces,
        usage=delta.usage,
        served_model=delta.served_model,
        ident=delta.ident,
        raw=body,
        foreign=delta.foreign,
    )


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
    """Begin to read a streamed answer; `mark` makes the ids of tool calls that come without one."""
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
        said = read_object(payload, self._key)
        if said.get("error"):
            raise error_in_band(said["error"], self._key)
        if not {"candidates", "promptFeedback", "usageMetadata"} & said.keys():
            raise not_an_answer(payload, self._key)
        foreign: list[str] = []
        candidates = objects(said.get("candidates"))
        pieces = list(few(piece for candidate in candidates for piece in self._candidate(candidate, foreign)))
        if an_object(said.get("promptFeedback")).get("blockReason"):
            self._open[0] = False
            pieces.append(Piece(finish="content_filter"))
        return Delta(
            raw=payload,
            pieces=tuple(pieces),
            foreign=tuple(dict.fromkeys(foreign)),
            usage=read_usage(said.get("usageMetadata")),
            served_model=a_text(said.get("modelVersion")) or None,
            ident=a_text(said.get("responseId")) or None,
        )

    def _candidate(self, candidate: dict[str, Any], foreign: list[str]) -> Iterator[Piece]:
        index = count(candidate.get("index")) or 0
        if self._open.setdefault(index, True):  # what comes behind the reason to stop is none of its words
            for part in few(objects(an_object(candidate.get("content")).get("parts"))):
                yield from self._part(part, index, foreign)
        foreign += [name for name in _ASIDE if candidate.get(name)]
        reason = a_text(candidate.get("finishReason"))
        if reason in _BROKEN:
            raise BadReply(f"The endpoint stopped with {reason}.", code="upstream_invalid")
        finish = None if reason in _UNSAID else self._finish(reason, index)
        tokens = read_tokens(an_object(candidate.get("logprobsResult")).get("chosenCandidates"), "logProbability")
        if finish is not None or tokens:
            yield Piece(choice=index, finish=finish, tokens=tokens)

    def _finish(self, reason: str, index: int) -> str:
        self._open[index] = False
        if reason in _BLOCKED:
            return "content_filter"
        if reason == "STOP" and self._calls.get(index):
            return "tool_calls"
        return _FINISHES.get(reason, reason.lower())

    def _part(self, part: dict[str, Any], index: int, foreign: list[str]) -> list[Piece]:
        """Return the pieces of a part; what signs a call or words comes before them, as other wires have it."""
        foreign += [name for name, value in part.items() if name not in _PARTS and value]
        words, signature = a_text(part.get("text")), a_text(part.get("thoughtSignature"))
        if part.get("thought") is True:
            return [Piece(choice=index, reasoning=words, seal=THOUGHT + signature if signature else "")]
        pieces: list[Piece] = []
        if signature:
            pieces.append(Piece(choice=index, seal=signature))
        if words:
            pieces.append(Piece(choice=index, text=words))
        if isinstance(part.get("functionCall"), dict):
            pieces.append(Piece(choice=index, tool_calls=(self._call(part["functionCall"], index),)))
        return pieces

    def _call(self, called: dict[str, Any], index: int) -> ToolCall:
        number = self._calls.get(index, 0)
        self._calls[index] = number + 1
        return ToolCall(
            index=number,
            id=a_text(called.get("id")) or f"call_{self._mark}{index}_{number}",
            name=a_text(called.get("name")),
            arguments=_encode(an_object(called.get("args"))).decode(),
        )


def read_usage(value: Any) -> Usage | None:
    """Sort reported counts into buckets that do not overlap; None where they are missing or cannot be true.

    Cached tokens are inside the prompt; thoughts, and what the server's own tools read, are beside. The wire leaves
    out counts that are zero.
    """
    counts = an_object(value)
    if "promptTokenCount" not in counts:
        return None
    prompt, cached, used, written, thought = (count(counts.get(name, 0)) for name in _COUNTS)
    if prompt is None or cached is None or used is None or written is None or thought is None or cached > prompt:
        return None
    usage = Usage(input=prompt - cached + used, cache_read=cached, output=written, reasoning=thought)
    heard, seen = _modality(counts, "promptTokensDetails")
    spoken, drawn = _modality(counts, "candidatesTokensDetails")
    media = Media(audio_input=heard, image_input=seen, audio_output=spoken, image_output=drawn)
    return metered(usage, media, counts.get("trafficType"))


def _modality(counts: dict[str, Any], group: str) -> tuple[int, int]:
    """Return the tokens of a group that stood for sound and for pictures; moving ones are pictures with sound."""
    found = {"AUDIO": 0, "IMAGE": 0}
    for row in objects(counts.get(group)):
        if (kind := a_text(row.get("modality"))) in found:
            found[kind] += count(row.get("tokenCount")) or 0
    return found["AUDIO"], found["IMAGE"]
