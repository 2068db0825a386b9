"""What does a Chat Completions endpoint answer? Whole or as a stream; what a caller gets of it is `chat_reply`.

Source: OpenAI's published API description (Chat Completions, read 2026-07) and what llama.cpp, vLLM and Ollama send.
Invariant: an answer is complete only if the endpoint gave a finish reason; none is ever invented.
"""

from typing import Any

import msgspec

from tierwise.core.answer import Answer, Choice, Delta, Piece, TokenLogprob, ToolCall
from tierwise.core.secret import Secret
from tierwise.core.usage import Media, Usage
from tierwise.wires.brackets import Brackets
from tierwise.wires.error import error_in_band, not_an_answer
from tierwise.wires.loose import a_text
from tierwise.wires.metering import metered
from tierwise.wires.sse import MAX_EVENT_BYTES
from tierwise.wires.stream import EventReader, count, few, incomplete, read_object, utf8


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Token(msgspec.Struct):
    token: str
    logprob: float | None
    bytes: list[int] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None
    refusal: list[_Token] | None = None


class _Message(msgspec.Struct):
    """A message, or in a stream what is added to it."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None


class _StreamedChoice(msgspec.Struct):
    index: int = 0
    delta: _Message | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Chunk(msgspec.Struct):
    choices: list[_StreamedChoice] | None = None
    usage: Any = None
    service_tier: Any = None
    model: str | None = None
    id: Any = None
    error: Any = None


class _WholeChoice(msgspec.Struct):
    message: _Message
    index: int = 0
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Whole(msgspec.Struct):
    choices: list[_WholeChoice] | None = None
    usage: Any = None
    service_tier: Any = None
    model: str | None = None
    id: Any = None
    error: Any = None


_NOTHING = _Message()
_CUT = ("length", "content_filter", None)
_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_whole = msgspec.json.Decoder(_Whole).decode
_encode = msgspec.json.Encoder().encode


def decode_answer(body: bytes, *, key: Secret | None = None, mark: str = "") -> Answer:
    """Read an answer that was not streamed. Raises `ProviderError`, mostly `BadReply`, for anything else.

    `key` is the endpoint's credential: should the endpoint repeat it in an error, it is masked. `mark` makes the ids
    of tool calls unique that came without one.
    """
    try:
        whole = _decode_whole(utf8(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_an_answer(body, key) from None
    if whole.error:
        raise error_in_band(whole.error, key)
    if not whole.choices:
        raise not_an_answer(body, key)
    choices = []
    odd = False
    for choice in few(whole.choices):
        message = choice.message
        made = _Calls(choice.index, mark)
        said, calls_odd = made.read(message, streamed=False)
        odd = odd or calls_odd
        finish = _reason(choice.finish_reason, made)
        if finish is None:
            raise incomplete()
        empty = {call.index: call.arguments for call in made.without_arguments(finish)}
        calls = tuple(
            msgspec.structs.replace(call, arguments=call.arguments or empty.get(call.index, "")) for call in said
        )
        choices.append(
            Choice(
                index=choice.index,
                text=_text(message.content),
                reasoning=message.reasoning_content or message.reasoning or "",
                refusal=message.refusal or "",
                tool_calls=calls,
                tokens=_tokens(choice.logprobs),
                finish=finish,
            )
        )
    raw = _repaired(body, "message", {choice.index: choice.tool_calls for choice in choices}) if odd else body
    return Answer(
        choices=tuple(choices),
        usage=read_usage(whole.usage, whole.service_tier),
        served_model=whole.model,
        ident=a_text(whole.id) or None,
        raw=raw,
    )


def answer_decoder(*, key: Secret | None = None, mark: str = "") -> "AnswerDecoder":
    """Begin to read a streamed answer."""
    return AnswerDecoder(key=key, mark=mark)


class AnswerDecoder(EventReader):
    """Feed the bytes of a streamed answer, get deltas.

    It is complete with a finish reason for every choice that started. The reasons alone do not end it: usage may
    follow, and a further choice; `[DONE]` or the end of the stream does.
    """

    def __init__(self, *, key: Secret | None = None, mark: str = "", max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(key, max_event_bytes)
        self._mark = mark
        self._open: dict[int, bool] = {}
        self._calls: dict[int, _Calls] = {}

    @property
    def _complete(self) -> bool:
        return bool(self._open) and not any(self._open.values())

    def _event(self, name: bytes, payload: bytes) -> Delta | None:
        if payload[:6] == b"[DONE]":
            self._ended = True
            return None
        try:
            chunk = _decode_chunk(utf8(payload))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise not_an_answer(payload, self._key) from None
        if chunk.error or name == b"error":
            raise error_in_band(chunk.error or read_object(payload, self._key), self._key)
        if chunk.choices is None and chunk.usage is None:
            raise not_an_answer(payload, self._key)
        odd = False
        pieces: list[Piece] = []
        for choice in chunk.choices or ():
            piece, piece_odd = self._piece(choice)
            pieces.append(piece)
            odd = odd or piece_odd
        return Delta(
            raw=_repaired(payload, "delta", {piece.choice: piece.tool_calls for piece in pieces}) if odd else payload,
            pieces=tuple(pieces),
            usage=None if chunk.usage is None else read_usage(chunk.usage, chunk.service_tier),
            served_model=chunk.model,
            ident=a_text(chunk.id) or None,
        )

    def _piece(self, choice: _StreamedChoice) -> tuple[Piece, bool]:
        index = choice.index
        delta = choice.delta or _NOTHING
        calls: tuple[ToolCall, ...] = ()
        odd = False
        if delta.tool_calls or delta.function_call:
            calls, odd = self._calls.setdefault(index, _Calls(index, self._mark)).read(delta)
        made = self._calls.get(index)
        finish = _reason(choice.finish_reason, made)
        if finish is not None:
            self._open[index] = False
            calls += made.without_arguments(finish) if made is not None else ()
        elif index not in self._open:
            self._open[index] = True
        piece = Piece(
            choice=index,
            text=_text(delta.content),
            reasoning=delta.reasoning_content or delta.reasoning or "",
            refusal=delta.refusal or "",
            tool_calls=calls,
            tokens=() if choice.logprobs is None else _tokens(choice.logprobs),
            finish=finish,
        )
        return piece, odd


class _Made:
    """One call as far as it has come."""

    __slots__ = ("arguments", "brackets", "name")

    def __init__(self) -> None:
        self.name = ""
        self.arguments: list[str] = []
        self.brackets = Brackets()

    def ended_by(self, name: str, text: str) -> bool:
        """True if a piece with this name and text begins another call, although it has the index of this one."""
        return bool(name and self.name) and (name != self.name or (bool(text) and self.brackets.closed))


class _Calls:
    """Which tool call a piece belongs to: its id decides, then its index, then what came last.

    Some servers repeat index 0 for each call, leave out index or id, or send arguments as an object.
    """

    __slots__ = ("_by_id", "_by_index", "_last", "_made", "_next", "_stem")

    def __init__(self, choice: int, mark: str) -> None:
        self._stem = f"call_{mark}{choice}_"
        self._by_id: dict[str, int] = {}
        self._by_index: dict[int, int] = {}
        self._made: dict[int, _Made] = {}
        self._last = -1
        self._next = 0

    def read(self, message: _Message, *, streamed: bool = True) -> tuple[tuple[ToolCall, ...], bool]:
        """Return the calls or pieces of calls, and whether the endpoint's own writing of them has to be repaired."""
        calls: list[ToolCall] = []
        odd = False
        for call in few(message.tool_calls or ()):
            arguments = call.function.arguments if call.function else None
            text = arguments if isinstance(arguments, str) else "" if arguments is None else _encode(arguments).decode()
            name = (call.function.name if call.function else None) or ""
            place, new = self._place(call, name, text) if streamed else (self._free(None), True)
            self._note(place, name, text, streamed=streamed)
            made_id = f"{self._stem}{place}" if new and not call.id else call.id or ""
            odd = odd or (streamed and place != call.index) or made_id != (call.id or "") or isinstance(arguments, dict)
            calls.append(ToolCall(index=place, id=made_id, name=name, arguments=text))
        if message.function_call is not None and not calls:
            called = message.function_call
            text = called.arguments if isinstance(called.arguments, str) else ""
            self._note(0, called.name or "", text)
            return (ToolCall(name=called.name or "", arguments=text),), False
        return tuple(calls), odd

    def __bool__(self) -> bool:
        return bool(self._made)

    def without_arguments(self, finish: str | None) -> tuple[ToolCall, ...]:
        """Return `{}` for each call without any: some servers write nothing for it. A cut call is none."""
        if finish in _CUT:
            return ()
        empty = [place for place, made in self._made.items() if not made.arguments]
        for place in empty:
            self._made[place].arguments.append("{}")
        return tuple(ToolCall(index=place, arguments="{}") for place in empty)

    def _note(self, place: int, name: str, text: str, *, streamed: bool = True) -> None:
        made = self._made.setdefault(place, _Made())
        self._next = max(self._next, place + 1)
        made.name = made.name or name
        if text:
            made.arguments.append(text)
            if streamed:
                made.brackets.read(text)

    def _place(self, call: _ToolCall, name: str, text: str) -> tuple[int, bool]:
        known = self._by_id.get(call.id) if call.id else None
        if known is None and call.index is not None and not (call.id and name):
            known = self._by_index.get(call.index)
            known = None if known is not None and not call.id and self._made[known].ended_by(name, text) else known
        if known is None and call.index is None and not call.id and not name and self._made:
            known = self._last
        new = known is None
        place = self._free(call.index) if known is None else known
        if call.id:
            self._by_id[call.id] = place
        if call.index is not None:
            self._by_index[call.index] = place
        self._last = place
        return place, new

    def _free(self, wished: int | None) -> int:
        if wished is not None and wished not in self._made:
            return wished
        return self._next


