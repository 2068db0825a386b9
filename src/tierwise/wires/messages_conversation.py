"""How does a Messages request become a conversation, and a conversation such a request?

Source: Anthropic's published API reference (Messages, thinking, structured outputs, tool use; read 2026-11).
Invariant: a member that is not read here is named in `foreign`, a field that is not written here in `dropped`.
"""

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
from tierwise.wires.hints import is_hint
from tierwise.wires.messages_model import (
    ADAPTIVE,
    NO_SAMPLING,
    ONE_SAMPLER,
    THINKS_UNASKED,
    most_output_tokens,
    thinks_always,
    version_of,
)
from tierwise.wires.messages_request import headers_of
from tierwise.wires.messages_schema import fitted
from tierwise.wires.messages_seals import seal_of
from tierwise.wires.messages_turns import write_turns
from tierwise.wires.wire import EncodedRequest, Recipient

DEFAULT_MAX_TOKENS = 4096
"""The wire wants a limit; where neither caller nor registry has one, and the model's name tells none, this is it."""
BYTES_PER_TOKEN = 2
"""At least: prose has about four."""
LEAST_BUDGET_TOKENS = 1024
LEAST_TOP_P_THINKING = 0.95

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_SAME = ("temperature", "top_p", "top_k")
_UNKNOWN = (
    "n", "logprobs", "top_logprobs", "frequency_penalty", "presence_penalty", "logit_bias", "verbosity", "seed",
)  # fmt: skip
_READ = frozenset(_SAME) | {
    "model", "messages", "system", "stream", "max_tokens", "stop_sequences", "tools", "tool_choice", "thinking",
    "output_config", "output_format",
}  # fmt: skip
_BLOCK = {
    "text": frozenset(("type", "text", "cache_control")),
    "image": frozenset(("type", "source")),
    "document": frozenset(("type", "source", "title")),
    "tool_use": frozenset(("type", "id", "name", "input")),
    "tool_result": frozenset(("type", "tool_use_id", "content", "is_error")),
    "thinking": frozenset(("type", "thinking", "signature")),
    "redacted_thinking": frozenset(("type", "data")),
}
_TOOL = frozenset(("name", "type", "description", "input_schema", "strict"))
_THINKING = frozenset(("type", "budget_tokens", "display"))
_EFFORTS: dict[str, Effort] = {"low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_BUDGETS: dict[str, int] = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 65536}
"""Tokens that stand for an effort at models that only know a budget, and an effort for tokens at the others."""
_NOTHING: tuple[Any, ...] = (None, False, [], {}, {"enabled": False}, {"type": "direct"})
"""What may be given and means no more than if it were not."""
_CHOICES = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}
_MESSAGE = frozenset(("role", "content"))
_FORCED = frozenset(("required", "named"))
"""Choices that are refused while a model thinks."""


# reading


def read_conversation(call: Call) -> Conversation:
    """Read a call of this wire."""
    tree: dict[str, Any] = _decode(call.body)
    foreign = [name for name, value in tree.items() if name not in _READ and value is not None and name != "metadata"]
    metadata = tree.get("metadata") or {}
    foreign += [f"metadata.{name}" for name in metadata if name != "user_id" and not is_hint(name)]
    config = tree.get("output_config") or {}
    foreign += _unread("output_config", config, frozenset(("format", "effort")))
    wanted = config.get("format") or tree.get("output_format")
    choice = tree.get("tool_choice")
    tools = tuple(_tools(tree, foreign))
    return Conversation(
        turns=(*_system(tree.get("system"), foreign), *_turns(tree["messages"], foreign)),
        tools=tools,
        tool_choice=_tool_choice(choice, tools, foreign),
        parallel_tools=False if tools and choice and choice.get("disable_parallel_tool_use") else None,
        format=None if wanted is None else Format(kind="schema", schema=wanted["schema"], strict=True),
        reasoning=_reasoning(tree.get("thinking"), config.get("effort"), foreign),
        max_output_tokens=_limit(tree.get("max_tokens"), foreign),
        stop=tuple(tree.get("stop_sequences") or ()),
        user=metadata.get("user_id"),
        spelled={
            "max_output_tokens": "max_tokens", "stop": "stop_sequences", "user": "metadata.user_id",
            "parallel_tools": "tool_choice.disable_parallel_tool_use", "reasoning": "thinking",
            "format": "output_config.format" if config.get("format") else "output_format",
        },
        foreign=tuple(foreign),
        **{name: tree[name] for name in _SAME if tree.get(name) is not None},
    )  # fmt: skip


