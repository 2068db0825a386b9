"""What did a caller really get? An answer read as a strict client of its wire reads it.

Invariant: an answer is whole, once, or it is not; what looks like both, or like neither, is a problem.
"""

from dataclasses import dataclass, field
from json import loads
from typing import Any, Literal

from tests.faults.doors import Door
from tests.faults.http import Reply

ENDS = {"chat": "[DONE]", "responses": "response.completed", "messages": "message_stop"}


@dataclass
class Said:
    """`how`: `whole` (says that it is finished), `broken` (a stream that says that it is not), `error` (a status)."""

    how: Literal["whole", "broken", "error"] = "error"
    text: str = ""
    kind: str = ""
    code: str | None = None
    problems: list[str] = field(default_factory=list)


def read(door: Door, reply: Reply) -> Said:
    """Read an answer."""
    if not reply.whole:
        return Said(problems=["the body was cut off"])
    if reply.status != 200:
        error = (reply.json() or {}).get("error") or {}
        return Said(kind=str(error.get("type")), code=error.get("code"))
    return _streamed(door, reply.body.decode()) if door.stream else _whole(door, loads(reply.body))


def _whole(door: Door, said: dict[str, Any]) -> Said:
    finish: Any
    match door.wire:
        case "chat":
            finish, text = said["choices"][0].get("finish_reason"), said["choices"][0]["message"].get("content") or ""
        case "responses":
            finish = said["status"] in ("completed", "incomplete")
            text = "".join(p["text"] for item in said["output"] if item["type"] == "message" for p in item["content"])
        case _:
            finish = said.get("stop_reason")
            text = "".join(block["text"] for block in said["content"] if block["type"] == "text")
    problems = [] if finish else ["an answer that does not say why it ended"]
    if said.get("error"):
        problems.append("an answer and an error in one")
    return Said(how="whole", text=text, problems=problems)


def _streamed(door: Door, body: str) -> Said:
    said = Said(how="whole")
    events = [_event(block, said) for block in body.split("\n\n") if block and not block.startswith(":")]
    if door.wire == "responses" and events and events[-1] == ("", "[DONE]"):
        events.pop()  # not of this wire, and no client minds
    ended = [place for place, (name, payload) in enumerate(events) if ENDS[door.wire] in (name, payload)]
    failed = None
    for _, payload in events:
        data: dict[str, Any] = {} if payload == "[DONE]" else loads(payload)
        kind = data.get("type")
        for choice in data.get("choices") or ():
            said.text += choice.get("delta", {}).get("content") or ""
        if kind == "content_block_delta":
            said.text += data["delta"].get("text", "")
        elif kind == "response.output_text.delta":
            said.text += data["delta"]
        elif kind == "error" and door.wire == "responses":
            failed = data
        failed = data.get("error") or (data.get("response") or {}).get("error") or failed
    if ended and ended != [len(events) - 1]:
        said.problems.append("something stands behind the end, or it ends twice")
    if bool(ended) == bool(failed):
        said.problems.append(f"it neither ended nor failed, or both: …{body[-300:]!r}")
    if failed:
        said.how, said.kind, said.code = "broken", failed.get("type", ""), failed.get("code")
    return said


def _event(block: str, said: Said) -> tuple[str, str]:
    name, data = "", []
    for line in block.split("\n"):
        part, _, value = line.partition(": ")
        if part == "event":
            name = value
        elif part == "data":
            data.append(value)
        else:
            said.problems.append(f"a line that is none of a stream: {line[:80]!r}")
    payload = "\n".join(data)
    if not name and payload.startswith("{"):  # clients read the kind from either
        name = str(loads(payload).get("type") or "")
    return name, payload
