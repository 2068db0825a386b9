"""How does a Responses request become a conversation, and a conversation such a request?

Source: OpenAI's published API description (Responses, read 2026-11).
Invariant: a member that is not read here is named in `foreign`, a field that is not written here in `dropped`.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from tierwise.core.call import Call
from tierwise.core.conversation import (
    Block,
    Conversation,
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
from tierwise.wires.responses_request import CUSTOM_SCHEMA, ENCRYPTED, LOGPROBS_ASKED
from tierwise.wires.responses_sealed import WIRE, seal_of, sealed_in
from tierwise.wires.seals import fits
from tierwise.wires.wire import EncodedRequest, Recipient

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_SAME = ("temperature", "top_p", "top_logprobs", "user")
_UNKNOWN = ("top_k", "stop", "seed", "n", "frequency_penalty", "presence_penalty", "logit_bias")
_READ = frozenset(_SAME) | {
    "model", "input", "instructions", "stream", "store", "background", "tools", "tool_choice", "parallel_tool_calls",
    "text", "reasoning", "max_output_tokens", "include", "metadata", "previous_response_id",
}  # fmt: skip
_NOTHING: tuple[Any, ...] = (None, "", [], {})
_OWN_INCLUDES = frozenset((ENCRYPTED, LOGPROBS_ASKED))
_ITEM = frozenset((
    "type", "id", "status", "role", "content", "call_id", "name", "arguments", "input", "output", "summary",
    "encrypted_content",
))  # fmt: skip
_PART = frozenset((
    "type", "text", "refusal", "annotations", "logprobs", "image_url", "detail", "file_data", "file_url", "filename",
    "file_id",
))  # fmt: skip
MAX_CALL_ID_CHARS = 64
"""Longer ids are refused, whatever their characters (hermes-agent#73492 and ungate#41, 2026-08)."""


# reading


def read_conversation(call: Call) -> Conversation:
    """Read a call of this wire. Free-form tools become functions of one text; the answer turns them back."""
    tree: dict[str, Any] = _decode(call.body)
    foreign = [name for name, value in tree.items() if name not in _READ and value is not None]
    foreign += [f"include: {name}" for name in tree.get("include") or () if name not in _OWN_INCLUDES]
    if any(not is_hint(name) for name in tree.get("metadata") or ()):
        foreign.append("metadata")
    text, reasoning = tree.get("text") or {}, tree.get("reasoning") or {}
    foreign += [f"text.{name}" for name in text if name not in ("format", "verbosity")]
    foreign += [
        f"reasoning.{name}"
        for name in reasoning
        if name not in ("effort", "summary", "generate_summary") and reasoning[name]
    ]
    given = tree["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    instructions = tree.get("instructions")
    first = (Turn(role="system", blocks=(Text(text=instructions),), path="instructions"),) if instructions else ()
    effort = reasoning.get("effort")
    tools = tuple(_tools(tree, foreign))
    return Conversation(
        turns=(*first, *_turns(items, foreign)),
        tools=tools,
        tool_choice=_tool_choice(tree.get("tool_choice"), tools, foreign),
        parallel_tools=tree.get("parallel_tool_calls") if tools else None,
        format=_format(text.get("format")),
        verbosity=text.get("verbosity"),
        reasoning=Reasoning(effort=effort, visible=bool(reasoning.get("summary")) or None) if reasoning else None,
        max_output_tokens=tree.get("max_output_tokens"),
        logprobs=call.features.logprobs,
        spelled={
            "format": "text.format", "verbosity": "text.verbosity", "parallel_tools": "parallel_tool_calls",
            "logprobs": f"include: {LOGPROBS_ASKED}",
        },
        foreign=tuple(foreign),
        **{name: tree[name] for name in _SAME if tree.get(name) is not None},
    )  # fmt: skip


def _turns(items: list[dict[str, Any]], foreign: list[str]) -> tuple[Turn, ...]:
    """Items that follow each other make one turn: reasoning, words and calls of the model; outputs of tools."""
    turns: list[tuple[Any, str, list[Block], bool]] = []
    names: dict[str, str] = {}
    for index, item in enumerate(items):
        path = f"input[{index}]"
        kind = item.get("type", "message")
        role, blocks = "assistant", []
        if kind == "message":
            role = item["role"]
            blocks = list(_content(item["content"], f"{path}.content", foreign))
        elif kind == "reasoning":
            blocks = [Thinking(text=_told(item), seal=seal_of(item))]
        elif kind in ("function_call", "custom_tool_call"):
            names[item["call_id"]] = item["name"]
            arguments = item.get("arguments") if kind == "function_call" else _encode({"input": item["input"]}).decode()
            blocks = [ToolUse(id=item["call_id"], name=item["name"], arguments=arguments or "{}")]
        elif kind in ("function_call_output", "custom_tool_call_output"):
            role = "user"
            blocks = [_result(item, names, path, foreign)]
        else:
            foreign.append(f"{path}: {kind[:64]}")
            continue
        foreign += [f"{path}.{name}" for name in item if name not in _ITEM and item[name] not in _NOTHING]
        if not blocks:
            continue
        results = all(isinstance(block, ToolResult) for block in blocks)
        if turns and turns[-1][0] == role and (role == "assistant" or (turns[-1][3] and results)):
            turns[-1][2].extend(blocks)
        else:
            turns.append((role, path, blocks, results))
    return tuple(Turn(role=role, blocks=tuple(blocks), path=path) for role, path, blocks, _ in turns)


def _told(item: dict[str, Any]) -> str:
    parts = item.get("content") or item.get("summary") or ()
    return "\n\n".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def _result(item: dict[str, Any], names: dict[str, str], path: str, foreign: list[str]) -> ToolResult:
    output = item["output"]
    if not isinstance(output, (str, list)):
        output = _encode(output).decode()
    content = tuple(_content(output, f"{path}.output", foreign))
    kept = tuple(block for block in content if isinstance(block, Text | Image | File))
    return ToolResult(id=item["call_id"], name=names.get(item["call_id"], ""), content=kept)


def _content(content: str | list[dict[str, Any]], path: str, foreign: list[str]) -> Iterator[Block]:
    if isinstance(content, str):
        if content:
            yield Text(text=content)
        return
    for index, part in enumerate(content):
        kind = part["type"]
        foreign += [f"{path}[{index}].{name}" for name in part if name not in _PART and part[name] not in _NOTHING]
        if kind in ("input_text", "output_text", "text", "summary_text"):
            if part.get("annotations"):
                foreign.append(f"{path}[{index}].annotations")
            if part.get("text"):
                yield Text(text=part["text"])
        elif kind == "refusal":
            yield Text(text=part.get("refusal") or "", refusal=True)
        elif kind == "input_image" and part.get("image_url"):
            url, detail = part["image_url"], part.get("detail") or ""
            media_type, data = split_data_url(url) if url[:5].lower() == DATA_URL else ("", "")
            yield Image(url="" if data else url, data=data, media_type=media_type, detail=detail)
        elif kind == "input_file" and (part.get("file_data") or part.get("file_url")):
            media_type, data = split_data_url(part.get("file_data") or "")
            yield File(
                name=part.get("filename") or "", url=part.get("file_url") or "", data=data, media_type=media_type
            )
        else:
            foreign.append(f"{path}[{index}]: {kind[:64]}")


def _tools(tree: dict[str, Any], foreign: list[str]) -> Iterator[Tool]:
    for index, tool in enumerate(tree.get("tools") or ()):
        if tool["type"] == "function":
            yield Tool(
                name=tool["name"],
                description=tool.get("description") or "",
                parameters=tool.get("parameters") or {},
                strict=tool.get("strict"),
            )
        elif tool["type"] == "custom":
            wanted = tool.get("format") or {}
            told = f"\n\nWrite `input` in this grammar:\n{wanted['definition']}" if wanted.get("definition") else ""
            yield Tool(name=tool["name"], description=(tool.get("description") or "") + told, parameters=CUSTOM_SCHEMA)
        else:
            foreign.append(f"tools[{index}]: {tool['type'][:64]}")


def _tool_choice(value: Any, tools: tuple[Tool, ...], foreign: list[str]) -> ToolChoice | None:
    """Read what has to be called; without any tool left there is nothing to choose, and other wires refuse to."""
    if value in ("auto", "none", "required"):
        if tools:
            return ToolChoice(mode=value)
        foreign += ["tool_choice"] if value == "required" else []
        return None
    name = value.get("name") if isinstance(value, dict) and value.get("type") in ("function", "custom") else None
    if any(tool.name == name for tool in tools):
        return ToolChoice(mode="named", name=str(name))
    if value is not None:
        foreign.append("tool_choice")
    return None


def _format(wanted: dict[str, Any] | None) -> Format | None:
    match wanted and wanted["type"]:
        case "json_schema" if wanted:
            name = wanted.get("name") or "answer"
            return Format(kind="schema", schema=wanted["schema"], name=name, strict=wanted.get("strict"))
        case "json_object":
            return Format(kind="json")
        case _:
            return None


# writing


def encode_request(conversation: Conversation, to: Recipient) -> EncodedRequest:
    """Write a request that came on another wire. The endpoint is told to store nothing."""
    asked = conversation
    dropped = list(asked.foreign)
    turns = list(asked.turns)
    body: dict[str, Any] = {"model": to.served_name}
    if len(turns) > 1 and _are_instructions(turns[0]):  # the input must not be empty
        body["instructions"] = "\n\n".join(block.text for block in turns.pop(0).blocks if isinstance(block, Text))
    body["input"] = [item for turn in turns for item in _items(turn, to, dropped)]
    body["store"] = False
    if to.stream:
        body["stream"] = True
    for name in _SAME:
        value = getattr(asked, name)
        if value is not None:
            body[name] = value
    if asked.max_output_tokens is not None:
        body["max_output_tokens"] = asked.max_output_tokens
    dropped += asked.given(_UNKNOWN)
    if asked.marks_cache:
        dropped.append("cache_control")
    include = [LOGPROBS_ASKED] if asked.logprobs else []
    if "thinking" in to.capabilities:
        include.append(ENCRYPTED)
    if include:
        body["include"] = include
    _write_options(body, asked, to, dropped)
    return EncodedRequest(path="/responses", body=_encode(body), dropped=tuple(dict.fromkeys(dropped)))


def _are_instructions(turn: Turn) -> bool:
    """Say whether a turn can be said in words that nobody in particular says."""
    return turn.role == "system" and not turn.name and all(isinstance(block, Text) for block in turn.blocks)


def _write_options(body: dict[str, Any], asked: Conversation, to: Recipient, dropped: list[str]) -> None:
    if asked.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "parameters": tool.parameters or {"type": "object", "properties": {}},
            }
            | ({"description": tool.description} if tool.description else {})
            | {"strict": bool(tool.strict)}  # absent means true on this wire, and that refuses most schemas
            for tool in asked.tools
        ]
    choice = asked.tool_choice
    if choice is not None and asked.tools:
        body["tool_choice"] = {"type": "function", "name": choice.name} if choice.mode == "named" else choice.mode
    elif choice is not None and choice.mode in ("required", "named"):  # the wire refuses a choice among none
        dropped.append(asked.name("tool_choice"))
    if asked.parallel_tools is not None and asked.tools:
        body["parallel_tool_calls"] = asked.parallel_tools
    text: dict[str, Any] = {} if asked.format is None else {"format": _write_format(asked.format)}
    if asked.verbosity is not None:
        text["verbosity"] = asked.verbosity
    if text:
        body["text"] = text
    reasoning = asked.reasoning
    if reasoning is not None and "thinking" in to.capabilities:
        if reasoning.budget_tokens and not reasoning.effort:
            dropped.append(asked.name("reasoning"))
        told = ({"effort": reasoning.effort} if reasoning.effort else {}) | (
            {"summary": "auto"} if reasoning.visible else {}
        )
        if told:
            body["reasoning"] = told
    elif reasoning is not None and reasoning.effort != "none":
        dropped.append(asked.name("reasoning"))


