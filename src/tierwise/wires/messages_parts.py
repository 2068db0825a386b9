"""What in a Messages request could be sensitive, and how much is it?

Invariant: every string of the body, known field or not, is in some part, but for values from a closed list, numbers,
sealed thinking, and the bytes of pictures and binary files, which are counted instead.
"""

from collections.abc import Mapping
from typing import Any

from tierwise.core.call import PartKind
from tierwise.wires.messages_shape import Request
from tierwise.wires.parts import Gathered, text
from tierwise.wires.tokens import MESSAGE_TOKENS

# fmt: off
READ_FIELDS = frozenset((
    "model", "messages", "system", "tools", "metadata", "stream", "max_tokens", "temperature", "top_p", "top_k",
    "thinking", "tool_choice", "output_config", "output_format",
))
"""Members of the body that are read by name; all others are searched whole."""
_BLOCK = {
    "text": frozenset(("type", "text", "cache_control")),
    "image": frozenset(("type", "source", "cache_control")),
    "document": frozenset(("type", "source", "cache_control")),
    "tool_use": frozenset(("type", "id", "name", "input", "cache_control")),
    "tool_result": frozenset(("type", "tool_use_id", "content", "is_error", "cache_control")),
    "thinking": frozenset(("type", "thinking", "signature")),
    "redacted_thinking": frozenset(("type", "data")),
}
# fmt: on
_SOURCE = {
    "url": frozenset(("type", "url")),
    "base64": frozenset(("type", "media_type", "data")),
    "text": frozenset(("type", "data")),
    "content": frozenset(("type", "content")),
}
_CLOSED: dict[str, dict[str, tuple[str, ...]]] = {
    "thinking": {"type": ("enabled", "disabled", "adaptive", "between_tools"), "display": ("summarized", "omitted")},
    "tool_choice": {"type": ("auto", "any", "tool", "none")},
    "output_config": {"effort": ("low", "medium", "high", "xhigh", "max")},
    "output_format": {"type": ("json_schema",)},
}
"""Words that hold nothing of the caller's; any other is searched."""
_APART = {
    "thinking": frozenset(("budget_tokens",)),
    "output_config": frozenset(("format",)),
    "output_format": frozenset(("schema",)),
}
"""A number, and the answer's schema, which is a part of its own."""
_CACHE = ({"type": "ephemeral"}, {"type": "ephemeral", "ttl": "5m"}, {"type": "ephemeral", "ttl": "1h"})
_NOTHING: frozenset[str] = frozenset()


def gather(request: Request, tree: Mapping[str, Any]) -> Gathered:
    """Collect the parts of a request whose shape has been read; the answer's schema is not among them.

    Raises `InvalidCall`: `forbidden_field` for a field that would steer the gateway, `bad_url` for an address inside.
    """
    found = Gathered()
    found.tokens = MESSAGE_TOKENS * (len(request.messages) + 1)
    _content(found, "system", tree.get("system"), "system")
    for index, message in enumerate(tree["messages"]):
        _content(found, f"messages[{index}].content", message["content"], message["role"])
        if len(message) > 2:
            found.rest(f"messages[{index}].", message, frozenset(("role", "content")), message["role"])
    for index, tool in enumerate(tree.get("tools") or ()):
        found.add("tool_definition", f"tools[{index}]", text(tool))
    found.metadata(request.metadata)
    for name, words in _CLOSED.items():
        if tree.get(name) is not None:
            _setting(found, name, tree[name], words)
    wanted = (tree.get("output_config") or {}).get("format")
    if wanted is not None:
        found.rest("output_config.format.", wanted, frozenset(("type", "schema")))
    found.unread(tree, READ_FIELDS)
    return found


def _setting(found: Gathered, name: str, value: Mapping[str, Any], words: Mapping[str, tuple[str, ...]]) -> None:
    plain = {member for member, allowed in words.items() if value.get(member) in allowed}
    read = _APART.get(name, _NOTHING) | plain
    if not value.keys() <= read:
        found.rest(f"{name}.", value, read)


def _content(found: Gathered, path: str, content: Any, role: str, kind: PartKind = "text") -> None:
    if isinstance(content, str):
        found.add(kind, path, content, role)
        return
    for index, block in enumerate(content or ()):
        _block(found, f"{path}[{index}]", block, role, kind)


def _block(found: Gathered, path: str, block: Mapping[str, Any], role: str, kind: PartKind) -> None:
    match block["type"]:
        case "text":
            found.add(kind, f"{path}.text", block["text"], role)
        case "image":
            _source(found, f"{path}.source", block["source"], role, picture=True)
        case "document":
            _source(found, f"{path}.source", block["source"], role, picture=False)
        case "tool_use":
            found.add(
                "tool_call", path, text({"id": block["id"], "name": block["name"], "input": block["input"]}), role
            )
        case "tool_result":
            found.add("name", f"{path}.tool_use_id", block["tool_use_id"], role)
            _content(found, f"{path}.content", block.get("content"), role, "tool_result")
        case "thinking":
            found.add("text", f"{path}.thinking", block["thinking"], role)
            found.sealed(f"{path}.signature", block["signature"], role)
        case "redacted_thinking":
            found.tokens += len(block["data"]) // 2
            found.sealed(f"{path}.data", block["data"], role)
    read = _BLOCK.get(block["type"], _NOTHING)
    if not block.keys() <= read:
        found.rest(f"{path}.", block, read, role)
    cache = block.get("cache_control")
    if cache is not None and cache not in _CACHE and read:
        found.add("metadata", f"{path}.cache_control", text(cache), role)


def _source(found: Gathered, path: str, source: Mapping[str, Any], role: str, *, picture: bool) -> None:
    kind = source["type"]
    match kind:
        case "url" if picture:
            found.picture(f"{path}.url", source["url"], role)
        case "url":
            found.address(f"{path}.url", source["url"], role)
        case "base64":
            url = f"data:{source.get('media_type') or ''};base64,{source['data']}"
            if picture:
                found.picture(f"{path}.data", url, role)
            else:
                found.file(f"{path}.data", url, role)
        case "text":
            found.add("file", f"{path}.data", source["data"], role)
        case "content":
            _content(found, f"{path}.content", source["content"], role, "file")
        case _:
            found.files += not picture
            found.images += picture
    read = _SOURCE.get(kind, _NOTHING)
    if kind == "text" and source.get("media_type") == "text/plain":
        read |= {"media_type"}
    if not source.keys() <= read:
        found.rest(f"{path}.", source, read, role)
