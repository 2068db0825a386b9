"""What does a linear model say to a chat request? One label for the last user message, plain or as JSON of a schema.

Pure: bytes in, bytes out. It reads nothing but that message, and knows no gateway.
Invariant: what it cannot do it refuses in words; what it says are its labels, with the log-probability of each.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np

from tierwise.linear.model import LinearModel
from tierwise.linear.words import words

MAX_TEXT_CHARACTERS: Final = 100_000
_MOST_NAMED = 5
Finish = Literal["stop", "length"]


class Unanswerable(ValueError):
    """The request asks for what a linear model cannot do. `param` names the field."""

    def __init__(self, message: str, *, param: str, code: str = "unsupported") -> None:
        super().__init__(message)
        self.param, self.code = param, code


class _Message(msgspec.Struct):
    role: str
    content: Any = None


class _Shape(msgspec.Struct):
    schema: dict[str, Any] = {}


class _Format(msgspec.Struct):
    type: str = "text"
    json_schema: _Shape | None = None


class _Options(msgspec.Struct):
    include_usage: bool | None = None


class _Asked(msgspec.Struct):
    messages: list[_Message]
    tools: list[Any] | None = None
    n: int | None = None
    stream: bool | None = None
    stream_options: _Options | None = None
    response_format: _Format | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    stop: str | list[str] | None = None


class _Token(msgspec.Struct, frozen=True):
    """A piece of the answer, and what might have stood in its place."""

    text: str
    logprob: float = 0.0
    others: tuple[tuple[str, float], ...] = ()


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The body, in the pieces in which it is streamed; one piece where it is not."""

    streamed: bool
    parts: tuple[bytes, ...]


def reply(model: LinearModel, name: str, body: bytes, *, ident: str, created: int) -> Reply:
    """Answer the body of a chat request, as the model NAME. Raises Unanswerable; msgspec.DecodeError for no request."""
    asked = msgspec.json.decode(body, type=_Asked)
    text = _text(asked)
    field, among = _shape(asked.response_format, model)
    tokens, finish = _cut(asked, _tokens(model, text, field, among, asked.top_logprobs or 0))
    base = {"id": ident, "created": created, "model": name, "system_fingerprint": None}
    read, said = len(words(text)), len(tokens)
    usage = {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}
    if asked.stream:
        return Reply(streamed=True, parts=tuple(_events(asked, base, tokens, finish, usage)))
    message = {"role": "assistant", "content": "".join(token.text for token in tokens)}
    choice = {"index": 0, "message": message, "logprobs": _told(asked, tokens), "finish_reason": finish}
    whole = {**base, "object": "chat.completion", "choices": [choice], "usage": usage}
    return Reply(streamed=False, parts=(msgspec.json.encode(whole),))


def _text(asked: _Asked) -> str:
    """Return the last user message, after refusing what cannot be done."""
    if asked.tools:
        raise Unanswerable("a linear model calls no tools", param="tools")
    if asked.n not in (None, 1):
        raise Unanswerable("a linear model has one answer: n must be 1", param="n")
    content = next((one.content for one in reversed(asked.messages) if one.role == "user"), None)
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(parts, list) or not parts:
        raise Unanswerable("there is no user message, which is all that a linear model reads", param="messages")
    texts = [one.get("text") if isinstance(one, dict) and one.get("type") == "text" else None for one in parts]
    if not all(isinstance(one, str) for one in texts):
        raise Unanswerable("a linear model reads text only: no images, files or audio", param="messages")
    text = "\n".join(map(str, texts))
    if len(text) > MAX_TEXT_CHARACTERS:
        told = f"the message has {len(text)} characters; a linear model reads at most {MAX_TEXT_CHARACTERS}"
        raise Unanswerable(told, param="messages", code="context_length_exceeded")
    return text


def _shape(wanted: _Format | None, model: LinearModel) -> tuple[str | None, list[int] | None]:
    """Return the field to answer in, None for the plain label, and which labels the schema leaves, None for all."""
    if wanted is None or wanted.type == "text":
        return None, None
    field = model.header.field
    if wanted.type == "json_object":
        return field, None
    schema = {} if wanted.json_schema is None else wanted.json_schema.schema
    fields, required = schema.get("properties"), schema.get("required", [])
    if (
        not isinstance(fields, dict)
        or field not in fields
        or not isinstance(required, list)
        or {*map(str, required)} - {field}
    ):
        raise Unanswerable(
            f"this linear model answers in one field, {field!r}, and the schema is another", param="response_format"
        )
    row = fields[field] if isinstance(fields[field], dict) else {}
    if not isinstance(row.get("enum"), list):
        return field, None
    among = [at for at, label in enumerate(model.header.labels) if label in row["enum"]]
    if not among:
        some = ", ".join(map(repr, model.header.labels[:_MOST_NAMED]))
        told = (
            f"the schema allows none of the {len(model.header.labels)} labels that this linear model knows ({some}, …)"
        )
        raise Unanswerable(told, param="response_format")
    return field, among


def _tokens(model: LinearModel, text: str, field: str | None, among: list[int] | None, most: int) -> list[_Token]:
    """Spell the likeliest label; the punctuation of JSON is certain."""
    labels = model.header.labels if among is None else [model.header.labels[at] for at in among]
    written = labels if field is None else [msgspec.json.encode(label).decode()[1:-1] for label in labels]
    logprobs = model.logprobs(text, among)
    order = np.argsort(-logprobs, kind="stable")[: max(1, most)]
    told = [(written[at], float(logprobs[at])) for at in order]
    label = _Token(*told[0], tuple(told[:most]))
    if field is None:
        return [label]
    ends = ("{" + msgspec.json.encode(field).decode() + ': "', '"}')
    before, after = (_Token(end, 0.0, ((end, 0.0),) if most else ()) for end in ends)
    return [before, label, after]


def _cut(asked: _Asked, tokens: list[_Token]) -> tuple[list[_Token], Finish]:
    """End the answer where the caller wants it to end."""
    room = min(filter(None, (asked.max_tokens, asked.max_completion_tokens)), default=len(tokens))
    finish: Finish = "length" if room < len(tokens) else "stop"
    tokens = tokens[:room]
    whole = "".join(token.text for token in tokens)
    marks = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    end = min((at for mark in marks if mark and (at := whole.find(mark)) >= 0), default=None)
    if end is None:
        return tokens, finish
    kept, at = [], 0
    for token in tokens:
        kept += [msgspec.structs.replace(token, text=token.text[: end - at])] if at < end else []
        at += len(token.text)
    return kept, "stop"


def _told(asked: _Asked, tokens: list[_Token]) -> dict[str, Any] | None:
    if not asked.logprobs:
        return None
    content = [
        {**_logprob(one.text, one.logprob), "top_logprobs": [_logprob(*other) for other in one.others]}
        for one in tokens
    ]
    return {"content": content, "refusal": None}


def _logprob(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def _events(
    asked: _Asked, base: dict[str, Any], tokens: list[_Token], finish: Finish, usage: dict[str, int]
) -> Iterator[bytes]:
    """Give the events of a stream, one for each token."""
    base = {**base, "object": "chat.completion.chunk"}

    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        return b"data: " + msgspec.json.encode({**base, "choices": choices, **more}) + b"\n\n"

    for token in tokens:
        delta = {"role": "assistant", "content": token.text}
        yield event([{"index": 0, "delta": delta, "logprobs": _told(asked, [token]), "finish_reason": None}])
    yield event([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish}])
    if asked.stream_options is not None and asked.stream_options.include_usage:
        yield event([], usage=usage)
    yield b"data: [DONE]\n\n"
