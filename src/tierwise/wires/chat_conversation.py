"""How does a Chat Completions request become a conversation, and a conversation such a request?

Source: OpenAI's published API description (Chat Completions, read 2026-07).
Invariant: a member that is not read here is named in `foreign`, a field that is not written here in `dropped`.
"""

from collections.abc import Iterator
from typing import Any, get_args

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
from tierwise.wires.media import DATA_URL, data_url, split_data_url
from tierwise.wires.wire import EncodedRequest, Recipient

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_SAME = (
    "temperature", "top_p", "top_k", "seed", "n", "logprobs", "top_logprobs", "frequency_penalty", "presence_penalty",
    "logit_bias", "user", "verbosity",
)  # fmt: skip
_READ = frozenset(_SAME) | {
    "model", "messages", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "response_format",
    "max_tokens", "max_completion_tokens", "stop", "reasoning_effort", "functions", "function_call",
}  # fmt: skip
_MESSAGE = frozenset(
    ("role", "content", "name", "refusal", "tool_calls", "tool_call_id", "reasoning_content", "reasoning")
)


# reading


def read_conversation(call: Call) -> Conversation:
    """Read a call of this wire."""
    tree: dict[str, Any] = _decode(call.body)
    foreign = [name for name, value in tree.items() if name not in _READ and value is not None and name != "metadata"]
    if any(not is_hint(name) for name in tree.get("metadata") or ()):
        foreign.append("metadata")
    turns = _turns(tree["messages"], foreign)
    stop = tree.get("stop")
    limit = "max_completion_tokens" if tree.get("max_completion_tokens") is not None else "max_tokens"
    fields: dict[str, Any] = {name: tree[name] for name in _SAME if tree.get(name) is not None}
    effort = tree.get("reasoning_effort")
    if effort not in (None, *get_args(Effort)):
        foreign.append("reasoning_effort")
        effort = None
    return Conversation(
        turns=turns,
        tools=tuple(_tools(tree, foreign)),
        tool_choice=_tool_choice(tree.get("tool_choice"), foreign),
        parallel_tools=tree.get("parallel_tool_calls"),
        format=_format(tree.get("response_format")),
        reasoning=None if effort is None else Reasoning(effort=effort),
        max_output_tokens=tree.get(limit),
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        spelled={
            "max_output_tokens": limit, "format": "response_format", "parallel_tools": "parallel_tool_calls",
            "reasoning": "reasoning_effort",
        },
        foreign=tuple(foreign),
        **fields,
    )  # fmt: skip


def _turns(messages: list[dict[str, Any]], foreign: list[str]) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    names: dict[str, str] = {}
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        role = message["role"]
        foreign += [
            f"{path}.{name}" for name, value in message.items() if name not in _MESSAGE and value not in (None, [], "")
        ]
        content = tuple(_content(message.get("content"), f"{path}.content", foreign))
        if role in ("tool", "function"):
            ident = message.get("tool_call_id") or message.get("name") or ""
            kept = tuple(block for block in content if isinstance(block, Text | Image | File))
            block = ToolResult(id=ident, name=names.get(ident, message.get("name") or ""), content=kept)
            if turns and turns[-1].role == "user" and isinstance(turns[-1].blocks[-1], ToolResult):
                turns[-1] = msgspec.structs.replace(turns[-1], blocks=(*turns[-1].blocks, block))
            else:
                turns.append(Turn(role="user", blocks=(block,), path=path))
            continue
        blocks: list[Block] = list(content)
        if role == "assistant":
            blocks = [*_thinking(message), *content, *_calls(message, names)]
        if blocks:
            turns.append(Turn(role=role, blocks=tuple(blocks), path=path, name=message.get("name") or ""))
    return tuple(turns)


def _thinking(message: dict[str, Any]) -> Iterator[Thinking]:
    said = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(said, str):
        yield Thinking(text=said)


def _calls(message: dict[str, Any], names: dict[str, str]) -> Iterator[Block]:
    if message.get("refusal"):
        yield Text(text=message["refusal"], refusal=True)
    for call in message.get("tool_calls") or ():
        function = call.get("function")
        if function:
            names[call["id"]] = function["name"]
            yield ToolUse(id=call["id"], name=function["name"], arguments=function["arguments"] or "{}")
    called = message.get("function_call")
    if called:
        names[called["name"]] = called["name"]
        yield ToolUse(id=called["name"], name=called["name"], arguments=called["arguments"] or "{}")


