"""What does a Chat Completions caller ask, and what is sent on?

Invariant: the body that is judged is the body that is sent; only the members named in `splice_request` change.
"""

from typing import Any

import msgspec

from tierwise.core.call import Call, Features, Hints, Part
from tierwise.core.errors import InvalidCall
from tierwise.wires.chat_parts import READ_FIELDS, gather
from tierwise.wires.chat_shape import Request, read_shape
from tierwise.wires.hints import metadata_hints, without_hints
from tierwise.wires.schema import check_schemas, unread_schemas
from tierwise.wires.splice import edit, elements, members, parse, replaced, value_of
from tierwise.wires.tokens import tokens_upper
from tierwise.wires.wire import EncodedRequest, Recipient

WIRE = "chat"
_encode = msgspec.json.Encoder().encode


def decode_request(body: bytes, hints: Hints = Hints()) -> Call:
    """Read a caller's body. `hints` come from headers and win over those in `metadata`; of two labels the higher.

    Raises `InvalidCall` with `param` and `code`; the text never repeats more than a field's name.
    """
    tree = parse(body)
    request = read_shape(tree)
    found = gather(request, tree)
    schema = _answer_schema(request)
    _check_schemas(request, tree)
    schema_text = _encode(tree["response_format"]).decode() if request.response_format else ""
    if schema_text:
        found.parts.append(Part(kind="schema", path="response_format", text=schema_text))
    return Call(
        wire=WIRE,
        body=body,
        model=request.model,
        parts=tuple(found.parts),
        features=Features(
            input_tokens_est=found.tokens,
            schema_tokens_est=tokens_upper(schema_text),
            max_output_tokens=request.max_completion_tokens or request.max_tokens,
            tools=len(request.tools or ()),
            images=found.images,
            files=found.files,
            schema=schema is not None,
            json=request.response_format is not None and request.response_format.type in {"json_object", "json_schema"},
            stream=bool(request.stream),
            logprobs=bool(request.logprobs),
            n=request.n or 1,
        ),
        hints=metadata_hints(request.metadata, over=hints),
        stream=bool(request.stream),
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
        json_schema=schema,
        tools={tool.function.name: tool.function.parameters or {} for tool in request.tools or () if tool.function},
        answers=_answered(request),
    )


def splice_request(call: Call, to: Recipient) -> EncodedRequest:
    """Put what this endpoint needs into the caller's bytes: the served name, usage in the stream, log-probabilities.

    Hints in `metadata` go out, and descriptions of tools that are null: engines refuse those. Where nothing may be
    stored, so does the wish to (its default: https://platform.openai.com/docs/api-reference/chat/create, 2026-11).
    """
    body = call.body
    spans = members(body)
    put: dict[str, bytes] = {"model": _encode(to.served_name)}
    drop: set[str] = set()
    if to.stream and not call.stream:
        put["stream"] = b"true"
    elif call.stream and not to.stream:
        drop |= {"stream", "stream_options"}
    if to.stream and not call.include_usage:
        options = value_of(body, spans, "stream_options")
        put["stream_options"] = edit(b"{}" if options == b"null" else options, put={"include_usage": b"true"})
    if to.logprobs and not call.features.logprobs:
        put["logprobs"] = b"true"
    tools = value_of(body, spans, "tools")
    if tools[:1] == b"[" and b"null" in tools:
        put["tools"] = _without_nulls(tools)
    without_hints(value_of(body, spans, "metadata"), put, drop)
    kept = to.no_store and value_of(body, spans, "store") not in (b"null", b"false")
    if kept:
        drop.add("store")
    edited = edit(body, put=put, drop=drop, spans=spans)
    return EncodedRequest(path="/chat/completions", body=edited, dropped=("store",) if kept else ())


def _without_nulls(tools: bytes) -> bytes:
    """Take out descriptions that are null: to say nothing is the same, and every engine can read it."""
    mended: list[bytes | None] = []
    for start, end in elements(tools):
        tool = tools[start:end]
        function = value_of(tool, members(tool), "function") if b"null" in tool else b""
        if function[:1] == b"{":
            spans = members(function)
            if value_of(function, spans, "description") == b"null" and "description" in spans:
                function = edit(function, drop={"description"}, spans=spans)
                tool = edit(tool, put={"function": function})
        mended.append(tool)
    return replaced(tools, mended)


def _answered(request: Request) -> tuple[str, ...]:
    """Return the calls that the last messages answer: there are some only inside a tool loop."""
    ids: list[str] = []
    for message in reversed(request.messages):
        if message.role != "tool":
            break
        ids.append(message.tool_call_id or "")
    return tuple(reversed(ids))


def _answer_schema(request: Request) -> dict[str, Any] | None:
    wanted = request.response_format
    if wanted is None:
        return None
    if wanted.type == "json_schema" and wanted.json_schema is None:
        raise InvalidCall(
            "response_format.json_schema: is required.", param="response_format.json_schema", code="invalid_value"
        )
    return wanted.json_schema.schema if wanted.json_schema is not None else wanted.schema


def _check_schemas(request: Request, tree: dict[str, Any]) -> None:
    """Check every place where an engine takes a schema or a pattern, published or its own."""
    places: list[tuple[str, Any]] = []
    if request.response_format is not None:
        places.append(("response_format", tree["response_format"]))
    for index, tool in enumerate(request.tools or ()):
        if tool.function is not None and tool.function.parameters:
            places.append((f"tools[{index}].function.parameters", tool.function.parameters))
    check_schemas(places + unread_schemas(tree, READ_FIELDS))
