"""How is a conversation put to Ollama's own interface, which alone sets how much of it is read?

`truncate` and `shift` off make it say that a request or an answer does not fit, where it would else leave out the
beginning without a word; servers before 0.12.6 do not know them.
Source: Ollama's published API description and `api/types.go` (`/api/chat`, 0.12.6 to 0.33), read 2026-11.
Invariant: a field that is not written here is named in `dropped`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tierwise.core.conversation import Block, Conversation, File, Image, Text, Thinking, ToolResult, ToolUse, Turn
from tierwise.wires.loose import arguments_of
from tierwise.wires.wire import EncodedRequest, Recipient

WIRE = "ollama"
_encode = msgspec.json.Encoder().encode
_SAME = {
    "max_output_tokens": "num_predict", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k",
    "seed": "seed", "frequency_penalty": "frequency_penalty", "presence_penalty": "presence_penalty",
}  # fmt: skip
_UNKNOWN = ("logit_bias", "user", "verbosity", "n")
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_WITH_LEVELS = re.compile(r"(?:.*/)?gpt-oss(?![a-z])")
"""Models that always think, by one of three levels; any other refuses a level, and can only be told to think or not."""


def encode_request(conversation: Conversation, to: Recipient) -> EncodedRequest:
    """Write a request that came on another wire."""
    asked = conversation
    dropped = list(asked.foreign)
    body: dict[str, Any] = {"model": to.served_name, "stream": to.stream, "truncate": False, "shift": False}
    body["messages"] = [message for turn in asked.turns for message in _messages(turn, to, dropped)]
    options = _options(asked, to)
    if options:
        body["options"] = options
    _write_tools(body, asked, dropped)
    if asked.format is not None:
        body["format"] = asked.format.schema if asked.format.kind == "schema" else "json"
    if asked.logprobs or to.logprobs:
        body["logprobs"] = True
        if asked.top_logprobs is not None:
            body["top_logprobs"] = asked.top_logprobs
    _write_thinking(body, asked, to, dropped)
    dropped += asked.given(_UNKNOWN)
    if asked.marks_cache:
        dropped.append("cache_control")
    return EncodedRequest(path="/api/chat", root=True, body=_encode(body), dropped=tuple(dict.fromkeys(dropped)))


def _options(asked: Conversation, to: Recipient) -> dict[str, Any]:
    options = {here: getattr(asked, name) for name, here in _SAME.items()}
    options |= {"num_ctx": to.context_tokens, "stop": list(asked.stop) or None}
    return {name: value for name, value in options.items() if value is not None}


def _write_tools(body: dict[str, Any], asked: Conversation, dropped: list[str]) -> None:
    mode = "auto" if asked.tool_choice is None else asked.tool_choice.mode
    if mode in ("required", "named"):
        dropped.append(asked.name("tool_choice"))
    if not asked.tools or mode == "none":
        return
    body["tools"] = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters or {"type": "object", "properties": {}},
            },
        }
        for tool in asked.tools
    ]
    if any(tool.strict for tool in asked.tools):
        dropped.append(f"{asked.name('tools')}: strict")
    if asked.parallel_tools is False:
        dropped.append(asked.name("parallel_tools"))


def _write_thinking(body: dict[str, Any], asked: Conversation, to: Recipient, dropped: list[str]) -> None:
    reasoning = asked.reasoning
    if reasoning is None:
        return
    effort, leveled = reasoning.effort, _WITH_LEVELS.match(to.served_name) is not None
    if "thinking" not in to.capabilities:
        if effort != "none":
            dropped.append(asked.name("reasoning"))
        return
    body["think"] = _EFFORTS.get(effort or "", True) if leveled else effort != "none"
    if effort == "none" and leveled:
        body["think"] = "low"
    if reasoning.budget_tokens is not None or (effort == "none" if leveled else effort not in (None, "none")):
        dropped.append(asked.name("reasoning"))


def _messages(turn: Turn, to: Recipient, dropped: list[str]) -> Iterator[dict[str, Any]]:
    """Write the results of tools as messages of their own, then the words and pictures of the turn."""
    if turn.name:
        dropped.append(turn.within("name", "."))
    rest: list[Block] = []
    for block in turn.blocks:
        if isinstance(block, ToolResult):
            message = _message("tool", block.content, turn, dropped)
            if block.error:
                message["content"] = f"Error: {message['content']}" if message["content"] else "Error"
            yield message | {"tool_name": block.name or block.id, "tool_call_id": block.id}
        else:
            rest.append(block)
    if rest:
        yield _spoken(turn, rest, to, dropped)


def _spoken(turn: Turn, blocks: list[Block], to: Recipient, dropped: list[str]) -> dict[str, Any]:
    said = [block for block in blocks if not isinstance(block, ToolUse | Thinking)]
    message = _message("system" if turn.role == "developer" else turn.role, said, turn, dropped)
    thoughts = [block for block in blocks if isinstance(block, Thinking)]
    # What is sealed is another wire's; words without a seal are what this one sends, and its models want back.
    words = "".join(block.text for block in thoughts if block.seal is None)
    if words and turn.role == "assistant" and "thinking" in to.capabilities:
        message["thinking"] = words
    elif words:
        dropped.append("thinking")
    if any(block.seal is not None for block in thoughts):
        dropped.append("thinking")
    calls = [block for block in blocks if isinstance(block, ToolUse)]
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "function": {"index": index, "name": call.name, "arguments": arguments_of(call.arguments)}}
            for index, call in enumerate(calls)
        ]
    return message


def _message(role: str, blocks: Iterable[Block], turn: Turn, dropped: list[str]) -> dict[str, Any]:
    texts: list[str] = []
    images: list[str] = []
    for block in blocks:
        match block:
            case Text():
                texts.append(block.text)
            case File() if block.text:
                texts.append(block.text)
                if block.name:
                    dropped.append(turn.within("file name"))
            case Image() if block.data:
                images.append(block.data)
                if block.detail not in ("", "auto"):
                    dropped.append(turn.within("image detail"))
            case _:
                dropped.append(turn.within(type(block).__name__.lower()))
    message: dict[str, Any] = {"role": role, "content": "\n".join(texts)}
    return message | ({"images": images} if images else {})
