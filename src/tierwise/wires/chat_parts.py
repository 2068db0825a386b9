"""What in a Chat Completions request could be sensitive, and how much is it?

Invariant: every string of the body, known field or not, is in some part, but for values from a closed list,
numbers, and the bytes of pictures, sounds and binary files, which are counted instead.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tierwise.core.call import Part, PartKind
from tierwise.core.errors import InvalidCall
from tierwise.wires.chat_shape import Block, Message, Request
from tierwise.wires.hints import PREFIX
from tierwise.wires.tokens import IMAGE_TOKENS, MESSAGE_TOKENS, tokens_upper
from tierwise.wires.urls import check_url

_encode = msgspec.json.Encoder().encode

# fmt: off
READ_FIELDS = frozenset((
    "model", "messages", "tools", "response_format", "metadata", "stream", "stream_options", "temperature",
    "top_p", "n", "max_tokens", "max_completion_tokens", "presence_penalty", "frequency_penalty", "seed",
    "logprobs", "top_logprobs",
))
"""Members of the body that are read by name; all others are searched whole."""
_FORBIDDEN = frozenset((
    "api_base", "base_url", "api_key", "api_keys", "api_version", "fallbacks", "context_window_fallbacks",
    "headers", "extra_headers", "default_headers", "custom_llm_provider", "model_info", "price", "prices",
    "pricing",
))
# fmt: on
_MESSAGE = frozenset(("role", "content", "name", "refusal", "tool_calls", "tool_call_id"))
_BLOCK = frozenset(("type", "text", "refusal", "image_url", "file", "input_audio"))
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]+={0,2}\s*")
_BLANK = re.compile(r"\s+")
_SNIFFED = 4096
"""So many characters of base64 show whether it is text."""
_PLAIN_KEY = re.compile(r"[a-z_]{1,64}")
_PRICE = re.compile(
    r".*_(?:cost|price)_per_.*|.*_usd_per_.*|(?:input|output|prompt|completion|cache\w*)_(?:cost|price).*"
)


class Gathered:
    """The parts of one request and what was counted beside them."""

    __slots__ = ("files", "images", "parts", "tokens")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.images = self.files = self.tokens = 0

    def add(self, kind: PartKind, path: str, text: str, role: str = "") -> None:
        """Add one part; empty text is none."""
        if text:
            self.parts.append(Part(kind=kind, path=path, text=text, role=role))
            self.tokens += tokens_upper(text)


def gather(request: Request, tree: Mapping[str, Any]) -> Gathered:
    """Collect the parts of a request whose shape has been read; the answer's schema is not among them.

    Raises `InvalidCall`: `forbidden_field` for a field that would steer the gateway, `bad_url` for an address inside.
    """
    found = Gathered()
    found.tokens = MESSAGE_TOKENS * len(request.messages)
    for index, (message, raw) in enumerate(zip(request.messages, tree["messages"], strict=True)):
        _message(found, f"messages[{index}]", message, raw)
    for index, tool in enumerate(tree.get("tools") or ()):
        found.add("tool_definition", f"tools[{index}]", _text(tool))
    for name, value in (request.metadata or {}).items():
        if not name.startswith(PREFIX):
            _refuse_control(((name, value),), "metadata.")
            found.add("metadata", "metadata", f"{name}: {_text(value)}")
    if request.stream_options is not None:
        _rest(found, "stream_options.", tree["stream_options"], frozenset(("include_usage",)))
    unread = tree.keys() - READ_FIELDS
    if unread:
        _refuse_control(((name, tree[name]) for name in tree if name in unread), "")
        _rest(found, "", tree, READ_FIELDS)
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
        found.add("tool_call", f"{path}.tool_calls[{index}]", _unescaped(call), role)
    if not raw.keys() <= _MESSAGE:
        _rest(found, f"{path}.", raw, _MESSAGE, role)


def _block(found: Gathered, path: str, block: Block, raw: Mapping[str, Any], kind: PartKind, role: str) -> None:
    found.add(kind, f"{path}.text", block.text or "", role)
    found.add(kind, f"{path}.refusal", block.refusal or "", role)
    if block.image_url is not None:
        check_url(block.image_url.url, f"{path}.image_url.url")
        found.images += 1
        found.tokens += IMAGE_TOKENS
        shown, _ = _shown(block.image_url.url)
        found.add("image", f"{path}.image_url.url", shown, role)
        _rest(found, f"{path}.image_url.", raw["image_url"], frozenset(("url", "detail")), role)
    if block.file is not None:
        found.files += 1
        found.add("name", f"{path}.file.filename", block.file.filename or "", role)
        shown, hidden_bytes = _shown(block.file.file_data or "")
        found.tokens += hidden_bytes // 2
        found.add("file", f"{path}.file.file_data", shown, role)
        _rest(found, f"{path}.file.", raw["file"], frozenset(("filename", "file_data")), role)
    if block.input_audio is not None:
        found.files += 1
        found.tokens += len(block.input_audio.data) // 400
        _rest(found, f"{path}.input_audio.", raw["input_audio"], frozenset(("data",)), role)
    if not raw.keys() <= _BLOCK:
        _rest(found, f"{path}.", raw, _BLOCK, role)


def _rest(found: Gathered, path: str, raw: Mapping[str, Any], read: frozenset[str], role: str = "") -> None:
    """Add what no other rule reads. A key that could itself carry data goes into the text, not into the path."""
    for name, value in raw.items():
        if name not in read and value is not None and not isinstance(value, bool):
            if _PLAIN_KEY.fullmatch(name):
                found.add("metadata", path + name, _text(value), role)
            else:
                found.add("metadata", path + "*", _text({name: value}), role)


def _refuse_control(members: Iterable[tuple[str, Any]], path: str) -> None:
    for name, value in members:
        for inner in _names(name, value):
            if inner in _FORBIDDEN or _PRICE.fullmatch(inner):
                raise InvalidCall(
                    f"A caller must not set {inner[:64]!r}: the gateway's configuration decides it.",
                    param=(path + inner)[:128],
                    code="forbidden_field",
                )


def _names(name: str, value: Any) -> Iterator[str]:
    """Yield the names of members at any depth; the caller's messages, tools and schemas are not searched."""
    yield name
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield from node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _encode(value).decode()


