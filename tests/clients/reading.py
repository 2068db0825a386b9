"""What did a command-line client say? Its JSON as a `Step`; one function for each, by the name of its program.

Invariant: what is not told is None, never 0.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec


class Step(msgspec.Struct, kw_only=True):
    """One step as the client told it; `read` and `written` are None where it does not tell its tokens."""

    step: str
    text: str | None = None
    read: int | None = None
    written: int | None = None
    error: str | None = None


def of_llm(step: str, said: str) -> Step:
    """Read `llm logs list --json`: one entry for each request; the ids are in the order of time."""
    entries = sorted(json.loads(said), key=lambda entry: entry["id"])
    return Step(
        step=step,
        text=entries[-1]["response"],
        read=sum(entry["input_tokens"] for entry in entries),
        written=sum(entry["output_tokens"] for entry in entries),
    )


def of_claude(step: str, said: str) -> Step:
    """Read the one object of `--output-format json`."""
    told = json.loads(said)
    usage = told["usage"]
    read = usage["input_tokens"] + usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
    return Step(step=step, text=told["result"], read=read, written=usage["output_tokens"])


def of_codex(step: str, said: str) -> Step:
    """Read the events of `--json`."""
    events = list(_lines(said))
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    texts = [item["text"] for item in items if item["type"] == "agent_message"]
    usages = [event["usage"] for event in events if event["type"] == "turn.completed"]
    return Step(
        step=step,
        text=texts[-1] if texts else None,
        read=sum(usage["input_tokens"] for usage in usages),
        written=sum(usage["output_tokens"] for usage in usages),
    )


def of_opencode(step: str, said: str) -> Step:
    """Read the events of `--format json`. The request for a title is not among them, so no tokens are told."""
    texts = [event["part"]["text"] for event in _lines(said) if event["type"] == "text"]
    return Step(step=step, text=texts[-1] if texts else None)


READERS: Mapping[str, Callable[[str, str], Step]] = {
    "llm": of_llm,
    "claude": of_claude,
    "codex": of_codex,
    "opencode": of_opencode,
}


def of_program(said: str) -> dict[str, Step]:
    """Read the account that the programs in `programs/` give, by step."""
    steps = [msgspec.convert(line, Step) for line in _lines(said)]
    return {step.step: step for step in steps}


def _lines(said: str) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in said.splitlines() if line.startswith("{"))