def _content(content: Any, path: str, foreign: list[str]) -> Iterator[Block]:
    if isinstance(content, str):
        if content:
            yield Text(text=content)
        return
    for index, block in enumerate(content or ()):
        kind = block["type"]
        if kind == "text":
            yield Text(text=block.get("text") or "", cache="cache_control" in block)
        elif kind == "refusal":
            yield Text(text=block.get("refusal") or "", refusal=True)
        elif kind == "image_url" and block.get("image_url"):
            picture = block["image_url"]
            yield _image(picture["url"], picture.get("detail") or "")
        elif kind == "file" and (block.get("file") or {}).get("file_data"):
            media_type, data = split_data_url(block["file"]["file_data"])
            yield File(name=block["file"].get("filename") or "", data=data, media_type=media_type)
        elif kind == "input_audio" and block.get("input_audio"):
            audio = block["input_audio"]
            yield File(data=audio["data"], media_type=f"audio/{audio.get('format') or 'wav'}")
        else:
            foreign.append(f"{path}[{index}]: {kind[:64]}")


def _image(url: str, detail: str) -> Image:
    if url[:5].lower() == DATA_URL:
        media_type, data = split_data_url(url)
        return Image(data=data, media_type=media_type, detail=detail)
    return Image(url=url, detail=detail)


def _tools(tree: dict[str, Any], foreign: list[str]) -> Iterator[Tool]:
    for index, tool in enumerate(tree.get("tools") or ()):
        function = tool.get("function")
        if tool.get("type") == "function" and function:
            yield _tool(function)
        else:
            foreign.append(f"tools[{index}]: {str(tool.get('type'))[:64]}")
    for function in tree.get("functions") or ():
        yield _tool(function)


def _tool(function: dict[str, Any]) -> Tool:
    return Tool(
        name=function["name"],
        description=function.get("description") or "",
        parameters=function.get("parameters") or {},
        strict=function.get("strict"),
    )


def _tool_choice(value: Any, foreign: list[str]) -> ToolChoice | None:
    if value in ("auto", "none", "required"):
        return ToolChoice(mode=value)
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        return ToolChoice(mode="named", name=str(value["function"].get("name") or ""))
    if value is not None:
        foreign.append("tool_choice")
    return None


def _format(wanted: dict[str, Any] | None) -> Format | None:
    if wanted is None or wanted["type"] == "text":
        return None
    schema = wanted.get("json_schema") or {}
    if schema:
        return Format(
            kind="schema", schema=schema["schema"], name=schema.get("name") or "answer", strict=schema.get("strict")
        )
    if wanted.get("schema"):
        return Format(kind="schema", schema=wanted["schema"])
    return Format(kind="json")


# writing


def encode_request(conversation: Conversation, to: Recipient) -> EncodedRequest:
    """Write a request that came on another wire."""
    asked = conversation
    dropped = list(asked.foreign)
    if asked.marks_cache:
        dropped.append("cache_control")
    body: dict[str, Any] = {"model": to.served_name, "messages": list(_messages(asked, dropped))}
    if to.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    for name in _SAME:
        value = getattr(asked, name)
        if value is not None and value is not False and value != {}:
            body[name] = value
    if asked.max_output_tokens is not None:
        body["max_tokens"] = asked.max_output_tokens
    if asked.stop:
        body["stop"] = list(asked.stop)
    if to.logprobs:
        body["logprobs"] = True
    if asked.reasoning is not None:
        _write_reasoning(body, asked, to, dropped)
    _write_tools(body, asked, dropped)
    if asked.format is not None:
        body["response_format"] = _write_format(asked.format)
    return EncodedRequest(path="/chat/completions", body=_encode(body), dropped=tuple(dict.fromkeys(dropped)))


def _write_reasoning(body: dict[str, Any], asked: Conversation, to: Recipient, dropped: list[str]) -> None:
    reasoning = asked.reasoning
    if reasoning is not None and reasoning.effort is not None and "thinking" in to.capabilities:
        body["reasoning_effort"] = reasoning.effort
    elif reasoning is not None and (reasoning.effort or reasoning.budget_tokens or reasoning.visible):
        dropped.append(asked.name("reasoning"))


