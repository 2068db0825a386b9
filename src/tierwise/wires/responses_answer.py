"""What does a Responses endpoint answer? Whole or as a stream of typed events; what a caller gets is `responses_reply`.

Source: OpenAI's published API description (Responses and its streaming events, read 2026-11).
Invariant: an answer is complete only with `response.completed` or `response.incomplete`.
"""

from typing import Any

import msgspec

from tierwise.core.answer import Answer, Delta, Piece, ToolCall, whole
from tierwise.core.secret import Secret
from tierwise.core.usage import Media, Usage
from tierwise.wires.error import error_in_band, not_an_answer
from tierwise.wires.logprobs import read_tokens
from tierwise.wires.loose import a_text, an_object, objects
from tierwise.wires.metering import metered
from tierwise.wires.responses_sealed import seal_data
from tierwise.wires.stream import EventReader, count, event_name, few, incomplete, read_object

_encode = msgspec.json.Encoder().encode
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}
_CALLS = frozenset(("function_call", "custom_tool_call"))
_HANDLED = frozenset(("message", "reasoning")) | _CALLS
_SPELLED = frozenset((
    "response.output_text.delta", "response.refusal.delta", "response.reasoning_text.delta",
    "response.reasoning_summary_text.delta", "response.function_call_arguments.delta",
))  # fmt: skip
_UNFINISHED = frozenset(("queued", "in_progress"))


def decode_answer(body: bytes, *, key: Secret | None = None, mark: str = "") -> Answer:
    """Read an answer that was not streamed. Raises `ProviderError`, mostly `BadReply`, for anything else.

    `key` is the endpoint's credential: should the endpoint repeat it in an error, it is masked. Calls have ids on this
    wire, so `mark` is not used.
    """
    response = read_object(body, key)
    if not isinstance(response.get("output"), list):
        raise not_an_answer(body, key)
    _refuse_failed(response, key)
    if a_text(response.get("status")) in _UNFINISHED:
        raise incomplete()
    if not all(isinstance(item, dict) for item in response["output"]):
        raise not_an_answer(body, key)
    foreign: list[str] = []
    pieces = [*_whole_output(response, foreign), _finish(response)]
    return whole(
        pieces,
        usage=read_usage(response.get("usage"), response.get("service_tier")),
        served_model=a_text(response.get("model")) or None,
        ident=a_text(response.get("id")) or None,
        raw=body,
        foreign=tuple(foreign),
    )


class AnswerDecoder(EventReader):
    """Feed the bytes of a streamed answer, get deltas."""

    def __init__(self, *, key: Secret | None = None) -> None:
        super().__init__(key)
        self._begun: dict[int, str] = {}
        self._spelled: dict[int, str] = {}
        self._place: tuple[int, Any] = (-1, 0)
        self._finished = False

    @property
    def _complete(self) -> bool:
        return self._finished

    def _event(self, name: bytes, payload: bytes) -> Delta | None:
        if payload[:6] == b"[DONE]":
            return None
        event = read_object(payload, self._key)
        kind = a_text(event.get("type")) or name.decode("latin-1")
        pieces: tuple[Piece, ...] = ()
        foreign: tuple[str, ...] = ()
        usage = served = ident = None
        match kind:
            case "error" | "" if kind or event.get("error"):
                raise error_in_band(event.get("error") or event, self._key)
            case "response.failed":
                _refuse_failed(an_object(event.get("response")) | {"status": "failed"}, self._key)
            case "response.created":
                response = an_object(event.get("response"))
                served, ident = a_text(response.get("model")) or None, a_text(response.get("id")) or None
            case "response.output_item.added":
                pieces, foreign = self._added(_index(event), an_object(event.get("item")))
            case "response.output_item.done":
                pieces, foreign = self._done(_index(event), an_object(event.get("item")))
            case "response.completed" | "response.incomplete":
                response = an_object(event.get("response"))
                _refuse_failed(response, self._key)
                if kind == "response.incomplete":
                    response = response | {"status": "incomplete"}
                self._ended = self._finished = True
                untold: list[str] = []
                told = () if self._begun or self._spelled else _whole_output(response, untold)
                pieces, foreign = (*told, _finish(response, *self._begun.values())), tuple(untold)
                usage = read_usage(response.get("usage"), response.get("service_tier"))
                served, ident = a_text(response.get("model")) or None, a_text(response.get("id")) or None
            case _:
                pieces, foreign = self._delta(kind, event)
        return Delta(
            raw=payload,
            event=event_name(kind),
            pieces=pieces,
            foreign=foreign,
            usage=usage,
            served_model=served,
            ident=ident,
        )

    def _delta(self, kind: str, event: dict[str, Any]) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
        said = a_text(event.get("delta"))
        index = _index(event)
        if said and kind in _SPELLED:
            self._spelled.setdefault(index, kind)
        match kind:
            case "response.output_text.delta":
                return (Piece(text=said, tokens=read_tokens(event.get("logprobs"))),), ()
            case "response.refusal.delta":
                return (Piece(refusal=said),), ()
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                if self._spelled.get(index) != kind:  # nothing, or a summary beside the text: that says it twice
                    return (), ()
                place = (index, event.get("summary_index") or event.get("content_index") or 0)
                apart, self._place = place[0] == self._place[0] and place != self._place, place
                return (Piece(reasoning="\n\n" + said if apart else said),), ()
            case "response.function_call_arguments.delta":
                return (Piece(tool_calls=(ToolCall(index=index, arguments=said),)),), ()
            case "response.output_text.annotation.added":
                return (), ("annotations",)
            case _:
                return (), ()

    def _added(self, index: int, item: dict[str, Any]) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
        kind = self._begun[index] = a_text(item.get("type"))
        if kind not in _HANDLED:
            return (), (kind[:64],)
        if kind not in _CALLS:
            return (), ()
        call = ToolCall(index=index, id=a_text(item.get("call_id")), name=a_text(item.get("name")))
        return (Piece(tool_calls=(call,)),), ()

    def _done(self, index: int, item: dict[str, Any]) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
        """Return what the end of an item tells that its pieces did not."""
        kind = a_text(item.get("type"))
        if kind == "reasoning" and index in self._spelled:
            seal = _seal(item)
            return ((Piece(seal=seal),) if seal else ()), ()
        if index in self._spelled or kind not in _HANDLED:
            return (), ()
        foreign: list[str] = []
        pieces = _whole_item(item, index, foreign)
        if kind in _CALLS and index in self._begun:
            call = msgspec.structs.replace(pieces[0].tool_calls[0], id="", name="")
            pieces = [Piece(tool_calls=(call,))] if call.arguments else []
        return tuple(piece for piece in pieces if piece.content), tuple(foreign)