def read_usage(value: Any, served: Any = None) -> Usage | None:
    """Sort reported counts into buckets that do not overlap; None where they are missing or cannot be true.

    Prompt counts include cached tokens on this wire. Reasoning tokens are inside the completion count at most
    endpoints and beside it at some: there they only fit the total when added.
    """
    if not isinstance(value, dict):
        return None
    prompt, completion = count(value.get("prompt_tokens")), count(value.get("completion_tokens"))
    cached = _detail(value, "prompt_tokens_details", "cached_tokens")
    written = _detail(value, "prompt_tokens_details", "cache_write_tokens")
    reasoning = _detail(value, "completion_tokens_details", "reasoning_tokens")
    if prompt is None or completion is None or cached is None or written is None or reasoning is None:
        return None
    if cached + written > prompt:
        return None
    beside = reasoning > completion or (reasoning > 0 and value.get("total_tokens") == prompt + completion + reasoning)
    usage = Usage(
        input=prompt - cached - written,
        cache_read=cached,
        cache_write=written,
        output=completion if beside else completion - reasoning,
        reasoning=reasoning,
    )
    heard = _detail(value, "prompt_tokens_details", "audio_tokens") or 0
    seen = _detail(value, "prompt_tokens_details", "image_tokens") or 0
    spoken = _detail(value, "completion_tokens_details", "audio_tokens") or 0
    drawn = _detail(value, "completion_tokens_details", "image_tokens") or 0
    media = Media(audio_input=heard, image_input=seen, audio_output=spoken, image_output=drawn)
    return metered(usage, media, served)


