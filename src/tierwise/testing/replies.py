"""What does the scripted model answer? A pure function of the request and its script.

The rules, all computable by hand (a word is a run of characters without white space):
- It repeats the text of the last message. Choice k > 0 appends ` #k`. `text` in the script replaces the echo.
- Tools: forced by name or `required` (the first tool), they are called; with `auto` each whose name is a word of the
  last message, unless that is a tool's result. Arguments and schema answers come from `schema_value`.
- A token is a word with the white space before it. The prompt counts the words of all messages' texts.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tierwise.testing.faults import Script
from tierwise.testing.schema_value import value_for

LOOPED = 400
REFUSAL = "I cannot help with that."

_encode = msgspec.json.Encoder().encode
_PIECE = re.compile(r"\s*\S+|\s+$")


class CalledTool(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool; `arguments` in pieces as a stream has them."""

    id: str
    name: str
    arguments: tuple[str, ...]


class ScriptedChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One alternative, in the pieces that a stream sends one a chunk."""

    pieces: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ()
    calls: tuple[CalledTool, ...] = ()
    finish: str = "stop"
    thinking: tuple[str, ...] = ()
    stopped_at: str | None = None

    @property
    def tokens(self) -> int:
        """How many tokens this choice is billed for."""
        spelled = len(self.pieces) + len(self.refusal) + len(self.thinking)
        return spelled + sum(len(call.arguments) for call in self.calls)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered, before it is written."""

    model: str
    choices: tuple[ScriptedChoice, ...]
    prompt_tokens: int
    cached: int = 0

    @property
    def completion_tokens(self) -> int:
        """The sum over all choices."""
        return sum(choice.tokens for choice in self.choices)


def words(text: str) -> tuple[str, ...]:
    """Split text into its tokens; joined they are the text again."""
    return tuple(_PIECE.findall(text))


_IGNORED = {
    "schema": ("response_format",),
    "tools": ("tools", "tool_choice"),
    "stop": ("stop",),
    "max_tokens": ("max_tokens", "max_completion_tokens"),
    "logprobs": ("logprobs",),
}


def heeded(request: Mapping[str, Any], script: Script) -> Mapping[str, Any]:
    """Return the request without what the script ignores."""
    ignored = _IGNORED.get(script.ignores, ())
    return {name: value for name, value in request.items() if name not in ignored} if ignored else request


def reply_to(request: Mapping[str, Any], model: str, script: Script) -> Reply:
    """Compute the answer to a request."""
    request = heeded(request, script)
    texts = [_text(message) for message in request["messages"]]
    prompt_tokens = sum(len(text.split()) for text in texts)
    if script.reads is not None:
        prompt_tokens = min(script.reads, prompt_tokens)
    count = request.get("n") or 1
    choices = tuple(_choice(request, texts[-1], script, index) for index in range(count))
    if script.thinking and request.get("thinks", True):
        thinking = words(script.thinking)
        choices = tuple(msgspec.structs.replace(choice, thinking=thinking) for choice in choices)
    cached = min(script.cached, prompt_tokens)
    return Reply(model=model, choices=choices, prompt_tokens=prompt_tokens, cached=cached)


def _choice(request: Mapping[str, Any], last: str, script: Script, index: int) -> ScriptedChoice:
    limit = request.get("max_completion_tokens") or request.get("max_tokens") or 1_000_000
    if script.fault == "empty_content":
        return ScriptedChoice()
    if script.fault == "refusal":
        return _limited(ScriptedChoice(refusal=words(REFUSAL)), limit)
    if script.fault == "loop":
        return _limited(ScriptedChoice(pieces=words("again and " * LOOPED)), limit)
    named = _called(request, last, script.tool)
    if named:
        calls = tuple(_call(tool, last, index, place, script) for place, tool in enumerate(named))
        return _limited(ScriptedChoice(calls=calls, finish="tool_calls"), limit)
    text = _answer_text(request, last, script) + (f" #{index}" if index else "")
    text, stopped_at = _stopped(text, request.get("stop"))
    choice = ScriptedChoice(pieces=words(text), stopped_at=stopped_at)
    if script.fault == "truncation":
        limit = min(limit, max(1, len(choice.pieces) // 2))
        return msgspec.structs.replace(_limited(choice, limit), finish="length")
    return _limited(choice, limit)


def _limited(choice: ScriptedChoice, limit: int) -> ScriptedChoice:
    """Cut a choice to so many tokens, as a caller's `max_tokens` does."""
    if choice.tokens <= limit:
        return choice
    calls: list[CalledTool] = []
    left = limit - len(choice.pieces[:limit])
    for call in choice.calls:
        if left > 0:
            calls.append(msgspec.structs.replace(call, arguments=call.arguments[:left]))
        left -= len(call.arguments)
    return ScriptedChoice(
        pieces=choice.pieces[:limit], refusal=choice.refusal[:limit], calls=tuple(calls), finish="length"
    )


def _answer_text(request: Mapping[str, Any], last: str, script: Script) -> str:
    if script.text is not None:
        return script.text
    wanted = request.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        text = _encode(value_for(wanted["json_schema"]["schema"], last)).decode()
    elif wanted.get("type") == "json_object":
        text = _encode({"echo": last}).decode()
    else:
        return last
    return text[:-1] if script.fault == "broken_schema" else text


def _called(request: Mapping[str, Any], last: str, only: str | None) -> list[Mapping[str, Any]]:
    """Return the functions that are called, in the order of `tools`."""
    functions = [tool["function"] for tool in request.get("tools") or () if "function" in tool]
    if only is not None:
        ended = request["messages"][-1].get("role") == "tool"
        return [] if ended else [function for function in functions if function["name"] == only]
    choice = request.get("tool_choice", "auto")
    if isinstance(choice, Mapping):
        name = (choice.get("function") or {}).get("name")
        return [function for function in functions if function["name"] == name]
    if choice == "none" or request["messages"][-1].get("role") == "tool":
        return []
    said = set(re.findall(r"[\w-]+", last))
    named = [function for function in functions if function["name"] in said]
    if choice == "required" and not named:
        named = functions[:1]
    return named[:1] if request.get("parallel_tool_calls") is False else named


def _call(function: Mapping[str, Any], last: str, index: int, place: int, script: Script) -> CalledTool:
    text = script.arguments or _encode(value_for(function.get("parameters") or {"type": "object"}, last)).decode()
    if script.fault == "bad_tool_arguments":
        text = text[:-1]
    return CalledTool(id=f"call_{index}_{place}", name=function["name"], arguments=words(text))


def _stopped(text: str, stop: Any) -> tuple[str, str | None]:
    """Return the text up to the first stop sequence, and which one that was."""
    marks = [stop] if isinstance(stop, str) else stop or ()
    places = [(text.find(mark), mark) for mark in marks if mark and mark in text]
    return (text[: min(places)[0]], min(places)[1]) if places else (text, None)


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(block["text"] for block in content if isinstance(block.get("text"), str))
    return content or ""
