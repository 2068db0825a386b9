"""What in a Messages request could be sensitive, and how much is it?

Invariant: every string of the body, known field or not, is in some part, but for values from a closed list, numbers,
sealed thinking, and the bytes of pictures and binary files, which are counted instead.
"""

from collections.abc import Mapping
from typing import Any

from tierwise.core.call import PartKind
from tierwise.wires.hints import PREFIX
from tierwise.wires.messages_shape import Request
from tierwise.wires.parts import Gathered, refuse_control, text
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
_TYPE = frozenset(("type",))


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
    for name, value in (request.metadata or {}).items():
        if not name.startswith(PREFIX):
            refuse_control(((name, value),), "metadata.")
            found.add("metadata", "metadata", f"{name}: {text(value)}")
    unread = tree.keys() - READ_FIELDS
    if unread:
        refuse_control(((name, tree[name]) for name in tree if name in unread), "")
        found.rest("", tree, READ_FIELDS)
    return found


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
        case "redacted_thinking":
            found.tokens += len(block["data"]) // 2
    read = _BLOCK.get(block["type"], _TYPE)
    if not block.keys() <= read:
        found.rest(f"{path}.", block, read, role)


def _source(found: Gathered, path: str, source: Mapping[str, Any], role: str, *, picture: bool) -> None:
    kind, data = source["type"], source.get("data")
    if kind == "url" and isinstance(source.get("url"), str):
        if picture:
            found.picture(f"{path}.url", source["url"], role)
        else:
            found.address(f"{path}.url", source["url"], role)
    elif kind == "base64" and isinstance(data, str):
        url = f"data:{source.get('media_type') or ''};base64,{data}"
        if picture:
            found.picture(f"{path}.data", url, role)
        else:
            found.file(f"{path}.data", url, role)
    elif kind == "text" and isinstance(data, str):
        found.add("file", f"{path}.data", data, role)
    elif kind == "content" and isinstance(source.get("content"), (str, list)):
        _content(found, f"{path}.content", source["content"], role, "file")
    else:
        found.files += not picture
        found.images += picture
        found.rest(f"{path}.", source, _TYPE, role)
