"""The scripted upstream's Gemini wire (`generateContent`), as strict as the real one.

Source: Google's published API reference (models.generateContent, read 2026-11).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tierwise.testing.faults import Script
from tierwise.testing.replies import Reply, ScriptedChoice
from tierwise.testing.speech import Frame, Unfit, functions, known_only, sign, sse
from tierwise.testing.speech_chat import rated

STREAM_TYPE = "text/event-stream"
ADDRESS = re.compile(r"/v1beta/models/(.+):(?:generateContent|streamGenerateContent)")
"""The path of a request, which names the model."""
UNSIGNED = "skip_thought_signature_validator"
_FINISHES = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"}
_KNOWN = frozenset(
    ("contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "model", "stream")
)
_CONFIG = frozenset((
    "maxOutputTokens", "temperature", "topP", "topK", "seed", "candidateCount", "frequencyPenalty", "presencePenalty",
    "stopSequences", "responseMimeType", "responseJsonSchema", "responseLogprobs", "logprobs", "thinkingConfig",
))  # fmt: skip
_PART = frozenset(("text", "thought", "thoughtSignature", "functionCall", "functionResponse", "inlineData", "fileData"))
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_encode = msgspec.json.Encoder().encode


def normal(request: Mapping[str, Any], headers: Mapping[str, str], script: Script) -> dict[str, Any]:
    """Return the request in the terms of `replies`. Raises `Unfit` for what the real server would refuse."""
    known_only(request, _KNOWN)
    config = request.get("generationConfig") or {}
    known_only(config, _CONFIG, "generationConfig.")
    messages: list[dict[str, Any]] = []
    if request.get("systemInstruction"):
        messages.append({"role": "system", "content": _words(request["systemInstruction"]["parts"])})
    for index, content in enumerate(request["contents"]):
        if content["role"] not in ("user", "model"):
            raise Unfit("Please use a valid role: user, model.")
        messages += _content(content, index, script)
    declared = [
        (tool["name"], tool.get("parametersJsonSchema") or tool.get("parameters"))
        for group in request.get("tools") or () for tool in group.get("functionDeclarations") or ()
    ]  # fmt: skip
    schema = config.get("responseJsonSchema")
    return {
        "messages": messages,
        "stream": request.get("stream"),
        "max_tokens": config.get("maxOutputTokens"),
        "stop": config.get("stopSequences"),
        "n": config.get("candidateCount"),
        "tools": functions(declared),
        "tool_choice": _choice((request.get("toolConfig") or {}).get("functionCallingConfig") or {}),
        "response_format": _format(config, schema),
        "thinks": True,
    }


def whole(reply: Reply, request: Mapping[str, Any], number: int, script: Script) -> bytes:
    """Write an answer that is not streamed."""
    candidates = []
    for index, choice in enumerate(reply.choices):
        parts = [part for group in _parts(choice) for part in group]
        said = _candidate(index, parts, None if script.fault == "no_finish" else _finish(choice))
        candidates.append(said | _rated(choice, request, script))
    return _encode(_answer(reply, number, candidates, None if script.fault == "no_usage" else reply))


def frames(reply: Reply, request: Mapping[str, Any], number: int, script: Script) -> Iterator[Frame]:
    """Write the stream, one piece of content a frame."""
    for index, choice in enumerate(reply.choices):
        for parts in _parts(choice, streamed=True):
            yield sse(_encode(_answer(reply, number, [_candidate(index, parts, None)], None))), "content"
    last = [
        _candidate(index, [], _finish(choice)) | _rated(choice, request, script)
        for index, choice in enumerate(reply.choices)
    ]
    usage = None if script.fault == "no_usage" else reply
    yield sse(_encode(_answer(reply, number, last, usage))), "finish"


def error(status: int, message: str, code: str | None) -> bytes:
    """Write an error."""
    return _encode({"error": {"code": status, "message": message, "status": _STATUS.get(status, "INTERNAL")}})


def broken() -> bytes:
    """Write an error into a stream."""
    return sse(error(503, "A scripted error.", None))


def _content(content: Mapping[str, Any], index: int, script: Script) -> Iterator[dict[str, Any]]:
    rest = []
    calls = 0
    for part in content["parts"]:
        known_only(part, _PART, f"contents[{index}].parts.")
        signature = part.get("thoughtSignature")
        called = part.get("functionCall")
        if called is not None:
            if signature is None and script.thinking and not calls:
                raise Unfit("Function call is missing a thought_signature in functionCall parts.")
            calls += 1
        if signature not in (None, UNSIGNED, sign(script.thinking or "")):
            raise Unfit("Thought signature is not valid.")
        if "functionResponse" in part:
            said = part["functionResponse"]["response"]
            yield {"role": "tool", "content": str(said.get("output", said.get("error", "")))}
        else:
            rest.append(part)
    if rest:
        yield {"role": content["role"], "content": _words(rest)}


def _words(parts: list[Mapping[str, Any]]) -> str:
    return " ".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def _choice(config: Mapping[str, Any]) -> Any:
    named = config.get("allowedFunctionNames")
    if named:
        return {"type": "function", "function": {"name": named[0]}}
    return {"ANY": "required", "NONE": "none"}.get(config.get("mode", ""), "auto")


def _format(config: Mapping[str, Any], schema: Any) -> dict[str, Any] | None:
    if schema is not None:
        return {"type": "json_schema", "json_schema": {"schema": schema}}
    return {"type": "json_object"} if config.get("responseMimeType") == "application/json" else None


def _parts(choice: ScriptedChoice, *, streamed: bool = False) -> Iterator[list[dict[str, Any]]]:
    """Return the parts, in groups of one piece of content each where they are streamed. Calls come whole."""
    signature = {"thoughtSignature": sign("".join(choice.thinking))} if choice.thinking else {}
    for text in choice.thinking if streamed else ("".join(choice.thinking),):
        if text:
            yield [{"text": text, "thought": True}]
    words = (*choice.pieces, *choice.refusal)
    for text in words if streamed else ("".join(words),):
        if text:
            yield [{"text": text}]
    for place, call in enumerate(choice.calls):
        arguments = "".join(call.arguments)
        try:
            value = msgspec.json.decode(arguments or "{}")
        except msgspec.DecodeError:
            value = {"broken": arguments}
        yield [{"functionCall": {"name": call.name, "args": value}} | ({} if place else signature)]


def _finish(choice: ScriptedChoice) -> str:
    return "SAFETY" if choice.refusal else _FINISHES[choice.finish]


def _candidate(index: int, parts: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    said = {"index": index, "content": {"role": "model", "parts": parts}}
    return said if finish is None else said | {"finishReason": finish}


def _rated(choice: ScriptedChoice, request: Mapping[str, Any], script: Script) -> dict[str, Any]:
    """Log-probabilities; in a stream they come with the end."""
    if not (request.get("generationConfig") or {}).get("responseLogprobs") or script.ignores == "logprobs":
        return {}
    rows = rated(choice.pieces, low=script.fault == "low_logprobs")
    said = [{"token": row["token"], "tokenId": 0, "logProbability": row["logprob"]} for row in rows]
    return {"logprobsResult": {"chosenCandidates": said}}


def _answer(reply: Reply, number: int, candidates: list[dict[str, Any]], bill: Reply | None) -> dict[str, Any]:
    said: dict[str, Any] = {
        "candidates": candidates, "modelVersion": reply.model, "responseId": f"scripted-{number}",
    }  # fmt: skip
    return said if bill is None else said | {"usageMetadata": _usage(bill)}


def _usage(reply: Reply) -> dict[str, Any]:
    """Cached input stands inside the prompt on this wire, thoughts beside the candidates."""
    thought = sum(len(choice.thinking) for choice in reply.choices)
    usage = {
        "promptTokenCount": reply.prompt_tokens, "candidatesTokenCount": reply.completion_tokens - thought,
        "thoughtsTokenCount": thought, "totalTokenCount": reply.prompt_tokens + reply.completion_tokens,
    }  # fmt: skip
    return usage | ({"cachedContentTokenCount": reply.cached} if reply.cached else {})