def _write_tools(body: dict[str, Any], asked: Conversation, dropped: list[str]) -> None:
    choice = asked.tool_choice
    if not asked.tools:  # the wire refuses a choice among none
        if choice is not None and choice.mode in ("required", "named"):
            dropped.append(asked.name("tool_choice"))
        return
    body["tools"] = [{"type": "function", "function": _write_tool(tool)} for tool in asked.tools]
    if choice is not None:
        named = {"type": "function", "function": {"name": choice.name}}
        body["tool_choice"] = named if choice.mode == "named" else choice.mode
    if asked.parallel_tools is not None:
        body["parallel_tool_calls"] = asked.parallel_tools


def _write_tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters:
        function["parameters"] = tool.parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    return function


def _write_format(wanted: Format) -> dict[str, Any]:
    if wanted.kind == "json":
        return {"type": "json_object"}
    schema: dict[str, Any] = {"name": wanted.name, "schema": wanted.schema}
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": schema}


def _messages(asked: Conversation, dropped: list[str]) -> Iterator[dict[str, Any]]:
    for turn in asked.turns:
        named = {"name": turn.name} if turn.name else {}
        if turn.role == "assistant":
            yield _assistant(turn, dropped) | named
            continue
        results = [block for block in turn.blocks if isinstance(block, ToolResult)]
        shown: list[dict[str, Any]] = []
        for result in results:
            yield {"role": "tool", "tool_call_id": result.id, "content": _result(result, shown, turn, dropped)}
        content = shown + [
            part for block in turn.blocks if not isinstance(block, ToolResult)
            for part in _part(block, turn, dropped)
        ]  # fmt: skip
        if content:
            yield {"role": turn.role, "content": _joined(content)} | named


def _assistant(turn: Turn, dropped: list[str]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant"}
    text = "".join(block.text for block in turn.blocks if isinstance(block, Text) and not block.refusal)
    refusal = "".join(block.text for block in turn.blocks if isinstance(block, Text) and block.refusal)
    calls = [
        {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": block.arguments or "{}"}}
        for block in turn.blocks
        if isinstance(block, ToolUse)
    ]
    message["content"] = text or (None if calls or refusal else "")
    if refusal:
        message["refusal"] = refusal
    if calls:
        message["tool_calls"] = calls
    for block in turn.blocks:
        if isinstance(block, Thinking):
            dropped.append(turn.within("thinking"))
        elif isinstance(block, Image | File):
            dropped.append(turn.within(type(block).__name__.lower()))
    return message


def _result(result: ToolResult, shown: list[dict[str, Any]], turn: Turn, dropped: list[str]) -> str:
    """Write a tool's answer. Pictures have no place in it on this wire; they follow in the user's message."""
    texts = [block.text for block in result.content if isinstance(block, Text)]
    for block in result.content:
        if not isinstance(block, Text):
            shown += [{"type": "text", "text": f"From the tool call {result.id}:"}, *_part(block, turn, dropped)]
    if result.error:
        texts.insert(0, "Error: " if texts else "Error")
    return "".join(texts)


def _part(block: Block, turn: Turn, dropped: list[str]) -> Iterator[dict[str, Any]]:
    if isinstance(block, File) and block.name and (block.text or block.media_type.startswith("audio/")):
        dropped.append(turn.within("file name"))
    match block:
        case Text():
            yield {"type": "text", "text": block.text}
        case Image():
            picture = {"url": block.url or data_url(block.media_type, block.data)}
            yield {"type": "image_url", "image_url": picture | ({"detail": block.detail} if block.detail else {})}
        case File(text=str(text)) if text:
            yield {"type": "text", "text": text}
        case File(media_type=str(kind)) if kind.startswith("audio/"):
            yield {"type": "input_audio", "input_audio": {"data": block.data, "format": kind.removeprefix("audio/")}}
        case File(data=str(data)) if data:
            file = {"filename": block.name or "document", "file_data": data_url(block.media_type, data)}
            yield {"type": "file", "file": file}
        case _:
            dropped.append(turn.within(type(block).__name__.lower()))


def _joined(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return one text as text: many small servers read nothing else."""
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts
