"""What does a Responses caller ask, and what is sent on?

The state behind `previous_response_id` is Tierwise's own: `with_history` puts it into the input before anything else
reads the body, and endpoints are told to store nothing.
Invariant: the body that is judged is the body that is sent; only the members named in `splice_request` change.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from tierwise.core.call import Call, Features, Hints, Part
from tierwise.core.errors import BadReply
from tierwise.wires.hints import metadata_hints, without_hints
from tierwise.wires.responses_parts import READ_FIELDS, gather
from tierwise.wires.responses_sealed import WIRE, readable
from tierwise.wires.responses_shape import CALLS, OUTPUTS, Request, read_shape
from tierwise.wires.schema import check_schemas, unread_schemas
from tierwise.wires.splice import edit, members, mentions, parse, value_of
from tierwise.wires.stream import spans_of
from tierwise.wires.tokens import tokens_upper
from tierwise.wires.wire import EncodedRequest, Recipient

ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS_ASKED = "message.output_text.logprobs"
CUSTOM_SCHEMA: dict[str, Any] = {
    "type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"], "additionalProperties": False,
}  # fmt: skip
"""What stands for a free-form tool at endpoints that only know functions."""
_CALLABLE = ("function", "custom")


class _Item(msgspec.Struct):
    id: Any = None


class _Response(msgspec.Struct):
    id: str
    output: list[_Item]
    status: str = "completed"


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_decode_response = msgspec.json.Decoder(_Response).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def decode_request(body: bytes, hints: Hints = Hints()) -> Call:
    """Read a caller's body. `hints` come from headers and win over those in `metadata`; of two labels the higher.

    Raises `InvalidCall` with `param` and `code`; the text never repeats more than a field's name.
    """
    tree = parse(body)
    request = read_shape(tree)
    found = gather(request, tree)
    wanted = request.text.format if request.text is not None else None
    schema = wanted.schema if wanted is not None and wanted.type == "json_schema" else None
    _check_schemas(tree, schema)
    schema_text = "" if wanted is None or wanted.type == "text" else _encode(tree["text"]["format"]).decode()
    if schema_text:
        found.parts.append(Part(kind="schema", path="text.format", text=schema_text))
    return Call(
        wire=WIRE,
        body=body,
        model=request.model,
        parts=tuple(found.parts),
        features=Features(
            input_tokens_est=found.tokens,
            schema_tokens_est=tokens_upper(schema_text),
            max_output_tokens=request.max_output_tokens,
            tools=len(request.tools or ()),
            images=found.images,
            files=found.files,
            schema=schema is not None,
            json=bool(schema_text),
            stream=bool(request.stream),
            logprobs=bool(request.top_logprobs) or LOGPROBS_ASKED in (request.include or ()),
        ),
        hints=metadata_hints(request.metadata, over=hints),
        stream=bool(request.stream),
        include_usage=True,
        json_schema=schema,
        tools=_offered(tree),
        answers=_answered(request),
    )


def splice_request(call: Call, to: Recipient) -> EncodedRequest:
    """Put what this endpoint needs into the caller's bytes: the served name, no storing, only readable reasoning.

    Hints in `metadata` are taken out; nothing else changes.
    """
    body = call.body
    spans = members(body)
    put: dict[str, bytes] = {"model": _encode(to.served_name)}
    drop: set[str] = set()
    if to.stream != call.stream:
        put["stream"] = _encode(to.stream)
    if call.stream and not to.stream:
        drop.add("stream_options")
    if value_of(body, spans, "store") != b"false":
        put["store"] = b"false"
        if "thinking" in to.capabilities:
            _ask_for_reasoning(value_of(body, spans, "include"), put)
    given = value_of(body, spans, "input")
    put["input"], cut = readable(given, to)
    without_hints(value_of(body, spans, "metadata"), put, drop)
    return EncodedRequest(
        path="/responses", body=edit(body, put=put, drop=drop, spans=spans), dropped=("reasoning",) if cut else ()
    )


def custom_tools(body: bytes) -> frozenset[str]:
    """Return the names of the free-form tools that a body offers."""
    tools = _decode(value_of(body, members(body), "tools")) if mentions(body, b"custom") else None
    return frozenset(tool["name"] for tool in tools or () if tool.get("type") == "custom")


# state


def previous_of(body: bytes) -> str | None:
    """Return the id of the answer that a body builds on."""
    if not mentions(body, b"previous_response_id"):
        return None
    found = parse(body).get("previous_response_id")
    return found if isinstance(found, str) else None


def with_history(body: bytes, items: Iterable[bytes]) -> bytes:
    """Put stored items before the input of a body that `previous_of` has read, in place of the reference to them."""
    spans = members(body)
    given = b"[" + b",".join((*items, *items_of(body))) + b"]"
    return edit(body, put={"input": given}, drop={"previous_response_id"}, spans=spans)


def with_references(body: bytes, lookup: Callable[[str], bytes | None]) -> bytes:
    """Put stored items in place of those that only name them; an unknown one stays, for `decode_request` to refuse.

    Raises `InvalidCall` for a body that cannot be read.
    """
    if not mentions(body, b"item_reference") or not isinstance(parse(body).get("input"), list):
        return body
    changed = False
    items = []
    for item in items_of(body):
        found = _referred(item, lookup) if b'"item_reference"' in item else None
        changed = changed or found is not None
        items.append(item if found is None else found)
    return edit(body, put={"input": b"[" + b",".join(items) + b"]"}) if changed else body


def items_of(body: bytes) -> list[bytes]:
    """Return the input of a body as items; what is none stays in, so that the body is refused for it."""
    given = value_of(body, members(body), "input")
    if given[:1] == b'"':
        return [b'{"type":"message","role":"user","content":%b}' % given]
    if given[:1] == b"[":
        return [bytes(raw) for raw in _decode_list(given)]
    return [] if given == b"null" else [given]


def output_of(response: bytes) -> tuple[str, dict[str, bytes], bytes]:
    """Return id, output items by their own ids (in order), and status of a complete response; no id if it is none."""
    try:
        told, spans = _decode_response(response), spans_of(response)
    except (msgspec.DecodeError, BadReply):
        return "", {}, b"null"
    items = {item.id if isinstance(item.id, str) else str(place): place for place, item in enumerate(told.output)}
    raws = _decode_list(value_of(response, spans, "output"))
    return told.id, {name: bytes(raws[place]) for name, place in items.items()}, _encode(told.status)


def _referred(item: bytes, lookup: Callable[[str], bytes | None]) -> bytes | None:
    value = _decode(item)
    if not isinstance(value, dict) or value.get("type") != "item_reference":
        return None
    ident = value.get("id")
    return lookup(ident) if isinstance(ident, str) else None


# details


def _ask_for_reasoning(include: bytes, put: dict[str, bytes]) -> None:
    """Ask for reasoning in a form that can be sent again: what is not stored there cannot be referred to."""
    asked = _decode(include) or []
    if ENCRYPTED not in asked:
        put["include"] = _encode([*asked, ENCRYPTED])


def _offered(tree: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what the model may call by name, wherever it is offered; two tools of one name promise nothing."""
    later = [item["tools"] for item in tree["input"] if item.get("tools")] if isinstance(tree["input"], list) else []
    offered: dict[str, dict[str, Any]] = {}
    for tools in (tree.get("tools"), *later):
        for _, tool in _callable(tools, ""):
            given = tool.get("parameters")
            schema = CUSTOM_SCHEMA if tool["type"] == "custom" else given if isinstance(given, dict) else {}
            offered[tool["name"]] = schema if offered.get(tool["name"], schema) == schema else {}
    return offered


