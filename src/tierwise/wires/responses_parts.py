"""What in a Responses request could be sensitive, and how much is it?

Invariant: every string of the body, known field or not, is in some part, but for values from a closed list, numbers,
sealed reasoning, and the bytes of pictures and binary files, which are counted instead.
"""

from collections.abc import Mapping
from typing import Any

from tierwise.core.call import PartKind
from tierwise.wires.parts import Gathered, text
from tierwise.wires.responses_shape import CALLS, OUTPUTS, Request
from tierwise.wires.tokens import MESSAGE_TOKENS

# fmt: off
READ_FIELDS = frozenset((
    "model", "input", "instructions", "tools", "metadata", "stream", "store", "background", "temperature", "top_p",
    "top_logprobs", "max_output_tokens", "parallel_tool_calls", "text", "reasoning",
))
"""Members of the body that are read by name; all others are searched whole."""
_PART = frozenset(("text", "refusal", "image_url", "file_data", "file_url", "filename"))
_MESSAGE = frozenset(("role", "content"))
_CALL = frozenset(("call_id", "name", "arguments", "input"))
_OUTPUT = frozenset(("call_id", "output"))
_REASONING = frozenset(("summary", "content", "encrypted_content"))
_CLOSED: dict[str, tuple[str, ...]] = {
    "type": (
        "message", "reasoning", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output",
        "item_reference", "input_text", "output_text", "summary_text", "reasoning_text", "refusal", "input_image",
        "input_file", "text",
    ),
    "status": ("in_progress", "completed", "incomplete"),
    "detail": ("auto", "low", "high", "original"),
    "verbosity": ("low", "medium", "high"),
    "effort": ("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "summary": ("auto", "concise", "detailed"),
}
"""Words that hold nothing of the caller's; any other is searched."""
_NOTHING: frozenset[str] = frozenset()
_FORMAT = frozenset(("format",))
# fmt: on


def gather(request: Request, tree: Mapping[str, Any]) -> Gathered:
    """Collect the parts of a request whose shape has been read; the answer's schema is not among them.

    Raises `InvalidCall`: `forbidden_field` for a field that would steer the gateway, `bad_url` for an address inside.
    """
    found = Gathered()
    found.add("text", "instructions", request.instructions or "", "system")
    given = tree["input"]
    if isinstance(given, str):
        found.tokens += MESSAGE_TOKENS
        found.add("text", "input", given, "user")
    else:
        found.tokens += MESSAGE_TOKENS * len(given)
        for index, item in enumerate(given):
            _item(found, f"input[{index}]", item)
    for index, tool in enumerate(tree.get("tools") or ()):
        found.add("tool_definition", f"tools[{index}]", text(tool))
    found.metadata(request.metadata)
    config = tree.get("text") or {}
    _rest(found, "text.", config, _FORMAT)
    if (config.get("format") or {}).get("type") == "text":  # any other is a part of its own
        _rest(found, "text.format.", config["format"], _NOTHING)
    _rest(found, "reasoning.", tree.get("reasoning") or {}, _NOTHING)
    found.unread(tree, READ_FIELDS)
    return found


def _item(found: Gathered, path: str, item: Mapping[str, Any]) -> None:
    kind = item.get("type", "message")
    if kind == "message":
        role = item["role"]
        _content(found, f"{path}.content", item["content"], role, "text")
        read = _MESSAGE
    elif kind in CALLS:
        called = {name: item[name] for name in ("call_id", "name", "arguments", "input") if name in item}
        found.called(path, called, item.get("arguments"), "assistant")
        read = _CALL
    elif kind in OUTPUTS:
        output = item["output"]
        said = output if isinstance(output, (str, list)) else text(output)
        found.add("name", f"{path}.call_id", item["call_id"], "tool")
        _content(found, f"{path}.output", said, "tool", "tool_result")
        read = _OUTPUT
    elif kind == "reasoning":
        for name in ("summary", "content"):
            _content(found, f"{path}.{name}", item.get(name) or [], "assistant", "text")
        sealed = item.get("encrypted_content") or ""
        found.tokens += len(sealed) // 4
        found.sealed(f"{path}.encrypted_content", sealed, "assistant")
        read = _REASONING
    else:
        read = _NOTHING
    _rest(found, f"{path}.", item, read)


def _rest(found: Gathered, path: str, raw: Mapping[str, Any], read: frozenset[str], role: str = "") -> None:
    """Add what no other rule reads, but for words from a closed list."""
    unread = raw.keys() - read
    plain = [name for name in unread if raw[name] in _CLOSED.get(name, ())]
    if len(plain) < len(unread):
        found.rest(path, raw, read.union(plain), role)


def _content(found: Gathered, path: str, content: Any, role: str, kind: PartKind) -> None:
    if isinstance(content, str):
        found.add(kind, path, content, role)
        return
    for index, part in enumerate(content):
        place = f"{path}[{index}]"
        if not isinstance(part, dict):
            found.add(kind, place, text(part), role)
            continue
        found.add(kind, f"{place}.text", part.get("text") or "", role)
        found.add(kind, f"{place}.refusal", part.get("refusal") or "", role)
        if part.get("image_url"):
            found.picture(f"{place}.image_url", part["image_url"], role)
        if part.get("file_url"):
            found.address(f"{place}.file_url", part["file_url"], role)
        found.add("name", f"{place}.filename", part.get("filename") or "", role)
        if part.get("file_data"):
            found.file(f"{place}.file_data", part["file_data"], role)
        _rest(found, f"{place}.", part, _PART, role)
