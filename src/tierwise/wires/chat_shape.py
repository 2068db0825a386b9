"""Which shape has a Chat Completions request? The types and ranges that are checked before anything is routed.

Source: OpenAI's published API description (Chat Completions, read 2026-07). Fields that are not named here are the
endpoint's business: they pass unread, but never unseen by the detectors (`chat_parts`).
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tierwise.core.errors import InvalidCall
from tierwise.wires.shape import check_name, shaped, wrong

Tokens = Annotated[int, Meta(ge=1, le=10_000_000)]
Stops = Annotated[list[str], Meta(max_length=16)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


class Function(msgspec.Struct):
    """A function that the model may call; `parameters` is its JSON schema."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(msgspec.Struct):
    """An entry of `tools`; kinds other than `function` pass unread."""

    type: str
    function: Function | None = None


class CalledFunction(msgspec.Struct):
    """A call in a message; `arguments` is JSON in a string."""

    name: str
    arguments: str


class CalledTool(msgspec.Struct):
    """An entry of `tool_calls`."""

    id: str
    function: CalledFunction | None = None


class ImageUrl(msgspec.Struct):
    """A picture, by address or inline."""

    url: str


class File(msgspec.Struct):
    """A file, inline or by an id that the endpoint knows."""

    file_data: str | None = None
    filename: str | None = None


class Audio(msgspec.Struct):
    """A sound, in base64."""

    data: str


class Block(msgspec.Struct):
    """One block of a message's content; only the field that `type` names is looked at."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | None = None
    file: File | None = None
    input_audio: Audio | None = None


class Message(msgspec.Struct):
    """One turn of the conversation."""

    role: Role
    content: str | list[Block] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[CalledTool] | None = None
    tool_call_id: str | None = None
    function_call: CalledFunction | None = None


class StreamOptions(msgspec.Struct):
    """Options of a stream."""

    include_usage: bool | None = None


class JsonSchema(msgspec.Struct):
    """The schema that the answer has to fit."""

    schema: dict[str, Any]


class ResponseFormat(msgspec.Struct):
    """`schema` beside `type: json_object` is how llama.cpp takes a schema."""

    type: str
    json_schema: JsonSchema | None = None
    schema: dict[str, Any] | None = None


class Request(msgspec.Struct):
    """The body, as far as it is read by name."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    messages: Annotated[list[Message], Meta(min_length=1, max_length=10_000)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=16)] | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    stop: str | Stops | None = None
    logit_bias: Annotated[dict[str, Annotated[float, Meta(ge=-100, le=100)]], Meta(max_length=1024)] | None = None
    tools: Annotated[list[Tool], Meta(max_length=512)] | None = None
    response_format: ResponseFormat | None = None
    functions: Annotated[list[Function], Meta(max_length=512)] | None = None
    reasoning_effort: str | None = None
    metadata: dict[str, Any] | None = None


_NEEDED = frozenset(("text", "refusal", "image_url", "input_audio", "file"))
"""Types of blocks whose content stands in a field of the same name."""


def read_shape(tree: dict[str, Any]) -> Request:
    """Convert a parsed body. Raises `InvalidCall` whose `param` is the path of the first field that is wrong."""
    request = shaped(tree, Request)
    if request.stream_options is not None and not request.stream:
        raise InvalidCall("stream_options is only allowed with stream.", param="stream_options", code="invalid_value")
    if request.top_logprobs is not None and not request.logprobs:
        raise InvalidCall("top_logprobs is only allowed with logprobs.", param="top_logprobs", code="invalid_value")
    check_name(request.model)
    _check_order(request.messages)
    return request


def _check_order(messages: list[Message]) -> None:
    """Refuse messages without content, and tool results that answer nothing."""
    called: set[str] = set()
    for index, message in enumerate(messages):
        if not message.content and message.content != "" and not _may_be_empty(message):
            what = "is required" if message.content is None else "must not be empty"
            raise wrong(f"messages[{index}].content", what)
        if isinstance(message.content, list):
            _check_blocks(message.content, index)
        if message.tool_calls:
            called.update(call.id for call in message.tool_calls)
        if message.role == "tool" and message.tool_call_id not in called:
            what = "must answer a tool call of an earlier message" if message.tool_call_id else "is required"
            raise wrong(f"messages[{index}].tool_call_id", what)


def _check_blocks(blocks: list[Block], index: int) -> None:
    for place, block in enumerate(blocks):
        if block.type in _NEEDED and getattr(block, block.type) is None:
            raise wrong(f"messages[{index}].content[{place}].{block.type}", "is required")


def _may_be_empty(message: Message) -> bool:
    return (
        message.content is None
        and message.role == "assistant"
        and bool(message.tool_calls or message.function_call or message.refusal)
    )