def _callable(tools: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield functions and free-form tools with their places, those in namespaces too."""
    for index, tool in enumerate(tools if isinstance(tools, list) else ()):
        place = f"{path}[{index}]"
        if isinstance(tool, dict) and tool.get("type") == "namespace":
            yield from _callable(tool.get("tools"), f"{place}.tools")
        elif isinstance(tool, dict) and tool.get("type") in _CALLABLE and isinstance(tool.get("name"), str):
            yield place, tool


def _answered(request: Request) -> tuple[str, ...]:
    """Return the calls that the last items answer: there are some only inside a tool loop."""
    ids: list[str] = []
    for item in reversed(request.input if isinstance(request.input, list) else ()):
        if item.type in OUTPUTS and item.call_id is not None:
            ids.append(item.call_id)
        elif (item.type not in CALLS and item.type != "reasoning") or ids:
            break
    return tuple(reversed(ids))


def _check_schemas(tree: dict[str, Any], schema: dict[str, Any] | None) -> None:
    """Check every place where an engine takes a schema or a pattern, published or its own."""
    places: list[tuple[str, Any]] = [] if schema is None else [("text.format.schema", schema)]
    for path, tool in _callable(tree.get("tools"), "tools"):
        form = tool.get("format")
        if tool.get("parameters"):
            places.append((f"{path}.parameters", tool["parameters"]))
        if isinstance(form, dict) and form.get("syntax") == "regex":
            places.append((f"{path}.format", {"pattern": form.get("definition")}))
    check_schemas(places + unread_schemas(tree, READ_FIELDS))