def _write_format(wanted: Format) -> dict[str, Any]:
    if wanted.kind == "json":
        return {"type": "json_object"}
    return {"type": "json_schema", "name": wanted.name, "schema": wanted.schema, "strict": bool(wanted.strict)}


def _items(turn: Turn, to: Recipient, dropped: list[str]) -> Iterator[dict[str, Any]]:
    """Write a turn as items in its order; words that follow each other are one message."""
    if turn.name:
        dropped.append(turn.within("name", "."))
    content: list[dict[str, Any]] = []
    for block in turn.blocks:
        item = _item(block, turn, to, dropped)
        if item is None:
            content += _part(block, turn, dropped)
            continue
        if content:
            yield {"type": "message", "role": turn.role, "content": content}
            content = []
        if item:
            yield item
    if content:
        yield {"type": "message", "role": turn.role, "content": content}


def _item(block: Block, turn: Turn, to: Recipient, dropped: list[str]) -> dict[str, Any] | None:
    """Write what is an item of its own; {} for what has to stay behind, None for what belongs into a message."""
    match block:
        case ToolUse():
            return {
                "type": "function_call", "call_id": safe_id(block.id), "name": block.name,
                "arguments": block.arguments or "{}",
            }  # fmt: skip
        case ToolResult():
            parts = [part for inner in block.content for part in _part(inner, turn, dropped)]
            if block.error:
                parts.insert(0, {"type": "input_text", "text": "Error: " if parts else "Error"})
            plain = all(part["type"] == "input_text" for part in parts)
            output: Any = "".join(part["text"] for part in parts) if plain else parts
            return {"type": "function_call_output", "call_id": safe_id(block.id), "output": output}
        case Thinking():
            if to.unseal or block.seal is None or not fits(block.seal, WIRE, to.endpoint):
                dropped.append("thinking")
                return {}
            summary = [{"type": "summary_text", "text": block.text}] if block.text else []
            return {"type": "reasoning", "summary": summary, "encrypted_content": sealed_in(block.seal)}
        case _:
            return None


