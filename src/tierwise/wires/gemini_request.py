"""How is a conversation put to Gemini? `generateContent`, and the same streamed.

Source: Google's published API reference (models.generateContent, function calling, thought signatures; read 2026-11).
Invariant: a field that is not written here is named in `dropped`.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from tierwise.core.conversation import (
    Block,
    Conversation,
    File,
    Image,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
)
from tierwise.wires.messages_reply import arguments_of
from tierwise.wires.seals import fits
from tierwise.wires.wire import EncodedRequest, Recipient

WIRE = "gemini"
UNSIGNED = "skip_thought_signature_validator"
"""What the wire takes, by its documentation, in place of the signature of a call that another model made."""

_encode = msgspec.json.Encoder().encode
_SAME = {
    "max_output_tokens": "maxOutputTokens", "temperature": "temperature", "top_p": "topP", "top_k": "topK",
    "seed": "seed", "n": "candidateCount", "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty", "top_logprobs": "logprobs",
}  # fmt: skip
_UNKNOWN = ("logit_bias", "user", "verbosity", "parallel_tools")
_LEVELS = {"minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}


def encode_request(conversation: Conversation, to: Recipient) -> EncodedRequest:
    """Write a request that came on another wire."""
    asked = conversation
    dropped = list(asked.foreign)
    system, contents = _contents(asked, to, dropped)
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    _write_tools(body, asked)
    config = _config(asked, to, dropped)
    if config:
        body["generationConfig"] = config
    dropped += [asked.name(name) for name in _UNKNOWN if getattr(asked, name) not in (None, {}, True)]
    if any(isinstance(block, Text) and block.cache for turn in asked.turns for block in turn.blocks):
        dropped.append("cache_control")
    verb = "streamGenerateContent?alt=sse" if to.stream else "generateContent"
    name = quote(to.served_name.removeprefix("models/"))
    return EncodedRequest(path=f"/models/{name}:{verb}", body=_encode(body), dropped=tuple(dict.fromkeys(dropped)))


def _contents(
    asked: Conversation, to: Recipient, dropped: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    system: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    for turn in asked.turns:
        if turn.name:
            dropped.append(f"{turn.path}.name")
        parts = list(_parts(turn, to, dropped))
        if turn.role in ("system", "developer"):
            if not contents:
                system += parts
                continue
            dropped.append(f"{turn.path}.role")
        role = "model" if turn.role == "assistant" else "user"
        if not parts:
            continue
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts})
    return system, contents


def _parts(turn: Turn, to: Recipient, dropped: list[str]) -> Iterator[dict[str, Any]]:
    """Write the parts of a turn. A seal stands before the part that carries it on this wire."""
    seal: str | None = None
    calls = 0
    for block in turn.blocks:
        if isinstance(block, Thinking):
            if to.unseal or not fits(block.seal, WIRE, to.endpoint):
                dropped.append("thinking")
            elif block.seal is not None:
                seal = block.seal.data
            continue
        for part in _part(block, turn, dropped):
            signed = part
            if seal is not None and turn.role == "assistant":
                signed, seal = part | {"thoughtSignature": seal}, None
            elif "functionCall" in part and not calls and "thinking" in to.capabilities:
                signed = part | {"thoughtSignature": UNSIGNED}
            calls += "functionCall" in part
            yield signed


def _part(block: Block, turn: Turn, dropped: list[str]) -> Iterator[dict[str, Any]]:
    match block:
        case Text():
            if block.text:
                yield {"text": block.text}
        case ToolUse():
            yield {"functionCall": {"name": block.name, "args": arguments_of(block.arguments)}}
        case ToolResult():
            yield from _result(block, turn, dropped)
        case Image() | File():
            yield from _media(block, turn, dropped)
        case _:
            dropped.append(f"{turn.path}: {type(block).__name__.lower()}")


def _result(result: ToolResult, turn: Turn, dropped: list[str]) -> Iterator[dict[str, Any]]:
    """Write a tool's answer; pictures in it follow as parts of their own."""
    said = "".join(block.text for block in result.content if isinstance(block, Text))
    yield {
        "functionResponse": {
            "name": result.name or result.id,
            "response": {"error" if result.error else "result": said},
        }
    }
    for block in result.content:
        if not isinstance(block, Text):
            yield from _media(block, turn, dropped)


def _media(block: Image | File, turn: Turn, dropped: list[str]) -> Iterator[dict[str, Any]]:
    if isinstance(block, File) and block.text:
        yield {"text": block.text}
        return
    if isinstance(block, Image) and block.detail not in ("", "auto"):
        dropped.append(f"{turn.path}: image detail")
    default = "image/png" if isinstance(block, Image) else "application/pdf"
    if block.url:
        yield {"fileData": {"fileUri": block.url, "mimeType": block.media_type or default}}
    else:
        yield {"inlineData": {"mimeType": block.media_type or default, "data": block.data}}


def _write_tools(body: dict[str, Any], asked: Conversation) -> None:
    if asked.tools:
        declared = [
            {"name": tool.name, "description": tool.description}
            | ({"parametersJsonSchema": tool.parameters} if tool.parameters.get("properties") else {})
            for tool in asked.tools
        ]
        body["tools"] = [{"functionDeclarations": declared}]
    choice = asked.tool_choice
    if choice is not None:
        config: dict[str, Any] = {"mode": _MODES[choice.mode]}
        if choice.mode == "named":
            config["allowedFunctionNames"] = [choice.name]
        body["toolConfig"] = {"functionCallingConfig": config}


def _config(asked: Conversation, to: Recipient, dropped: list[str]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name, here in _SAME.items():
        value = getattr(asked, name)
        if value is not None and not (name == "n" and value == 1):
            config[here] = value
    if asked.stop:
        config["stopSequences"] = list(asked.stop[:5])
        if len(asked.stop) > 5:
            dropped.append(f"{asked.name('stop')}[5:]")
    if asked.logprobs or to.logprobs:
        config["responseLogprobs"] = True
    if asked.format is not None:
        config["responseMimeType"] = "application/json"
        if asked.format.kind == "schema":
            config["responseJsonSchema"] = asked.format.schema
    thinking = _thinking(asked, to, dropped)
    if thinking is not None:
        config["thinkingConfig"] = thinking
    return config


def _thinking(asked: Conversation, to: Recipient, dropped: list[str]) -> dict[str, Any] | None:
    reasoning = asked.reasoning
    if reasoning is None:
        return None
    if "thinking" not in to.capabilities:
        if reasoning.effort != "none":
            dropped.append(asked.name("reasoning"))
        return None
    thinking: dict[str, Any] = {"includeThoughts": True} if reasoning.visible else {}
    if reasoning.effort == "none":
        thinking["thinkingBudget"] = 0
    elif reasoning.budget_tokens is not None:
        thinking["thinkingBudget"] = reasoning.budget_tokens
    elif reasoning.effort is not None:
        thinking["thinkingLevel"] = _LEVELS[reasoning.effort]
    return thinking