def answer_decoder(*, key: Secret | None = None, mark: str = "") -> AnswerDecoder:
    """Begin to read a streamed answer. Calls have ids on this wire, so `mark` is not used."""
    return AnswerDecoder(key=key)


def read_usage(value: Any, served: Any = None) -> Usage | None:
    """Sort reported counts into buckets that do not overlap: cached input and reasoning are included in the totals."""
    if not isinstance(value, dict):
        return None
    given, written = count(value.get("input_tokens")), count(value.get("output_tokens"))
    if given is None or written is None:
        return None
    details = an_object(value.get("input_tokens_details"))
    cached, kept = count(details.get("cached_tokens")) or 0, count(details.get("cache_write_tokens")) or 0
    thought = count(an_object(value.get("output_tokens_details")).get("reasoning_tokens")) or 0
    if cached + kept > given or thought > written:
        return None
    usage = Usage(
        input=given - cached - kept, cache_read=cached, cache_write=kept, output=written - thought, reasoning=thought
    )
    return metered(usage, Media(), served)


def _refuse_failed(response: dict[str, Any], key: Secret | None) -> None:
    if response.get("status") in ("failed", "cancelled") or response.get("error"):
        raise error_in_band(response.get("error") or {"message": "the response failed"}, key)


def _whole_output(response: dict[str, Any], foreign: list[str]) -> list[Piece]:
    pieces: list[Piece] = []
    for index, item in enumerate(few(objects(response.get("output")))):
        kind = a_text(item.get("type"))
        if kind in _HANDLED:
            pieces += _whole_item(item, index, foreign)
        else:
            foreign.append(kind[:64])
    return pieces


def _whole_item(item: dict[str, Any], index: int, foreign: list[str]) -> list[Piece]:
    pieces: list[Piece] = []
    match item.get("type"):
        case "message":
            for part in few(objects(item.get("content"))):
                if part.get("type") == "refusal":
                    pieces.append(Piece(refusal=a_text(part.get("refusal"))))
                else:
                    pieces.append(Piece(text=a_text(part.get("text")), tokens=read_tokens(part.get("logprobs"))))
                if part.get("annotations"):
                    foreign.append("annotations")
        case "reasoning":
            parts = objects(item.get("content")) or objects(item.get("summary"))
            told = "\n\n".join(a_text(part.get("text")) for part in parts)
            pieces.append(Piece(reasoning=told, seal=_seal(item)))
        case kind:
            arguments = a_text(item.get("arguments")) or ("" if item.get("status") == "incomplete" else "{}")
            if kind == "custom_tool_call":
                arguments = _encode({"input": a_text(item.get("input"))}).decode()
            call = ToolCall(
                index=index, id=a_text(item.get("call_id")), name=a_text(item.get("name")), arguments=arguments
            )
            pieces.append(Piece(tool_calls=(call,)))
    return pieces


def _seal(item: dict[str, Any]) -> str:
    sealed = a_text(item.get("encrypted_content"))
    return seal_data(a_text(item.get("id")), sealed) if sealed else ""


def _finish(response: dict[str, Any], *begun: str) -> Piece:
    if response.get("status") == "incomplete":
        reason = a_text(an_object(response.get("incomplete_details")).get("reason"))
        return Piece(finish=_REASONS.get(reason, reason) or "length")
    kinds = {*begun, *(a_text(item.get("type")) for item in objects(response.get("output")))}
    return Piece(finish="tool_calls" if kinds & _CALLS else "stop")


def _index(event: dict[str, Any]) -> int:
    return count(event.get("output_index")) or 0