def _limit(max_tokens: int | None, foreign: list[str]) -> int | None:
    """Return the limit; an answer without a word, which fills the prompt cache, is one of a single token elsewhere."""
    if max_tokens == 0:
        foreign.append("max_tokens")
        return 1
    return max_tokens


def _unread(path: str, value: dict[str, Any], read: frozenset[str]) -> list[str]:
    """Name what is given and not read; marks for the prompt cache under one name."""
    if value.keys() <= read:  # nearly always, and a request may have very many blocks
        return []
    given = (name for name, inner in value.items() if name not in read and inner not in _NOTHING)
    return ["cache_control" if name == "cache_control" else f"{path}.{name}" for name in given]


def _system(system: str | list[dict[str, Any]] | None, foreign: list[str]) -> Iterator[Turn]:
    blocks = tuple(_content(system, "system", {}, foreign))
    if blocks:
        yield Turn(role="system", blocks=blocks, path="system")


def _turns(messages: list[dict[str, Any]], foreign: list[str]) -> tuple[Turn, ...]:
    turns: list[tuple[Any, str, list[Block]]] = []
    names: dict[str, str] = {}
    for index, message in enumerate(messages):
        path, role = f"messages[{index}]", message["role"]
        blocks = list(_content(message["content"], f"{path}.content", names, foreign))
        foreign += _unread(path, message, _MESSAGE)
        if not blocks:
            continue
        results = role == "user" and any(isinstance(block, ToolResult) for block in blocks)
        if results and turns and turns[-1][0] == "user":  # one turn on this wire: results stay together
            turns[-1][2].extend(blocks)
        else:
            turns.append((role, path, blocks))
    return tuple(Turn(role=role, blocks=_results_first(blocks), path=path) for role, path, blocks in turns)


def _results_first(blocks: list[Block]) -> tuple[Block, ...]:
    if len(blocks) == 1:
        return (blocks[0],)
    return tuple(sorted(blocks, key=lambda block: not isinstance(block, ToolResult)))


def _content(content: Any, path: str, names: dict[str, str], foreign: list[str]) -> Iterator[Block]:
    if isinstance(content, str):
        if content:
            yield Text(text=content)
        return
    for place, block in enumerate(content or ()):
        yield from _block(block, f"{path}[{place}]", names, foreign)


def _block(block: dict[str, Any], path: str, names: dict[str, str], foreign: list[str]) -> Iterator[Block]:
    kind = block["type"]
    foreign += _unread(path, block, _BLOCK.get(kind, frozenset(block)))
    match kind:
        case "text":
            if block["text"]:
                yield Text(text=block["text"], cache=block.get("cache_control") is not None)
        case "thinking" | "redacted_thinking":
            yield Thinking(text=block.get("thinking") or "", seal=seal_of(block))
        case "tool_use":
            names[block["id"]] = block["name"]
            yield ToolUse(id=block["id"], name=block["name"], arguments=_encode(block["input"]).decode())
        case "tool_result":
            found = _content(block.get("content"), f"{path}.content", names, foreign)
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
        case "document" if (read := _document(block)) is not None:
            yield read
        case _:
            foreign.append(f"{path}: {kind[:64]}")


def _document(block: dict[str, Any]) -> File | None:
    source, name = block["source"], block.get("title") or ""
    match source["type"]:
        case "text":
            return File(name=name, text=source["data"], media_type="text/plain")
        case "content":
            inner = source["content"]
            parts = [{"type": "text", "text": inner}] if isinstance(inner, str) else inner
            if all(part["type"] == "text" for part in parts):
                return File(name=name, text="\n".join(part["text"] for part in parts), media_type="text/plain")
        case "url":
            return File(name=name, url=source["url"], media_type="application/pdf")
        case "base64":
            return File(name=name, data=source["data"], media_type=source.get("media_type") or "application/pdf")
    return None


def _tools(tree: dict[str, Any], foreign: list[str]) -> Iterator[Tool]:
    for index, tool in enumerate(tree.get("tools") or ()):
        if tool.get("type") in (None, "custom"):
            foreign += _unread(f"tools[{index}]", tool, _TOOL)
            yield Tool(
                name=tool["name"],
                description=tool.get("description") or "",
                parameters=tool["input_schema"],
                strict=tool.get("strict"),
            )
        else:
            foreign.append(f"tools[{index}]: {tool['type'][:64]}")