def safe_id(ident: str) -> str:
    """Return an id that this wire takes: the same one where it can, else one that is always made of it."""
    if 0 < len(ident) <= MAX_CALL_ID_CHARS:
        return ident
    return "call_" + hashlib.sha256(ident.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _part(block: Block, turn: Turn, dropped: list[str]) -> Iterator[dict[str, Any]]:
    if isinstance(block, File) and block.name and (block.text or block.url):
        dropped.append(turn.within("file name"))
    match block:
        case Text() if turn.role == "assistant":
            yield {"type": "refusal", "refusal": block.text} if block.refusal else {
                "type": "output_text", "text": block.text, "annotations": [],
            }  # fmt: skip
        case Text():
            yield {"type": "input_text", "text": block.text}
        case Image() if turn.role != "assistant":
            url = block.url or data_url(block.media_type, block.data)
            yield {"type": "input_image", "image_url": url, "detail": block.detail or "auto"}
        case File(text=str(text)) if text:
            yield {"type": "input_text", "text": text}
        case File() if (block.url or block.data) and not block.media_type.startswith("audio/"):
            if block.url:
                yield {"type": "input_file", "file_url": block.url}
            else:
                data = data_url(block.media_type, block.data)
                yield {"type": "input_file", "filename": block.name or "document", "file_data": data}
        case _:
            dropped.append(turn.within(type(block).__name__.lower()))
