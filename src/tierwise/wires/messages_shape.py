"""Which shape has a Messages request? The types and ranges that are checked before anything is routed.

Source: Anthropic's published API reference (Messages, read 2026-11). Fields and blocks that are not named here are the
endpoint's business: they pass unread, but never unseen by the detectors (`messages_parts`).
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tierwise.wires.media import is_base64
from tierwise.wires.shape import check_name, shaped, wrong

Tokens = Annotated[int, Meta(ge=1, le=10_000_000)]
Limit = Annotated[int, Meta(ge=0, le=10_000_000)]
"""None at all: the prompt cache is to be filled, and nothing said."""
Unit = Annotated[float, Meta(ge=0, le=1)]


class Source(msgspec.Struct):
    """Where a picture or document comes from: base64 with a media type, an address, plain text, or blocks."""

    type: str
    media_type: Annotated[str, Meta(max_length=100)] | None = None
    data: str | None = None
    url: str | None = None
    content: Any = None


class Block(msgspec.Struct):
    """One block of content; only the fields that `type` names are looked at."""

    type: str
    text: str | None = None
    source: Any = None
    title: str | None = None
    context: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None
    tool_use_id: str | None = None
    content: Any = None
    is_error: bool | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class Message(msgspec.Struct):
    """One turn."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class Tool(msgspec.Struct):
    """A tool of the caller's (`input_schema`), or one that the server runs (named by `type`)."""

    name: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None


class ToolChoice(msgspec.Struct):
    """Which tools are to be called."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(msgspec.Struct):
    """How much to think: a budget (`enabled`), as the model likes (`adaptive`), or not at all (`disabled`)."""

    type: str
    budget_tokens: Tokens | None = None


class Format(msgspec.Struct):
    """The JSON that the answer has to be."""

    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfig(msgspec.Struct):
    """How the answer is to be: its format, and the effort put into it."""

    format: Format | None = None
    effort: str | None = None


class Request(msgspec.Struct):
    """The body, as far as it is read by name."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    messages: Annotated[list[Message], Meta(min_length=1, max_length=100_000)]
    max_tokens: Limit | None = None
    system: str | list[Block] | None = None
    stream: bool | None = None
    temperature: Unit | None = None
    top_p: Unit | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=1024)] | None = None
    tools: Annotated[list[Tool], Meta(max_length=2048)] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: Format | None = None
    metadata: dict[str, Any] | None = None


_NEEDED = {
    "text": ("text",),
    "image": ("source",),
    "document": ("source",),
    "tool_use": ("id", "name"),
    "tool_result": ("tool_use_id",),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
}
_SOURCES = {"base64": "data", "url": "url", "text": "data", "content": "content"}
_ASSISTANTS = frozenset(("tool_use", "thinking", "redacted_thinking"))
"""Blocks that only the assistant says, and nobody inside of a result."""


def read_shape(tree: dict[str, Any], *, counting: bool = False) -> Request:
    """Convert a parsed body. Raises `InvalidCall` whose `param` is the path of the first field that is wrong.

    A request that only counts tokens has no limit on the answer.
    """
    request = shaped(tree, Request)
    if request.max_tokens is None and not counting:
        raise wrong("max_tokens", "is required")
    check_name(request.model)
    if isinstance(request.system, list):
        _check_blocks(request.system, "system", frozenset(("text",)))
    _check_turns(request.messages)
    if request.metadata is not None and not isinstance(request.metadata.get("user_id"), str | None):
        raise wrong("metadata.user_id", "must be text")
    if request.output_format is not None and request.output_config is not None and request.output_config.format:
        raise wrong("output_format", "must not stand beside output_config.format")
    if request.tool_choice is not None and request.tool_choice.type == "tool" and not request.tool_choice.name:
        raise wrong("tool_choice.name", "is required")
    for index, tool in enumerate(request.tools or ()):
        if tool.type in (None, "custom") and (tool.name is None or tool.input_schema is None):
            raise wrong(f"tools[{index}].{'name' if tool.name is None else 'input_schema'}", "is required")
    return request


def _check_turns(messages: list[Message]) -> None:
    """Check the blocks of each turn, and that a tool result answers a call of the assistant's turn before it.

    Messages of one role that follow each other are one turn; those of the system stand between turns.
    """
    called: set[str] = set()
    calling = False
    for index, message in enumerate(messages):
        path = f"messages[{index}].content"
        if message.role == "assistant" and not calling:
            called = set()
        calling = message.role == "assistant" or (calling and message.role == "system")
        if not message.content and not (message.role == "assistant" and index == len(messages) - 1):
            raise wrong(path, "must not be empty")
        if isinstance(message.content, str):
            continue
        _check_blocks(message.content, path)
        for place, block in enumerate(message.content):
            if block.type in _ASSISTANTS and message.role != "assistant":
                raise wrong(f"{path}[{place}].type", "is a block that only the assistant writes")
            if block.type == "tool_use" and block.id:
                called.add(block.id)
            elif block.type == "tool_result" and (message.role != "user" or block.tool_use_id not in called):
                raise wrong(f"{path}[{place}].tool_use_id", "must answer a tool_use of the assistant's turn before")


def _check_blocks(blocks: list[Block], path: str, allowed: frozenset[str] | None = None) -> None:
    for index, block in enumerate(blocks):
        place = f"{path}[{index}]"
        if allowed is not None and block.type not in allowed:
            raise wrong(f"{place}.type", f"must be {' or '.join(sorted(allowed))}")
        for name in _NEEDED.get(block.type, ()):
            if getattr(block, name) is None:
                raise wrong(f"{place}.{name}", "is required")
        match block.type:
            case "image" | "document":
                _check_source(block.source, f"{place}.source")
            case "tool_use" if not isinstance(block.input, dict):
                raise wrong(f"{place}.input", "must be an object")
            case "tool_result":
                _check_content(block.content, f"{place}.content")


def _check_source(source: Any, path: str) -> None:
    read = shaped(source, Source, place=path)
    needed = _SOURCES.get(read.type)
    if needed is not None and getattr(read, needed) is None:
        raise wrong(f"{path}.{needed}", "is required")
    if read.type == "base64" and not is_base64(read.data or ""):
        raise wrong(f"{path}.data", "is not base64")
    if read.type == "content":
        _check_content(read.content, f"{path}.content")


def _check_content(content: Any, path: str) -> None:
    if isinstance(content, list):
        blocks = [shaped(raw, Block, place=f"{path}[{index}]") for index, raw in enumerate(content)]
        for index, block in enumerate(blocks):
            if block.type in _ASSISTANTS or block.type == "tool_result":
                raise wrong(f"{path}[{index}].type", "is a block that stands in a message only")
        _check_blocks(blocks, path)
    elif content is not None and not isinstance(content, str):
        raise wrong(path, "must be text or a list of blocks")
