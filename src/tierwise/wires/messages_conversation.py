"""How does a Messages request become a conversation, and a conversation such a request?

Source: Anthropic's published API reference (Messages, extended thinking, tool use; read 2026-11).
Invariant: a member that is not read here is named in `foreign`, a field that is not written here in `dropped`.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from tierwise.core.call import Call
from tierwise.core.conversation import (
    Block,
    Conversation,
    Effort,
    File,
    Format,
    Image,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from tierwise.wires.hints import PREFIX
from tierwise.wires.messages_reply import arguments_of
from tierwise.wires.messages_request import REDACTED, SIGNED, WIRE, headers_of, seal_of
from tierwise.wires.seals import fits
from tierwise.wires.wire import EncodedRequest, Recipient

DEFAULT_MAX_TOKENS = 4096
"""The wire wants a limit; where neither caller nor model has one, this is it."""
LEAST_BUDGET_TOKENS = 1024

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_SAME = ("temperature", "top_p", "top_k")
_UNKNOWN = (
    "seed", "n", "logprobs", "top_logprobs", "frequency_penalty", "presence_penalty", "logit_bias", "verbosity",
)  # fmt: skip
_READ = frozenset(_SAME) | {
    "model", "messages", "system", "stream", "max_tokens", "stop_sequences", "tools", "tool_choice", "thinking",
    "output_config", "output_format",
}  # fmt: skip
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_EFFORTS: dict[str, Effort] = {"low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}
"""Tokens that stand for an effort at endpoints that only know a budget."""


# reading


def read_conversation(call: Call) -> Conversation:
    """Read a call of this wire."""
    tree: dict[str, Any] = _decode(call.body)
    foreign = [name for name, value in tree.items() if name not in _READ and value is not None and name != "metadata"]
    metadata = tree.get("metadata") or {}
    foreign += [f"metadata.{name}" for name in metadata if name != "user_id" and not name.startswith(PREFIX)]
    config = tree.get("output_config") or {}
    foreign += [f"output_config.{name}" for name in config if name not in ("format", "effort")]
    wanted = config.get("format") or tree.get("output_format")
    choice = tree.get("tool_choice")
    return Conversation(
        turns=(*_system(tree.get("system")), *_turns(tree["messages"], foreign)),
        tools=tuple(_tools(tree, foreign)),
        tool_choice=_tool_choice(choice),
        parallel_tools=False if choice and choice.get("disable_parallel_tool_use") else None,
        format=None if wanted is None else Format(kind="schema", schema=wanted["schema"], strict=True),
        reasoning=_reasoning(tree.get("thinking"), config.get("effort")),
        max_output_tokens=tree.get("max_tokens"),
        stop=tuple(tree.get("stop_sequences") or ()),
        user=metadata.get("user_id"),
        spelled={
            "max_output_tokens": "max_tokens", "stop": "stop_sequences", "user": "metadata.user_id",
            "parallel_tools": "tool_choice.disable_parallel_tool_use", "reasoning": "thinking",
            "format": "output_config.format",
        },
        foreign=tuple(foreign),
        **{name: tree[name] for name in _SAME if tree.get(name) is not None},
    )  # fmt: skip


def _system(system: str | list[dict[str, Any]] | None) -> Iterator[Turn]:
    if isinstance(system, str):
        if system:
            yield Turn(role="system", blocks=(Text(text=system),), path="system")
    elif system:
        blocks = tuple(Text(text=block["text"], cache="cache_control" in block) for block in system if block["text"])
        if blocks:
            yield Turn(role="system", blocks=blocks, path="system")


def _turns(messages: list[dict[str, Any]], foreign: list[str]) -> Iterator[Turn]:
    names: dict[str, str] = {}
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        content = message["content"]
        if isinstance(content, str):
            blocks: list[Block] = [Text(text=content)] if content else []
        else:
            blocks = [
                read
                for place, block in enumerate(content)
                for read in _block(block, f"{path}.content[{place}]", names, foreign)
            ]
        if message["role"] == "user":  # results first, as the wire itself demands
            blocks.sort(key=lambda block: not isinstance(block, ToolResult))
        if blocks:
            yield Turn(role=message["role"], blocks=tuple(blocks), path=path)


def _block(block: dict[str, Any], path: str, names: dict[str, str], foreign: list[str]) -> Iterator[Block]:
    if block.get("citations"):
        foreign.append(f"{path}.citations")
    match block["type"]:
        case "text":
            if block["text"]:
                yield Text(text=block["text"], cache="cache_control" in block)
        case "thinking" | "redacted_thinking":
            yield Thinking(text=block.get("thinking") or "", seal=seal_of(block))
        case "tool_use":
            names[block["id"]] = block["name"]
            yield ToolUse(id=block["id"], name=block["name"], arguments=_encode(block["input"]).decode())
        case "tool_result":
            content = block.get("content")
            inner = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
            found = [
                read
                for place, part in enumerate(inner)
                for read in _block(part, f"{path}.content[{place}]", names, foreign)
            ]
            yield ToolResult(
                id=block["tool_use_id"],
                name=names.get(block["tool_use_id"], ""),
                content=tuple(part for part in found if isinstance(part, Text | Image | File)),
                error=bool(block.get("is_error")),
            )
        case "image" if block["source"]["type"] in ("base64", "url"):
            source = block["source"]
            yield Image(
                url=source.get("url") or "", data=source.get("data") or "", media_type=source.get("media_type") or ""
            )
        case "document" if block["source"]["type"] in ("base64", "url", "text"):
            yield _document(block)
        case kind:
            foreign.append(f"{path}: {kind[:64]}")


def _document(block: dict[str, Any]) -> File:
    source, name = block["source"], block.get("title") or ""
    if source["type"] == "text":
        return File(name=name, text=source["data"], media_type="text/plain")
    return File(
        name=name,
        url=source.get("url") or "",
        data=source.get("data") or "",
        media_type=source.get("media_type") or "application/pdf",
    )


def _tools(tree: dict[str, Any], foreign: list[str]) -> Iterator[Tool]:
    for index, tool in enumerate(tree.get("tools") or ()):
        if tool.get("type") in (None, "custom"):
            yield Tool(
                name=tool["name"],
                description=tool.get("description") or "",
                parameters=tool["input_schema"],
                strict=tool.get("strict"),
            )
        else:
            foreign.append(f"tools[{index}]: {str(tool['type'])[:64]}")


def _tool_choice(choice: dict[str, Any] | None) -> ToolChoice | None:
    match choice and choice["type"]:
        case "any":
            return ToolChoice(mode="required")
        case "tool" if choice:
            return ToolChoice(mode="named", name=choice["name"])
        case "none":
            return ToolChoice(mode="none")
        case "auto":
            return ToolChoice(mode="auto")
        case _:
            return None


def _reasoning(thinking: dict[str, Any] | None, effort: str | None) -> Reasoning | None:
    asked = _EFFORTS.get(effort or "")
    if thinking is None:
        return None if asked is None else Reasoning(effort=asked)
    if thinking["type"] == "disabled":
        return Reasoning(effort="none")
    return Reasoning(effort=asked, budget_tokens=thinking.get("budget_tokens"), visible=True)


# writing


def encode_request(conversation: Conversation, to: Recipient) -> EncodedRequest:
    """Write a request that came on another wire."""
    asked = conversation
    dropped = list(asked.foreign)
    system, messages = _write_turns(asked, to, dropped)
    limit = asked.max_output_tokens or to.max_output_tokens or DEFAULT_MAX_TOKENS
    body: dict[str, Any] = {"model": to.served_name, "max_tokens": limit, "messages": messages}
    if system:
        body["system"] = system
    if to.stream:
        body["stream"] = True
    dropped += [asked.name(name) for name in _UNKNOWN if getattr(asked, name) not in (None, {}, False)]
    if asked.n == 1:
        dropped.remove(asked.name("n"))
    if asked.stop:
        body["stop_sequences"] = list(asked.stop)
    if asked.user:
        body["metadata"] = {"user_id": asked.user}
    _write_tools(body, asked)
    _write_reasoning(body, asked, to, dropped)
    _write_sampling(body, asked, dropped)
    if asked.format is not None:
        _write_format(body, asked, dropped)
    return EncodedRequest(
        path="/messages", body=_encode(body), dropped=tuple(dict.fromkeys(dropped)), headers=headers_of()
    )


def safe_id(ident: str) -> str:
    """Return an id that this wire takes: the same one where it can, else one that is always made of it."""
    if _ID.fullmatch(ident):
        return ident
    return "toolu_" + hashlib.sha256(ident.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _write_turns(
    asked: Conversation, to: Recipient, dropped: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    system: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    for turn in asked.turns:
        role = "assistant" if turn.role == "assistant" else "user"
        if turn.name:
            dropped.append(f"{turn.path}.name")
        blocks = [written for block in turn.blocks for written in _write_block(block, turn, to, dropped)]
        if turn.role in ("system", "developer"):
            if not messages:
                system += blocks
                continue
            dropped.append(f"{turn.path}.role")
        if not blocks:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    if not messages or messages[0]["role"] == "assistant":
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": "."}]})
    for message in messages:
        message["content"].sort(key=lambda block: block["type"] != "tool_result" and message["role"] == "user")
    last = messages[-1]
    if last["role"] == "assistant" and last["content"][-1]["type"] == "text":
        last["content"][-1]["text"] = last["content"][-1]["text"].rstrip() or "."
    return system, messages


def _write_block(block: Block, turn: Turn, to: Recipient, dropped: list[str]) -> Iterator[dict[str, Any]]:
    match block:
        case Text():
            if block.text.strip():  # the wire refuses blocks of white space
                written: dict[str, Any] = {"type": "text", "text": block.text}
                yield written | ({"cache_control": {"type": "ephemeral"}} if block.cache else {})
        case Thinking():
            if block.seal is None or to.unseal or not fits(block.seal, WIRE, to.endpoint):
                dropped.append("thinking")
            elif block.seal.data.startswith(REDACTED):
                yield {"type": "redacted_thinking", "data": block.seal.data.removeprefix(REDACTED)}
            else:
                yield {"type": "thinking", "thinking": block.text, "signature": block.seal.data.removeprefix(SIGNED)}
        case ToolUse():
            yield {
                "type": "tool_use",
                "id": safe_id(block.id),
                "name": block.name,
                "input": arguments_of(block.arguments),
            }
        case ToolResult():
            content = [written for part in block.content for written in _write_block(part, turn, to, dropped)]
            result: dict[str, Any] = {"type": "tool_result", "tool_use_id": safe_id(block.id)}
            if content:
                result["content"] = content
            yield result | ({"is_error": True} if block.error else {})
        case Image():
            if block.detail not in ("", "auto"):
                dropped.append(f"{turn.path}: image detail")
            yield {"type": "image", "source": _source(block)}
        case File():
            yield from _write_file(block, turn, dropped)


def _source(block: Image | File) -> dict[str, Any]:
    if block.url:
        return {"type": "url", "url": block.url}
    default = "image/png" if isinstance(block, Image) else "application/pdf"
    return {"type": "base64", "media_type": block.media_type or default, "data": block.data}


def _write_file(file: File, turn: Turn, dropped: list[str]) -> Iterator[dict[str, Any]]:
    titled = {"title": file.name} if file.name else {}
    if file.text:
        source = {"type": "text", "media_type": "text/plain", "data": file.text}
        yield {"type": "document", "source": source} | titled
    elif file.url or (file.data and file.media_type in ("", "application/pdf")):
        yield {"type": "document", "source": _source(file)} | titled
    else:
        dropped.append(f"{turn.path}: {file.media_type or 'file'}")


def _write_tools(body: dict[str, Any], asked: Conversation) -> None:
    if asked.tools:
        body["tools"] = [
            {"name": tool.name, "input_schema": {"type": "object"} | tool.parameters}
            | ({"description": tool.description} if tool.description else {})
            | ({"strict": True} if tool.strict else {})
            for tool in asked.tools
        ]
    choice = asked.tool_choice
    if choice is not None:
        kinds = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}
        body["tool_choice"] = {"type": kinds[choice.mode]} | ({"name": choice.name} if choice.mode == "named" else {})
    if asked.parallel_tools is False and asked.tools and (choice is None or choice.mode != "none"):
        body.setdefault("tool_choice", {"type": "auto"})["disable_parallel_tool_use"] = True


def _write_reasoning(body: dict[str, Any], asked: Conversation, to: Recipient, dropped: list[str]) -> None:
    """Turn thinking on where the endpoint can and the wire's own rules let it."""
    reasoning = asked.reasoning
    if reasoning is None:
        return
    if reasoning.effort == "none":
        body["thinking"] = {"type": "disabled"}
        return
    budget = reasoning.budget_tokens or _BUDGETS.get(reasoning.effort or "", _BUDGETS["medium"])
    budget = min(budget, body["max_tokens"] - 1)
    forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
    if "thinking" not in to.capabilities or budget < LEAST_BUDGET_TOKENS or forced or _loop_without_thinking(body):
        dropped.append(asked.name("reasoning"))
        return
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _loop_without_thinking(body: dict[str, Any]) -> bool:
    """Say whether a tool loop is open whose calls do not begin with thinking: the wire then refuses to think."""
    messages = body["messages"]
    if len(messages) < 2 or not any(block["type"] == "tool_result" for block in messages[-1]["content"]):
        return False
    return messages[-2]["content"][0]["type"] not in ("thinking", "redacted_thinking")


def _write_sampling(body: dict[str, Any], asked: Conversation, dropped: list[str]) -> None:
    thinks = body.get("thinking", {}).get("type") == "enabled"
    for name in _SAME:
        value = getattr(asked, name)
        if value is None:
            continue
        if (name == "temperature" and value > 1) or (thinks and name in ("temperature", "top_k")):
            dropped.append(asked.name(name))
        else:
            body[name] = value


def _write_format(body: dict[str, Any], asked: Conversation, dropped: list[str]) -> None:
    wanted = asked.format
    if wanted is not None and wanted.kind == "schema":
        body["output_config"] = {"format": {"type": "json_schema", "schema": wanted.schema}}
    else:
        dropped.append(asked.name("format"))
