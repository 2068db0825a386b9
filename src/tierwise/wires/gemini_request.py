"""How is a conversation put to Gemini? `generateContent`, and the same streamed.

Source: Google's published API reference (models.generateContent, GenerationConfig, function calling, thinking,
OpenAI compatibility), read 2026-11; shapes checked against the types of google-genai 3.4.0.
Invariant: a field that is not written here is named in `dropped`.
"""

import re
from typing import Any
from urllib.parse import quote

import msgspec

from tierwise.core.conversation import Conversation
from tierwise.wires.gemini_contents import WIRE, sign, write_contents
from tierwise.wires.wire import EncodedRequest, Recipient

__all__ = ["WIRE", "encode_request"]

MOST_STOPS = 5
_encode = msgspec.json.Encoder().encode
_SAME = {
    "max_output_tokens": "maxOutputTokens", "temperature": "temperature", "top_p": "topP", "top_k": "topK",
    "frequency_penalty": "frequencyPenalty", "presence_penalty": "presencePenalty",
}  # fmt: skip
_UNKNOWN = ("logit_bias", "user", "verbosity")
_LEVELS = {"minimal": "LOW", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
"""Not every model knows a level below the low one or above the high one, and the wire refuses what a model lacks."""
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
"""What the vendor's own OpenAI interface makes of an effort for models that know no levels."""
LEAST_BUDGET = 128
"""Where thinking cannot be switched off."""
_WITHOUT_LEVELS = re.compile(r"(?:.*/)?gemini-[12](?:\.\d+)?-")
"""Models of these generations refuse a level of thinking, and look for no signatures."""
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}
_SAYS_NOTHING = frozenset(("type", "properties", "required", "additionalProperties", "$schema"))
"""Members that, without a property, describe a function without parameters."""


def encode_request(conversation: Conversation, to: Recipient) -> EncodedRequest:
    """Write a request that came on another wire."""
    asked = conversation
    dropped = list(asked.foreign)
    system, contents = write_contents(asked, to, dropped)
    if _WITHOUT_LEVELS.match(to.served_name) is None and ("thinking" in to.capabilities or to.unseal):
        sign(contents)
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    _write_tools(body, asked, dropped)
    config = _config(asked, to, dropped)
    if config:
        body["generationConfig"] = config
    dropped += asked.given(_UNKNOWN)
    if asked.marks_cache:
        dropped.append("cache_control")
    verb = "streamGenerateContent?alt=sse" if to.stream else "generateContent"
    name = to.served_name if "/" in to.served_name else f"models/{to.served_name}"
    return EncodedRequest(path=f"/{quote(name)}:{verb}", body=_encode(body), dropped=tuple(dict.fromkeys(dropped)))


def _write_tools(body: dict[str, Any], asked: Conversation, dropped: list[str]) -> None:
    choice = asked.tool_choice
    if not asked.tools:  # the wire refuses a choice among none
        if choice is not None and choice.mode in ("required", "named"):
            dropped.append(asked.name("tool_choice"))
        return
    body["tools"] = [
        {
            "functionDeclarations": [
                {"name": tool.name}
                | ({"description": tool.description} if tool.description else {})
                | ({"parametersJsonSchema": tool.parameters} if _takes_anything(tool.parameters) else {})
                for tool in asked.tools
            ]
        }
    ]
    mode = "AUTO" if choice is None else _MODES[choice.mode]
    if mode == "AUTO" and any(tool.strict for tool in asked.tools):
        mode = "VALIDATED"
    if choice is not None or mode != "AUTO":
        named = {"allowedFunctionNames": [choice.name]} if choice is not None and choice.mode == "named" else {}
        body["toolConfig"] = {"functionCallingConfig": {"mode": mode} | named}
    if asked.parallel_tools is False and mode != "NONE":
        dropped.append(asked.name("parallel_tools"))


def _takes_anything(schema: dict[str, Any]) -> bool:
    """Say whether a schema describes any parameter: a function without is declared without a schema."""
    if schema.get("properties") or not schema.keys() <= _SAYS_NOTHING:
        return True
    return schema.get("additionalProperties", False) is not False


def _config(asked: Conversation, to: Recipient, dropped: list[str]) -> dict[str, Any]:
    config: dict[str, Any] = {here: getattr(asked, name) for name, here in _SAME.items()}
    config["seed"] = None if asked.seed is None else _as_int32(asked.seed)
    config["candidateCount"] = None if asked.n == 1 else asked.n
    if asked.stop:
        config["stopSequences"] = list(asked.stop[:MOST_STOPS])
        if len(asked.stop) > MOST_STOPS:
            dropped.append(f"{asked.name('stop')}[{MOST_STOPS}:]")
    if asked.logprobs or to.logprobs:
        config |= {"responseLogprobs": True, "logprobs": asked.top_logprobs}
    if asked.format is not None:
        config["responseMimeType"] = "application/json"
        if asked.format.kind == "schema":
            config["responseJsonSchema"] = asked.format.schema
    config["thinkingConfig"] = _thinking(asked, to, dropped) or None
    return {name: value for name, value in config.items() if value is not None}


def _as_int32(seed: int) -> int:
    """Fold a seed into the wire's 32 bits: the same one always gives the same."""
    return (seed + 2**31) % 2**32 - 2**31


def _thinking(asked: Conversation, to: Recipient, dropped: list[str]) -> dict[str, Any]:
    reasoning = asked.reasoning
    if reasoning is None:
        return {}
    if "thinking" not in to.capabilities:
        if reasoning.effort != "none":
            dropped.append(asked.name("reasoning"))
        return {}
    thinking: dict[str, Any] = {"includeThoughts": True} if reasoning.visible else {}
    leveled = _WITHOUT_LEVELS.match(to.served_name) is None
    match reasoning.effort:
        case "none" if leveled or "-pro" in to.served_name:  # these always think
            dropped.append(asked.name("reasoning"))
            thinking |= {"thinkingLevel": "LOW"} if leveled else {"thinkingBudget": LEAST_BUDGET}
        case "none":
            thinking["thinkingBudget"] = 0
        case _ if reasoning.budget_tokens is not None:
            thinking["thinkingBudget"] = reasoning.budget_tokens
        case None:
            pass
        case effort:
            thinking |= {"thinkingLevel": _LEVELS[effort]} if leveled else {"thinkingBudget": _BUDGETS[effort]}
    return thinking