def _unescaped(call: Mapping[str, Any]) -> str:
    """Write a tool call as text; arguments are JSON inside a string and may hide characters behind escapes."""
    text = _text(call)
    function = call.get("function")
    arguments = function.get("arguments") if isinstance(function, dict) else None
    if isinstance(arguments, str) and "\\" in arguments:
        try:
            text += "\n" + _text(msgspec.json.decode(arguments))
        except (msgspec.DecodeError, RecursionError):
            text += "\n" + arguments
    return text


def _shown(data: str) -> tuple[str, int]:
    """Return what can be read of a URL or of a file's data, and how many bytes cannot; text in base64 is decoded."""
    head, comma, payload = data.partition(",") if data[:5].lower() == "data:" else ("", "", data)
    if (head and not head.lower().endswith(";base64")) or not _BASE64.fullmatch(payload):
        return data, 0
    if _is_text(payload[:_SNIFFED]):
        return head + comma + _from_base64(payload).decode(errors="replace"), 0
    return (head[:128], len(payload) * 3 // 4) if len(data) > _SNIFFED else (data, 0)


def _is_text(payload: str) -> bool:
    """Say whether this beginning of base64 decodes to text; its last character may be cut."""
    data = _from_base64(payload)
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start >= max(len(data) - 3, 1)
    return b"\0" not in data


def _from_base64(payload: str) -> bytes:
    plain = _BLANK.sub("", payload).rstrip("=").replace("-", "+").replace("_", "/")
    whole = plain[: len(plain) - (len(plain) % 4 == 1)]  # one character alone is no byte
    return base64.b64decode(whole + "=" * (-len(whole) % 4))
