"""What in a Chat Completions request could be sensitive, and how much is it?

Invariant: every string of the body, known field or not, is in some part, but for values from a closed list,
numbers, and the bytes of pictures, sounds and binary files, which are counted instead.
"""

from collections.abc import Mapping
from typing import Any

from tierwise.core.call import PartKind
from tierwise.wires.chat_shape import Block, Message, Request
from tierwise.wires.parts import Gathered, text
from tierwise.wires.tokens import MESSAGE_TOKENS

# fmt: off
READ_FIELDS = frozenset((
    "model", "messages", "tools", "response_format", "metadata", "stream", "stream_options", "temperature",
    "top_p", "n", "max_tokens", "max_completion_tokens", "presence_penalty", "frequency_penalty", "seed",
    "logprobs", "top_logprobs",
))
"""Members of the body that are read by name; all others are searched whole."""
# fmt: on
_MESSAGE = frozenset(("role", "content", "name", "refusal", "tool_calls", "tool_call_id"))
_BLOCK = frozenset(("text", "refusal", "image_url", "file", "input_audio"))
_CLOSED: dict[str, tuple[str, ...]] = {"type": tuple(_BLOCK), "detail": ("auto", "low", "high", "original")}
"""Words that hold nothing of the caller's; any other is searched."""


def gather(request: Request, tree: Mapping[str, Any]) -> Gathered:
    """Collect the parts of a request whose shape has been read; the answer's schema is not among them.

    Raises `InvalidCall`: `forbidden_field` for a field that would steer the gateway, `bad_url` for an address inside.
    """
    found = Gathered()
    found.tokens = MESSAGE_TOKENS * len(request.messages)
    for index, (message, raw) in enumerate(zip(request.messages, tree["messages"], strict=True)):
        _message(found, f"messages[{index}]", message, raw)
    for index, tool in enumerate(tree.get("tools") or ()):
        found.add("tool_definition", f"tools[{index}]", text(tool))
    found.metadata(request.metadata)
    if request.stream_options is not None:
        found.rest("stream_options.", tree["stream_options"], frozenset(("include_usage",)))
    found.unread(tree, READ_FIELDS)
    return found


def _message(found: Gathered, path: str, message: Message, raw: Mapping[str, Any]) -> None:
    role = message.role
    kind: PartKind = "tool_result" if role in {"tool", "function"} else "text"
    content = message.content
    if isinstance(content, str):
        found.add(kind, f"{path}.content", content, role)
    elif content:
        for index, (block, raw_block) in enumerate(zip(content, raw["content"], strict=True)):
            _block(found, f"{path}.content[{index}]", block, raw_block, kind, role)
    if len(raw) == 2 and content is not None:
        return
    found.add("name", f"{path}.name", message.name or "", role)
    found.add("name", f"{path}.tool_call_id", message.tool_call_id or "", role)
    found.add("text", f"{path}.refusal", message.refusal or "", role)
    for index, call in enumerate(raw.get("tool_calls") or ()):
        function = call.get("function")
        arguments = function.get("arguments") if isinstance(function, dict) else None
        found.called(f"{path}.tool_calls[{index}]", call, arguments, role)
    if not raw.keys() <= _MESSAGE:
        found.rest(f"{path}.", raw, _MESSAGE, role)


def _block(found: Gathered, path: str, block: Block, raw: Mapping[str, Any], kind: PartKind, role: str) -> None:
    found.add(kind, f"{path}.text", block.text or "", role)
    found.add(kind, f"{path}.refusal", block.refusal or "", role)
    if block.image_url is not None:
        found.picture(f"{path}.image_url.url", block.image_url.url, role)
        _rest(found, f"{path}.image_url.", raw["image_url"], frozenset(("url",)), role)
    if block.file is not None:
        found.add("name", f"{path}.file.filename", block.file.filename or "", role)
        found.file(f"{path}.file.file_data", block.file.file_data or "", role)
        found.rest(f"{path}.file.", raw["file"], frozenset(("filename", "file_data")), role)
    if block.input_audio is not None:
        found.sound(f"{path}.input_audio.data", block.input_audio.data, role)
        found.rest(f"{path}.input_audio.", raw["input_audio"], frozenset(("data",)), role)
    _rest(found, f"{path}.", raw, _BLOCK, role)


def _rest(found: Gathered, path: str, raw: Mapping[str, Any], read: frozenset[str], role: str) -> None:
    """Add what no other rule reads, but for words from a closed list."""
    unread = raw.keys() - read
    plain = [name for name in unread if raw[name] in _CLOSED.get(name, ())]
    if len(plain) < len(unread):
        found.rest(path, raw, read.union(plain), role)
