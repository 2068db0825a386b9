"""Which shape has a Responses request? The types and ranges that are checked before anything is routed.

Source: OpenAI's published API description (Responses, read 2026-11). Fields and items that are not named here are the
endpoint's business: they pass unread, but never unseen by the detectors (`responses_parts`).
"""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tierwise.core.errors import InvalidCall
from tierwise.wires.media import is_base64
from tierwise.wires.shape import check_name, shaped, wrong

Tokens = Annotated[int, Meta(ge=1, le=10_000_000)]


class Content(msgspec.Struct):
    """One part of a message's content or of a tool's output; only the fields that `type` names are looked at."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None


class Item(msgspec.Struct):
    """One item of the input: a message (whose type may be left out), a call, its output, reasoning, or any other."""

    type: str = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: str | list[Any] | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    output: Any = None
    summary: list[Any] | None = None
    encrypted_content: str | None = None


class Grammar(msgspec.Struct):
    """How the input of a free-form tool is written."""

    type: str = "text"
    syntax: str | None = None
    definition: str | None = None


class Tool(msgspec.Struct):
    """A tool: a function, a free-form one (`custom`), or one that the endpoint runs."""

    type: str
    name: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    format: Any = None


class Format(msgspec.Struct):
    """How the answer is written."""

    type: str
    name: str | None = None
    schema: dict[str, Any] | None = None


class TextConfig(msgspec.Struct):
    """What is asked of the text of the answer."""

    format: Format | None = None
    verbosity: str | None = None


class Reasoning(msgspec.Struct):
    """How much to think, and what of it to tell."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: str | None = None


class Request(msgspec.Struct):
    """The body, as far as it is read by name."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    input: str | Annotated[list[Item], Meta(min_length=1, max_length=100_000)]
    instructions: str | None = None
    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    prompt: Any = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    max_output_tokens: Tokens | None = None
    parallel_tool_calls: bool | None = None
    include: list[str] | None = None
    tools: Annotated[list[Tool], Meta(max_length=2048)] | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    metadata: dict[str, Any] | None = None


_NEEDED = {
    "message": ("role", "content"),
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id", "output"),
    "custom_tool_call": ("call_id", "name", "input"),
    "custom_tool_call_output": ("call_id", "output"),
}
_NOT_HERE = {
    "background": "is not offered here: ask without it, and stream where the answer takes long",
    "conversation": "is state of another server; send the input, or previous_response_id",
    "prompt": "is state of another server; send the instructions and the input",
}
_INLINE = re.compile(r"data:[^,]*;base64,", re.IGNORECASE)
CALLS = frozenset(("function_call", "custom_tool_call"))
OUTPUTS = frozenset(("function_call_output", "custom_tool_call_output"))


def read_shape(tree: dict[str, Any]) -> Request:
    """Convert a parsed body. Raises `InvalidCall` whose `param` is the path of the first field that is wrong.

    What the body only refers to (`previous_response_id`, `item_reference`) must stand in the input already.
    """
    request = shaped(tree, Request)
    for name, why in _NOT_HERE.items():
        if getattr(request, name):
            raise wrong(name, why)
    if request.previous_response_id is not None:
        raise unknown_response(request.previous_response_id)
    check_name(request.model)
    if isinstance(request.input, list):
        _check_items(request.input)
    for index, tool in enumerate(request.tools or ()):
        if tool.type in ("function", "custom") and tool.name is None:
            raise wrong(f"tools[{index}].name", "is required")
        if tool.type == "custom" and tool.format is not None:
            shaped(tool.format, Grammar, place=f"tools[{index}].format")
    wanted = request.text.format if request.text is not None else None
    if wanted is not None and wanted.type == "json_schema" and wanted.schema is None:
        raise wrong("text.format.schema", "is required")
    return request


def unknown_response(ident: str) -> InvalidCall:
    """Make the error for an earlier answer that is not known here."""
    return InvalidCall(
        f"previous_response_id: there is no response {ident[:64]!a} here (any more): it was not stored, it expired, or"
        " Tierwise was restarted since. Send the whole input instead.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def unknown_item(path: str, ident: str) -> InvalidCall:
    """Make the error for an item that is only named, and not known here: endpoints are told to store nothing."""
    return InvalidCall(
        f"{path}: there is no item {ident[:64]!a} here (any more). Send the item itself instead.",
        param=path,
        code="item_not_found",
    )


def _check_items(items: list[Item]) -> None:
    """Check each item, and that an output answers a call before it."""
    called: set[str] = set()
    for index, item in enumerate(items):
        path = f"input[{index}]"
        for name in _NEEDED.get(item.type, ()):
            if getattr(item, name) is None:
                raise wrong(f"{path}.{name}", "is required")
        match item.type:
            case "item_reference":
                raise unknown_item(f"{path}.id", item.id or "")
            case "message" if item.content == [] and item.role == "user":
                raise wrong(f"{path}.content", "must not be empty")
            case "message" | "reasoning":
                _check_content(item.content or [], f"{path}.content")
                _check_content(item.summary or [], f"{path}.summary")
            case "function_call" | "custom_tool_call":
                called.add(item.call_id or "")
            case "function_call_output" | "custom_tool_call_output":
                if item.call_id not in called:
                    raise wrong(f"{path}.call_id", "must answer a call before it")
                if isinstance(item.output, list):
                    _check_content(item.output, f"{path}.output")


def _check_content(content: str | list[Any], path: str) -> None:
    if isinstance(content, str):
        return
    for index, raw in enumerate(content):
        part = shaped(raw, Content, place=f"{path}[{index}]")
        if part.type in ("input_text", "output_text") and part.text is None:
            raise wrong(f"{path}[{index}].text", "is required")
        for name in ("image_url", "file_data"):
            data = getattr(part, name)
            if data is not None and _INLINE.match(data) and not is_base64(data.partition(",")[2]):
                raise wrong(f"{path}[{index}].{name}", "is not base64")
