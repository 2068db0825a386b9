"""Through which doors can a request come in? Each wire, streamed and not: its address, a good request, its errors.

Knows no gateway. Invariant: an error has just the shape that the wire's vendor published, or it is a problem.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.faults.http import Reply
from tests.faults.table import Row

ANTHROPIC_TYPES = frozenset({
    "invalid_request_error", "authentication_error", "billing_error", "permission_error", "not_found_error",
    "request_too_large", "rate_limit_error", "timeout_error", "overloaded_error", "api_error",
})  # fmt: skip
PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "embeddings": "/v1/embeddings",
    "count_tokens": "/v1/messages/count_tokens",
}


@dataclass(frozen=True)
class Door:
    """One way in."""

    wire: str
    stream: bool = False

    def __str__(self) -> str:
        return f"{self.wire}-stream" if self.stream else self.wire

    @property
    def path(self) -> str:
        return PATHS[self.wire]

    @property
    def anthropic(self) -> bool:
        """Whether its callers speak Anthropic's dialect."""
        return self.wire in ("messages", "count_tokens")

    @property
    def turns(self) -> str:
        """The name of the field that holds the conversation."""
        return "input" if self.wire in ("responses", "embeddings") else "messages"

    @property
    def most(self) -> str:
        """The name of the field that bounds the answer."""
        return "max_output_tokens" if self.wire == "responses" else "max_tokens"

    def good(self, model: str, text: str = "one two", **more: Any) -> dict[str, Any]:
        """Return a request that is right."""
        turns: Any = text if self.wire == "embeddings" else [{"role": "user", "content": text}]
        body: dict[str, Any] = {"model": model, self.turns: turns}
        if self.wire == "messages":
            body["max_tokens"] = 50
        if self.stream:
            body["stream"] = True
        return body | more

    def raw(self, model: str, text: str = "one two", **more: Any) -> bytes:
        """Return a request that is right, in bytes."""
        return json.dumps(self.good(model, text, **more)).encode()


CHAT, RESPONSES, MESSAGES = Door("chat"), Door("responses"), Door("messages")
STREAMS = tuple(Door(wire, stream=True) for wire in ("chat", "responses", "messages"))
WIRES = (CHAT, RESPONSES, MESSAGES)
CALLS = tuple(door for pair in zip(WIRES, STREAMS, strict=True) for door in pair)
"""Every wire that is answered in words, streamed and not."""
ASIDE = (Door("embeddings"), Door("count_tokens"))
ALL = (*CALLS, *ASIDE)


def misshapen(reply: Reply, *, anthropic: bool) -> Iterator[str]:
    """Say what is wrong with the shape of an error."""
    body = reply.json()
    kind = (reply.field("content-type") or "").partition(";")[0]
    if kind != "application/json" or not isinstance(body, dict) or not isinstance(body.get("error"), dict):
        yield f"{reply.status} is no error in the caller's dialect: {kind or 'no content type'}, {reply.body[:80]!r}"
        return
    error = body["error"]
    if not isinstance(error.get("message"), str):
        yield "the error has no message"
    if anthropic:
        if body.get("type") != "error" or error.get("type") not in ANTHROPIC_TYPES:
            yield f"no error of this dialect: type {body.get('type')!r}, {error.get('type')!r}"
        return
    if set(error) != {"message", "type", "param", "code"}:
        yield f"an error in this dialect has message, type, param and code, this one {sorted(error)}"
    elif not isinstance(error["type"], str):
        yield f"an error's type is {error['type']!r}"


def unlike(reply: Reply, row: Row, *, anthropic: bool, codes: bool) -> Iterator[str]:
    """Say where an answer is not what the row allows. `codes` are our own words, which no other gateway need know."""
    if row.status and reply.status not in row.status:
        said = (reply.json() or {}) if reply.status >= 400 else {}
        text = str(said.get("error", said) if isinstance(said, dict) else said)[:160]
        yield f"answered {reply.status} in place of {' or '.join(map(str, row.status))}: {text}"
        return
    if reply.status < 400:
        return
    body = reply.json()
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return  # its shape is judged for every answer
    expected, code = (row.anthropic, None) if anthropic else row.openai
    if expected is not None and error.get("type") != expected:
        yield f"the type is {error.get('type')!r}, not {expected!r}"
    if codes and code is not None and error.get("code") != code:
        yield f"the code is {error.get('code')!r}, not {code!r}"