def _tool_choice(choice: dict[str, Any] | None, tools: tuple[Tool, ...], foreign: list[str]) -> ToolChoice | None:
    match choice and choice["type"]:
        case "any" if tools:
            return ToolChoice(mode="required")
        case "tool" if choice and any(tool.name == choice["name"] for tool in tools):
            return ToolChoice(mode="named", name=choice["name"])
        case "none" if tools:
            return ToolChoice(mode="none")
        case "auto" if tools:
            return ToolChoice(mode="auto")
        case "any" | "tool":  # of a tool that only this wire's servers have
            foreign.append("tool_choice")
    return None


def _reasoning(thinking: dict[str, Any] | None, effort: str | None, foreign: list[str]) -> Reasoning | None:
    asked = _EFFORTS.get(effort or "")
    if effort is not None and (asked is None or (thinking or {}).get("type") == "disabled"):
        foreign.append("output_config.effort")
    if thinking is None:
        return None if asked is None else Reasoning(effort=asked)
    foreign += _unread("thinking", thinking, _THINKING)
    match thinking["type"]:
        case "disabled":
            return Reasoning(effort="none")
        case "enabled" | "adaptive":
            visible = thinking.get("display") != "omitted"
            return Reasoning(effort=asked, budget_tokens=thinking.get("budget_tokens"), visible=visible)
        case kind:
            foreign.append(f"thinking: {kind[:64]}")
            return None if asked is None else Reasoning(effort=asked)


# writing


def encode_request(conversation: Conversation, to: Recipient) -> EncodedRequest:
    """Write a request that came on another wire."""
    asked = conversation
    dropped = list(asked.foreign)
    system, messages = write_turns(asked, to, dropped)
    body: dict[str, Any] = {"model": to.served_name, "max_tokens": asked.max_output_tokens, "messages": messages}
    if system:
        body["system"] = system
    if to.stream:
        body["stream"] = True
    dropped += asked.given(_UNKNOWN)
    stops = [stop for stop in asked.stop if stop.strip()]
    if stops:
        body["stop_sequences"] = stops
    if len(stops) < len(asked.stop):  # the wire refuses white space alone
        dropped.append(asked.name("stop"))
    if asked.user:
        body["metadata"] = {"user_id": asked.user}
    _write_tools(body, asked, to, dropped)
    if asked.max_output_tokens is None:
        body["max_tokens"] = _limit_left(body, to)
    _write_reasoning(body, asked, to, dropped)
    _write_sampling(body, asked, to, dropped)
    if asked.format is not None:
        _write_format(body, asked, asked.format, dropped)
    if not asked.tools and asked.tool_choice is not None and asked.tool_choice.mode in ("required", "named"):
        dropped.append(asked.name("tool_choice"))
    return EncodedRequest(
        path="/messages", body=_encode(body), dropped=tuple(dict.fromkeys(dropped)), headers=headers_of()
    )


def _most_output_tokens(to: Recipient) -> int | None:
    return to.max_output_tokens or most_output_tokens(to.served_name)