def _detail(usage: dict[str, Any], group: str, name: str) -> int | None:
    details = usage.get(group)
    value = details.get(name) if isinstance(details, dict) else None
    return 0 if value is None else count(value)


def _reason(finish: str | None, calls: _Calls | None) -> str | None:
    """Return the reason to stop; some servers say `stop` although they call a tool."""
    return "tool_calls" if finish == "stop" and calls else finish or None


def _text(content: str | list[Any] | None) -> str:
    """Return the text of a content that some endpoints send as blocks."""
    if isinstance(content, str):
        return content
    texts = (block.get("text") for block in content or () if isinstance(block, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _tokens(logprobs: _Logprobs | None) -> tuple[TokenLogprob, ...]:
    tokens = (logprobs.content or logprobs.refusal) if logprobs else None
    return tuple(map(_token, tokens)) if tokens else ()


def _token(token: _Token) -> TokenLogprob:
    try:
        data = token.token.encode() if token.bytes is None else bytes(token.bytes)
    except ValueError:
        data = token.token.encode()
    # llama.cpp writes minus infinity as null; OpenAI's own stand-in for it is -9999.
    return TokenLogprob(data, -9999.0 if token.logprob is None else token.logprob)


def _repaired(payload: bytes, member: str, calls: dict[int, tuple[ToolCall, ...]]) -> bytes:
    """Write tool calls again as the official clients need them: with index, id and arguments as a string."""
    tree = read_object(payload, None)
    for choice in tree["choices"]:
        raw_calls = (choice.get(member) or {}).get("tool_calls") or ()
        for raw, call in zip(raw_calls, calls[choice.get("index", 0)], strict=False):  # empty arguments may follow
            if member == "delta":
                raw["index"] = call.index
            raw.setdefault("type", "function")
            if call.id:
                raw["id"] = call.id
            if isinstance(raw.get("function"), dict):
                raw["function"]["arguments"] = call.arguments
    return _encode(tree)
