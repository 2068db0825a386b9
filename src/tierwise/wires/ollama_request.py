"""How is a conversation put to Ollama's own interface, which alone sets how much of it is read?

Source: Ollama's published API documentation (`/api/chat`, read 2026-11).
Invariant: a field that is not written here is named in `dropped`.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from tierwise.core.conversation import Block, Conversation, File, Image, Text, Thinking, ToolResult, ToolUse, Turn
from tierwise.wires.messages_reply import arguments_of
from tierwise.wires.wire import EncodedRequest, Recipient

WIRE = "ollama"
_encode = msgspec.json.Encoder().encode
_SAME = {
    "max_output_tokens": "num_predict", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k",
    "seed": "seed", "frequency_penalty": "frequency_penalty", "presence_penalty": "presence_penalty",
}  # fmt: skip
_UNKNOWN = ("logit_bias", "user", "verbosity", "parallel_tools", "n", "tool_choice")
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}


def encode_request(conversation: Conversation, to: Recipient) -> EncodedRequest:
    """Write a request that came on another wire."""
    asked = conversation
    dropped = list(asked.foreign)
    body: dict[str, Any] = {"model": to.served_name, "stream": to.stream}
    body["messages"] = [message for turn in asked.turns for message in _messages(turn, dropped)]
    options: dict[str, Any] = {} if to.context_tokens is None else {"num_ctx": to.context_tokens}
    for name, here in _SAME.items():
        value = getattr(asked, name)
        if value is not None:
            options[here] = value
    if asked.stop:
        options["stop"] = list(asked.stop)
    if options:
        body["options"] = options
    if asked.tools and not (asked.tool_choice and asked.tool_choice.mode == "none"):
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
            for tool in asked.tools
        ]
    if asked.format is not None:
        body["format"] = asked.format.schema if asked.format.kind == "schema" else "json"
    if asked.logprobs or to.logprobs:
        body["logprobs"] = True
    if asked.top_logprobs is not None:
        body["top_logprobs"] = asked.top_logprobs
    _write_thinking(body, asked, to, dropped)
    dropped += [asked.name(name) for name in _UNKNOWN if _matters(asked, name)]
    if any(isinstance(block, Text) and block.cache for turn in asked.turns for block in turn.blocks):
        dropped.append("cache_control")
    return EncodedRequest(path="/api/chat", root=True, body=_encode(body), dropped=tuple(dict.fromkeys(dropped)))


def _matters(asked: Conversation, name: str) -> bool:
    """Say whether leaving a field out changes what was asked."""
    value = getattr(asked, name)
    if name == "n":
        return value not in (None, 1)
    if name == "tool_choice":
        return value is not None and value.mode in ("required", "named")
    return value not in (None, {}, True)


def _write_thinking(body: dict[str, Any], asked: Conversation, to: Recipient, dropped: list[str]) -> None:
    reasoning = asked.reasoning
    if reasoning is None:
        return
    if "thinking" not in to.capabilities:
        if reasoning.effort != "none":
            dropped.append(asked.name("reasoning"))
    elif reasoning.effort == "none":
        body["think"] = False
    else:
        body["think"] = _EFFORTS.get(reasoning.effort or "", True)


def _messages(turn: Turn, dropped: list[str]) -> Iterator[dict[str, Any]]:
    """Write the results of tools as messages of their own, then the words and pictures of the turn."""
    if turn.name:
        dropped.append(f"{turn.path}.name")
    rest: list[Block] = []
    for block in turn.blocks:
        if isinstance(block, ToolResult):
            message = _message("tool", block.content, turn, dropped) | {"tool_name": block.name or block.id}
            if block.error:
                message["content"] = f"Error: {message['content']}" if message["content"] else "Error"
            yield message
        else:
            rest.append(block)
    if rest:
        message = _message("system" if turn.role == "developer" else turn.role, rest, turn, dropped)
        calls = [block for block in rest if isinstance(block, ToolUse)]
        if calls:
            message["tool_calls"] = [
                {"function": {"name": call.name, "arguments": arguments_of(call.arguments)}} for call in calls
            ]
        yield message


def _message(role: str, blocks: Any, turn: Turn, dropped: list[str]) -> dict[str, Any]:
    texts: list[str] = []
    images: list[str] = []
    for block in blocks:
        match block:
            case Text():
                texts.append(block.text)
            case File() if block.text:
                texts.append(block.text)
            case Image() if block.data:
                images.append(block.data)
            case Thinking():
                dropped.append("thinking")
            case ToolUse():
                pass
            case _:
                dropped.append(f"{turn.path}: {type(block).__name__.lower()}")
    message: dict[str, Any] = {"role": role, "content": "\n".join(texts)}
    return message | ({"images": images} if images else {})