def _limit_left(body: dict[str, Any], to: Recipient) -> int:
    """Return the model's own limit, or what its context has left: up to Claude 4.1 the two must fit together."""
    most = _most_output_tokens(to) or DEFAULT_MAX_TOKENS
    if to.context_tokens is None or most <= DEFAULT_MAX_TOKENS:
        return most
    return min(most, max(DEFAULT_MAX_TOKENS, to.context_tokens - len(_encode(body)) // BYTES_PER_TOKEN))


def _write_tools(body: dict[str, Any], asked: Conversation, to: Recipient, dropped: list[str]) -> None:
    if not asked.tools:
        called = dict.fromkeys(
            block.name for turn in asked.turns for block in turn.blocks if isinstance(block, ToolUse)
        )
        if called:  # the wire wants the tools of earlier calls to be known
            body["tools"] = [{"name": name, "input_schema": {"type": "object"}} for name in called]
            body["tool_choice"] = {"type": "none"}
        return
    body["tools"] = [_write_tool(tool, f"tools[{index}]", dropped) for index, tool in enumerate(asked.tools)]
    choice = asked.tool_choice
    if choice is not None and choice.mode in _FORCED and thinks_always(to.served_name):
        dropped.append(asked.name("tool_choice"))
        choice = None
    if choice is not None:
        body["tool_choice"] = {"type": _CHOICES[choice.mode]}
        if choice.mode == "named":
            body["tool_choice"]["name"] = choice.name
    if asked.parallel_tools is False and (choice is None or choice.mode != "none"):
        body.setdefault("tool_choice", {"type": "auto"})["disable_parallel_tool_use"] = True


def _write_tool(tool: Tool, path: str, dropped: list[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"} | tool.parameters
    if tool.strict:
        schema, left_out = fitted(schema)
        dropped += [f"{path}: {keyword}" for keyword in sorted(left_out)]
    written: dict[str, Any] = {"name": tool.name, "input_schema": schema}
    if tool.description:
        written["description"] = tool.description
    if tool.strict:
        written["strict"] = True
    return written


def _write_reasoning(body: dict[str, Any], asked: Conversation, to: Recipient, dropped: list[str]) -> None:
    """Turn thinking on where the model can and the wire's own rules let it, and off where it would think unasked.

    A call that is forced is worth more than thinking: the two exclude each other.
    """
    version, reasoning = version_of(to.served_name), asked.reasoning
    forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
    if forced and version >= THINKS_UNASKED:
        body["thinking"] = {"type": "disabled"}
    if reasoning is None:
        return
    if forced or "thinking" not in to.capabilities:
        if reasoning.effort != "none":
            dropped.append(asked.name("reasoning"))
    elif reasoning.effort == "none":
        if thinks_always(to.served_name):
            dropped.append(asked.name("reasoning"))
        elif version >= THINKS_UNASKED or version < ADAPTIVE:
            body["thinking"] = {"type": "disabled"}
    elif version >= ADAPTIVE:
        body["thinking"] = {"type": "adaptive"} | ({"display": "summarized"} if reasoning.visible else {})
        effort = reasoning.effort or _effort_for(reasoning.budget_tokens)
        if effort is not None:
            if effort == "minimal":
                effort = "low"
            elif effort == "xhigh" and version < NO_SAMPLING:
                effort = "high"
            body["output_config"] = {"effort": effort}
    else:
        _write_budget(body, asked, reasoning, to, dropped)


def _effort_for(budget_tokens: int | None) -> str | None:
    if budget_tokens is None:
        return None
    return next((effort for effort, tokens in _BUDGETS.items() if budget_tokens <= tokens), "max")


def _write_budget(
    body: dict[str, Any], asked: Conversation, reasoning: Reasoning, to: Recipient, dropped: list[str]
) -> None:
    """Give a budget that leaves room for the answer: a limit that nobody set grows with it, any other is shared."""
    limit = body["max_tokens"]
    budget = reasoning.budget_tokens or _BUDGETS[reasoning.effort or "medium"]
    if asked.max_output_tokens is None and _most_output_tokens(to) is None:
        body["max_tokens"] = limit + budget
    else:
        budget = min(budget, limit - 1 if reasoning.budget_tokens else limit // 2)
    if budget < LEAST_BUDGET_TOKENS or _needs_thinking(body["messages"]):
        dropped.append(asked.name("reasoning"))
    else:
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _needs_thinking(messages: list[dict[str, Any]]) -> bool:
    """Say whether manual thinking would be refused: the last words of the assistant's do not begin with theirs.

    That matters where they are to be continued, or where a tool loop is open.
    """
    last = messages[-1]
    if last["role"] == "assistant":
        return True
    if len(messages) < 2 or not any(block["type"] == "tool_result" for block in last["content"]):
        return False
    return messages[-2]["content"][0]["type"] not in ("thinking", "redacted_thinking")


def _write_sampling(body: dict[str, Any], asked: Conversation, to: Recipient, dropped: list[str]) -> None:
    version = version_of(to.served_name)
    thinks = body.get("thinking", {}).get("type") in ("enabled", "adaptive")
    for name in _SAME:
        value = getattr(asked, name)
        if value is None or (version >= NO_SAMPLING and name != "top_k" and value == 1):
            continue
        if (
            version >= NO_SAMPLING
            or (name == "temperature" and value > 1)
            or (thinks and (value < LEAST_TOP_P_THINKING if name == "top_p" else name == "top_k" or value != 1))
            or (name == "top_p" and "temperature" in body and version >= ONE_SAMPLER)
        ):
            dropped.append(asked.name(name))
        else:
            body[name] = value


def _write_format(body: dict[str, Any], asked: Conversation, wanted: Format, dropped: list[str]) -> None:
    if wanted.kind != "schema":
        dropped.append(asked.name("format"))
        return
    schema, left_out = fitted(wanted.schema)
    body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": schema}
    dropped += [f"{asked.name('format')}: {keyword}" for keyword in sorted(left_out)]
