"""What do these bytes say at most? A reader of HTTP answers and of every wire, with nothing of the gateway's in it.

It is as lenient as a reader can be without inventing: what it does not find was not sent. The same reader judges what
the upstream sent and what the gateway's caller got.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

NO_TOKENS = (-1, -1)
_SPACE = re.compile(r"\s+")


class Http(msgspec.Struct, frozen=True, kw_only=True):
    """One answer as HTTP has it. `whole`: it came to its end, and nothing came behind."""

    status: int
    body: bytes
    whole: bool


class Told(msgspec.Struct, kw_only=True):
    """What an answer says: words and calls, piece by piece, how many tokens, and how it ended.

    `finished`: the reason to stop was told; `ended`: the last word of the wire, or all of what is not streamed;
    `failed`: an error, or nothing that is an answer.
    """

    pieces: list[str] = msgspec.field(default_factory=list)
    finished: bool = False
    ended: bool = False
    failed: bool = False
    tokens: tuple[int, int] = NO_TOKENS

    @property
    def text(self) -> str:
        """All that it says."""
        return "".join(self.pieces)


def http(data: bytes) -> Http:
    """Read one answer, as far as it came."""
    head, gap, rest = data.partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    if not gap or not found:
        return Http(status=0, body=b"", whole=False)
    fields = dict(re.findall(rb"\r\n([^:\r\n]+):[ \t]*([^\r\n]*)", head.lower()))
    if fields.get(b"transfer-encoding") == b"chunked":
        return Http(status=int(found[1]), **_unchunked(rest))
    if fields.get(b"content-length", b"").isdigit():
        length = int(fields[b"content-length"])
        return Http(status=int(found[1]), body=rest[:length], whole=len(rest) == length)
    return Http(status=int(found[1]), body=rest, whole=False)


def _unchunked(rest: bytes) -> dict[str, Any]:
    body = b""
    while True:
        line, end, rest = rest.partition(b"\r\n")
        size = re.match(rb"([0-9a-fA-F]+)[ \t]*(;.*)?$", line)
        if not end or size is None:
            return {"body": body, "whole": False}
        length = int(size[1], 16)
        if length == 0:
            return {"body": body, "whole": rest == b"\r\n"}
        body += rest[:length]
        if rest[length : length + 2] != b"\r\n":
            return {"body": body, "whole": False}
        rest = rest[length + 2 :]


def told(wire: str, body: bytes, *, stream: bool) -> Told:
    """Read an answer of this wire."""
    found = Told()
    for name, data in (_lines(body) if wire == "ollama" else _events(body)) if stream else [("", body)]:
        if data.strip() == b"[DONE]":
            found.ended = True
            break
        try:
            said = json.loads(data.decode("utf-8", "surrogateescape"))
        except ValueError:
            found.failed = True
            break
        if not isinstance(said, dict) or name == "error" or said.get("error"):
            found.failed = True
            break
        if stream and name:
            said.setdefault("type", name)
        with contextlib.suppress(AttributeError, KeyError, TypeError):  # of a kind that nobody knows: skipped
            _READERS[wire](said, found, stream)
        if found.ended:
            break
    found.pieces = [piece for piece in found.pieces if piece]
    found.ended |= not stream and not found.failed
    return found


def _events(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Server-sent events; one without its blank line counts too."""
    name, lines = "", []
    for line in [*re.split(rb"\r\n|\r|\n", body.removeprefix(b"\xef\xbb\xbf")), b""]:
        field, _, value = line.partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ").decode("latin-1")
        elif not line:
            if lines:
                yield name, b"\n".join(lines)
            name, lines = "", []


def _lines(body: bytes) -> Iterator[tuple[str, bytes]]:
    for line in body.split(b"\n"):
        if line.strip():
            yield "", line


def _call(name: str | None, arguments: Any) -> str:
    written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return _SPACE.sub("", f"<{name}>{written}" if name else written)


def _chat(said: dict[str, Any], found: Told, stream: bool) -> None:
    for choice in said.get("choices") or ():
        words = choice.get("delta" if stream else "message") or {}
        found.pieces.append(words.get("content") or "")
        for call in words.get("tool_calls") or ():
            found.pieces.append(
                _call((call.get("function") or {}).get("name"), (call.get("function") or {}).get("arguments") or "")
            )
        found.finished |= choice.get("finish_reason") is not None
    if usage := said.get("usage"):
        found.tokens = (usage.get("prompt_tokens", -1), usage.get("completion_tokens", -1))


