"""What does a Messages caller ask, and what is sent on?

Invariant: the body that is judged is the body that is sent; only the members named in `splice_request` change.
"""

from typing import Any

import msgspec

from tierwise.core.call import Call, Features, Hints, Part
from tierwise.core.conversation import Seal
from tierwise.wires.hints import PREFIX, read_hints, without_hints
from tierwise.wires.messages_parts import gather
from tierwise.wires.messages_shape import Request, read_shape
from tierwise.wires.schema import check_schemas
from tierwise.wires.seals import fits, open_seal
from tierwise.wires.splice import edit, members, parse, value_of
from tierwise.wires.tokens import tokens_upper
from tierwise.wires.wire import EncodedRequest, Recipient

WIRE = "messages"
VERSION = ("anthropic-version", "2023-06-01")
SIGNED, REDACTED = "signed:", "redacted:"
"""How a seal of this wire begins: what follows is a signature, or redacted thinking."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def decode_request(body: bytes, hints: Hints = Hints(), *, counting: bool = False) -> Call:
    """Read a caller's body. `hints` come from headers and win over those in `metadata`; of two labels the higher.

    Raises `InvalidCall` with `param` and `code`; the text never repeats more than a field's name.
    """
    tree = parse(body)
    request = read_shape(tree, counting=counting)
    found = gather(request, tree)
    schema, place = _answer_schema(request)
    _check_schemas(request, schema, place)
    schema_text = "" if schema is None else _encode(schema).decode()
    if schema_text:
        found.parts.append(Part(kind="schema", path=place, text=schema_text))
    said = [(name, value) for name, value in (request.metadata or {}).items() if name.startswith(PREFIX)]
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
        hints=read_hints(said, over=hints, place="metadata.") if said else hints,
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
    if b"thinking" in body:
        readable = _readable(value_of(body, spans, "messages"), to)
        if readable is not None:
            put["messages"], dropped = readable, ("thinking",)
            if call.answers and "thinking" in spans:
                # Inside a tool loop the wire wants the thinking before the call, or none at all.
                put["thinking"] = b'{"type":"disabled"}'
    without_hints(value_of(body, spans, "metadata"), put, drop)
    edited = edit(body, put=put, drop=drop, spans=spans)
    return EncodedRequest(path="/messages", body=edited, dropped=dropped, headers=headers_of(call.headers))


def headers_of(given: tuple[tuple[str, str], ...] = ()) -> tuple[tuple[str, str], ...]:
    """Return the headers that an endpoint of this wire wants, the caller's own first."""
    return given if any(name == VERSION[0] for name, _ in given) else (*given, VERSION)


def seal_of(block: dict[str, Any]) -> Seal | None:
    """Return the seal of a thinking block: from its envelope, else that of an endpoint nobody knows any more."""
    if block["type"] == "redacted_thinking":
        return open_seal(block["data"]) or Seal(wire=WIRE, data=REDACTED + block["data"])
    if not block.get("signature"):
        return None
    return open_seal(block["signature"]) or Seal(wire=WIRE, data=SIGNED + block["signature"])


def _readable(messages: bytes, to: Recipient) -> bytes | None:
    """Return the messages without thinking that this endpoint cannot read; None where it can read all of it."""
    changed = False
    kept: list[bytes] = []
    for raw in _decode_list(messages):
        data = bytes(raw)
        mended = _readable_message(data, to) if b"thinking" in data else data
        changed = changed or mended is not data
        if mended:
            kept.append(mended)
    return b"[" + b",".join(kept) + b"]" if changed else None


def _readable_message(message: bytes, to: Recipient) -> bytes:
    spans = members(message)
    content = value_of(message, spans, "content")
    if content[:1] != b"[" or value_of(message, spans, "role") != b'"assistant"':
        return message
    kept: list[bytes] = []
    changed = False
    for raw in _decode_list(content):
        block = _decode(raw)
        if block.get("type") not in ("thinking", "redacted_thinking"):
            kept.append(bytes(raw))
            continue
        seal = seal_of(block)
        field = "signature" if block["type"] == "thinking" else "data"
        if to.unseal or not fits(seal, WIRE, to.endpoint):
            changed = True
        elif open_seal(block[field]) is not None and seal is not None:
            kept.append(edit(bytes(raw), put={field: _encode(seal.data.partition(":")[2])}))
            changed = True
        else:
            kept.append(bytes(raw))
    if not changed:
        return message
    return edit(message, put={"content": b"[" + b",".join(kept) + b"]"}, spans=spans) if kept else b""


def _answered(request: Request) -> tuple[str, ...]:
    """Return the calls that the last message answers: there are some only inside a tool loop."""
    last = request.messages[-1]
    if last.role != "user" or isinstance(last.content, str):
        return ()
    return tuple(block.tool_use_id for block in last.content if block.type == "tool_result" and block.tool_use_id)


def _answer_schema(request: Request) -> tuple[dict[str, Any] | None, str]:
    if request.output_config is not None and request.output_config.format is not None:
        return request.output_config.format.schema, "output_config.format"
    if request.output_format is not None:
        return request.output_format.schema, "output_format"
    return None, ""


def _check_schemas(request: Request, schema: dict[str, Any] | None, place: str) -> None:
    places: list[tuple[str, Any]] = [] if schema is None else [(place, schema)]
    for index, tool in enumerate(request.tools or ()):
        if tool.input_schema:
            places.append((f"tools[{index}].input_schema", tool.input_schema))
    if places:
        check_schemas(places)
