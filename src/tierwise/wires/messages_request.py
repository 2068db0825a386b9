"""What does a Messages caller ask, and what is sent on?

Invariant: the body that is judged is the body that is sent; only the members named in `splice_request` change.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tierwise.core.call import Call, Features, Hints, Part
from tierwise.wires.hints import metadata_hints, without_hints
from tierwise.wires.messages_parts import READ_FIELDS, gather
from tierwise.wires.messages_seals import THINKING, WIRE, readable, without_clearing
from tierwise.wires.messages_shape import Request, read_shape
from tierwise.wires.schema import check_schemas, unread_schemas
from tierwise.wires.splice import Span, edit, members, mentions, parse, value_of
from tierwise.wires.tokens import tokens_upper
from tierwise.wires.wire import EncodedRequest, Recipient

VERSION = ("anthropic-version", "2023-06-01")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def decode_request(body: bytes, hints: Hints = Hints(), *, counting: bool = False) -> Call:
    """Read a caller's body. `hints` come from headers and win over those in `metadata`; of two labels the higher.

    Raises `InvalidCall` with `param` and `code`; the text never repeats more than a field's name.
    """
    tree = parse(body)
    request = read_shape(tree, counting=counting)
    found = gather(request, tree)
    schema, place = _answer_schema(request)
    _check_schemas(request, tree, schema, place)
    schema_text = "" if schema is None else _encode(schema).decode()
    if schema_text:
        found.parts.append(Part(kind="schema", path=place, text=schema_text))
    return Call(
        wire=WIRE,
        body=body,
        model=request.model,
        parts=tuple(found.parts),
        features=Features(
            input_tokens_est=found.tokens,
            schema_tokens_est=tokens_upper(schema_text),
            max_output_tokens=request.max_tokens,
            tools=len(request.tools or ()),
            images=found.images,
            files=found.files,
            schema=schema is not None,
            json=schema is not None,
            stream=bool(request.stream),
        ),
        hints=metadata_hints(request.metadata, over=hints),
        stream=bool(request.stream),
        include_usage=True,
        json_schema=schema,
        tools={tool.name: tool.input_schema for tool in request.tools or () if tool.name and tool.input_schema},
        answers=_answered(request),
    )


def splice_request(call: Call, to: Recipient) -> EncodedRequest:
    """Put what this endpoint needs into the caller's bytes: the served name, and only thinking that it can read.

    Hints in `metadata` are taken out; nothing else changes.
    """
    body = call.body
    spans = members(body)
    put: dict[str, bytes] = {"model": _encode(to.served_name)}
    drop: set[str] = set()
    dropped: tuple[str, ...] = ()
    if to.stream != call.stream:
        put["stream"] = _encode(to.stream)
    if mentions(body, THINKING):
        mended = readable(value_of(body, spans, "messages"), to)
        if mended is not None:
            put["messages"] = mended.messages
            dropped = ("thinking",) if mended.cut else ()
            if mended.loop and call.answers:
                _without_thinking(body, spans, put, drop)
    without_hints(value_of(body, spans, "metadata"), put, drop)
    edited = edit(body, put=put, drop=drop, spans=spans)
    return EncodedRequest(path="/messages", body=edited, dropped=dropped, headers=headers_of(call.headers))


def headers_of(given: tuple[tuple[str, str], ...] = ()) -> tuple[tuple[str, str], ...]:
    """Return the headers that an endpoint of this wire wants, the caller's own first."""
    return given if any(name == VERSION[0] for name, _ in given) else (*given, VERSION)


def _without_thinking(body: bytes, spans: Mapping[str, Span], put: dict[str, bytes], drop: set[str]) -> None:
    """Turn manual thinking off: inside a tool loop it wants the thinking before the call, which has been cut."""
    thinking = _decode(value_of(body, spans, "thinking"))
    if not isinstance(thinking, dict) or thinking.get("type") != "enabled":
        return
    drop.add("thinking")
    management = value_of(body, spans, "context_management")
    if b"clear_thinking" in management:
        left = without_clearing(management)
        if left is None:
            drop.add("context_management")
        else:
            put["context_management"] = left


def _answered(request: Request) -> tuple[str, ...]:
    """Return the calls that the user's last turn answers: there are some only inside a tool loop."""
    ids: list[str] = []
    for message in reversed(request.messages):
        if message.role == "assistant":
            break
        if message.role == "user" and not isinstance(message.content, str):
            answered = [block.tool_use_id for block in message.content if block.type == "tool_result"]
            ids = [ident for ident in answered if ident] + ids
    return tuple(ids)


def _answer_schema(request: Request) -> tuple[dict[str, Any] | None, str]:
    if request.output_config is not None and request.output_config.format is not None:
        return request.output_config.format.schema, "output_config.format"
    if request.output_format is not None:
        return request.output_format.schema, "output_format"
    return None, ""


def _check_schemas(request: Request, tree: dict[str, Any], schema: dict[str, Any] | None, place: str) -> None:
    """Check every place where an engine takes a schema or a pattern, published or its own."""
    places: list[tuple[str, Any]] = [] if schema is None else [(place, schema)]
    for index, tool in enumerate(request.tools or ()):
        if tool.input_schema:
            places.append((f"tools[{index}].input_schema", tool.input_schema))
    check_schemas(places + unread_schemas(tree, READ_FIELDS))