def _messages(said: dict[str, Any], found: Told, stream: bool) -> None:
    if not stream:
        for block in said.get("content") or ():
            call = block.get("type") == "tool_use"
            found.pieces.append(_call(block.get("name"), block.get("input")) if call else block.get("text", ""))
        found.finished = said.get("stop_reason") is not None
    elif said.get("type") == "content_block_start" and said["content_block"]["type"] == "tool_use":
        found.pieces.append(_call(said["content_block"]["name"], ""))
    elif said.get("type") == "content_block_delta":
        delta = said["delta"]
        found.pieces.append(delta.get("text", "") or _call(None, delta.get("partial_json", "")))
    elif said.get("type") == "message_delta":
        found.finished |= (said.get("delta") or {}).get("stop_reason") is not None
    elif said.get("type") == "message_start":
        found.tokens = (said["message"]["usage"]["input_tokens"], -1)
    found.ended |= said.get("type") == "message_stop"
    if (not stream or said.get("type") == "message_delta") and (usage := said.get("usage")):
        found.tokens = (usage.get("input_tokens", found.tokens[0]), usage.get("output_tokens", -1))


def _responses(said: dict[str, Any], found: Told, stream: bool) -> None:
    whole = said.get("response") if stream else said
    kind = said.get("type") if stream else "response." + said.get("status", "")
    if not stream:
        for item in said.get("output") or ():
            if item.get("type") == "function_call":
                found.pieces.append(_call(item.get("name"), item.get("arguments") or ""))
            for part in item.get("content") or ():
                found.pieces.append(part.get("text", ""))
    elif kind == "response.output_text.delta":
        found.pieces.append(said["delta"])
    elif kind == "response.output_item.added" and said["item"]["type"] == "function_call":
        found.pieces.append(_call(said["item"]["name"], ""))
    elif kind == "response.function_call_arguments.delta":
        found.pieces.append(_call(None, said["delta"]))
    unfinished = ("response.failed", "response.cancelled", "response.in_progress", "response.queued")
    found.failed |= kind == "response.failed" or (not stream and kind in unfinished)
    if kind in ("response.completed", "response.incomplete"):
        found.finished = found.ended = True
    if (found.finished or not stream) and isinstance(whole, dict) and (usage := whole.get("usage")):
        found.tokens = (usage.get("input_tokens", -1), usage.get("output_tokens", -1))


def _gemini(said: dict[str, Any], found: Told, stream: bool) -> None:
    for candidate in said.get("candidates") or ():
        for part in (candidate.get("content") or {}).get("parts") or ():
            called = part.get("functionCall")
            found.pieces.append(_call(called.get("name"), called.get("args") or {}) if called else part.get("text", ""))
        found.finished |= candidate.get("finishReason") is not None
    if usage := said.get("usageMetadata"):
        found.tokens = (usage.get("promptTokenCount", 0), usage.get("candidatesTokenCount", 0))  # as above


def _ollama(said: dict[str, Any], found: Told, stream: bool) -> None:
    words = said.get("message") or {}
    found.pieces.append(words.get("content") or "")
    for call in words.get("tool_calls") or ():
        function = call.get("function") or {}
        found.pieces.append(_call(function.get("name"), function.get("arguments") or {}))
    found.finished |= said.get("done") is True
    if "prompt_eval_count" in said or "eval_count" in said:  # a count of zero is left out
        found.tokens = (said.get("prompt_eval_count", 0), said.get("eval_count", 0))


def _embeddings(said: dict[str, Any], found: Told, stream: bool) -> None:
    found.pieces.append(json.dumps([row["embedding"] for row in said["data"]]))
    found.finished = True
    if usage := said.get("usage"):
        found.tokens = (usage["prompt_tokens"], 0)


_READERS = {
    "chat": _chat,
    "messages": _messages,
    "responses": _responses,
    "gemini": _gemini,
    "ollama": _ollama,
    "embeddings": _embeddings,
}
