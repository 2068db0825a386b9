"""One cell of the matrix: a client's wire, an endpoint's wire, a thing to do. Done for real, or named as lost."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.matrix.callers import PIXEL, Caller, Got, Tool
from tierwise.core.decision import Decision
from tierwise.testing import Script, ScriptedUpstream

ENDPOINTS = ("chat", "responses", "messages", "gemini", "ollama")
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
LOOK, HEAR = Tool("look", CITY), Tool("hear", CITY)
LONG = " ".join(f"w{number * 7919 % 100_003}" for number in range(15_000))
THOUGHT = "let me think"
RETRIES = 2
SCRIPTS = {
    "thinking": "thinking=let+me+think",
    "after": "fault=in_band_error&after=2",
    "cut": "fault=cut&after=2",
    "cached": "cached=2",
}
"""What the scripted model does, by the end of a model's name; every cell has a model of its own."""

DONE = "yes"


@dataclass
class Cell:
    """What a cell is tried with. `recorded` reads the ledger."""

    caller: Caller
    endpoint: str
    upstream: ScriptedUpstream
    recorded: Callable[[str], Decision]

    def model(self, script: str = "") -> str:
        """Return the name of the model that does so."""
        return f"{self.endpoint}-{script or 'plain'}"

    def ask(self, text: str | list[Any], *, script: str = "", **wants: Any) -> Got:
        """Ask, and hold the ledger against what the endpoint billed."""
        turns = self.caller.user(text) if isinstance(text, str) else text
        before = len(self.upstream.asked)
        got = self.caller.ask(self.model(script), turns, **wants)
        billed = self.upstream.asked[before:]
        record = self.recorded(got.headers["x-tierwise-decision"])
        last = record.attempts[-1]
        assert last.wire == self.endpoint
        if got.error is None:
            assert last.usage is not None
            spent = last.usage
            total = (spent.input + spent.cache_read + spent.cache_write, spent.output + spent.reasoning)
            assert total == (billed[-1].prompt_tokens, billed[-1].completion_tokens), "the ledger is exact"
            assert got.tokens == total, "and the client is told the same"
        return got

    def lost(self, got: Got) -> str:
        """Return what the answer says was lost."""
        return got.headers.get("x-tierwise-dropped", "")

    def sent(self) -> str:
        """Return the last body that the endpoint got."""
        return self.upstream.asked[-1].body.decode()


def plain(cell: Cell) -> str:
    """An answer in one piece."""
    got = cell.ask("one two three")
    assert got.text == "one two three"
    assert got.finish in ("stop", "completed", "end_turn")
    return cell.lost(got) or DONE


def stream(cell: Cell) -> str:
    """An answer in pieces."""
    got = cell.ask("one two three", stream=True)
    assert (got.text, got.error) == ("one two three", None)
    return cell.lost(got) or DONE


def _loop(cell: Cell, text: str, calls: int, *, streamed: bool, **wants: Any) -> str:
    """Call tools and answer with what they said."""
    turns = cell.caller.user(text)
    first = cell.ask(turns, tools=[LOOK, HEAR], stream=streamed, **wants)
    assert [name for _, name, _ in first.calls] == ["look", "hear"][:calls]
    assert all(arguments == {"city": "text"} for _, _, arguments in first.calls)
    assert len({ident for ident, _, _ in first.calls}) == calls
    assert first.finish in ("tool_calls", "completed", "tool_use")
    turns = [*turns, *first.turn, *cell.caller.results(first.calls, "It rains")]
    second = cell.ask(turns, tools=[LOOK, HEAR], stream=streamed, **wants)
    assert second.text == f"It rains {calls - 1}"
    assert not second.calls
    return ", ".join(dict.fromkeys(filter(None, (cell.lost(first), cell.lost(second))))) or DONE


def tools(cell: Cell) -> str:
    """One tool is called, and its answer answered."""
    return _loop(cell, "please look", 1, streamed=False)


def parallel_tools(cell: Cell) -> str:
    """Two tools are called at once, in a stream."""
    return _loop(cell, "please look and hear", 2, streamed=True)


def schema(cell: Cell) -> str:
    """An answer that fits a schema, in both ways."""
    lost = []
    for streamed in (False, True):
        got = cell.ask("where?", schema=CITY, stream=streamed)
        assert json.loads(got.text) == {"city": "text"}
        lost.append(cell.lost(got))
    return ", ".join(dict.fromkeys(filter(None, lost))) or DONE


def image(cell: Cell) -> str:
    """A picture reaches the endpoint."""
    got = cell.ask(cell.caller.user("what is this?", PIXEL))
    assert PIXEL in cell.sent()
    assert got.text.strip() == "what is this?"
    return cell.lost(got) or DONE


def thinking(cell: Cell) -> str:
    """The model's thinking is shown, and comes back sealed into its tool loop."""
    return (
        _loop(cell, "please look", 1, streamed=False, think=True, script="thinking") if _shown(cell) else "(not shown)"
    )


def _shown(cell: Cell) -> bool:
    shown = [cell.ask("hm", think=True, script="thinking", stream=streamed).thinking for streamed in (False, True)]
    assert shown[0] == shown[1] or cell.caller.wire == "chat"
    return THOUGHT in shown


def stop(cell: Cell) -> str:
    """A stop sequence ends the answer."""
    if cell.caller.wire == "responses":
        return "(not on this wire)"
    got = cell.ask("one two STOP three", stop=["STOP"])
    lost = cell.lost(got)
    assert (got.text.strip() == "one two") != bool(lost), "either it is done or it is named"
    return lost or DONE


def long(cell: Cell) -> str:
    """15,000 words there and back."""
    got = cell.ask(LONG, stream=True)
    assert got.text.split() == LONG.split()
    return cell.lost(got) or DONE


def cached(cell: Cell) -> str:
    """Input that was read from a cache is counted once, and apart."""
    got = cell.ask("one two three", script="cached")
    usage = cell.recorded(got.headers["x-tierwise-decision"]).attempts[-1].usage
    assert usage is not None
    told = {"ollama": (3, 0)}.get(cell.endpoint, (1, 2))  # this wire has no word for it
    assert (usage.input, usage.cache_read) == told
    return DONE if told[1] else "(counted, not told apart)"


def error_before(cell: Cell) -> str:
    """An endpoint that fails before content is asked again; the client does not notice."""
    for streamed in (False, True):
        cell.upstream.script(Script(fault="error", status=503))
        got = cell.ask("one two three", stream=streamed)
        assert (got.text, got.headers["x-tierwise-attempts"]) == ("one two three", "2")
    return DONE


def _broken(cell: Cell, script: str) -> str:
    got = cell.ask("one two three four", script=script, stream=True)
    assert got.error is not None, "the client raises"
    assert got.text.split() == ["one", "two"]
    record = cell.recorded(got.headers["x-tierwise-decision"])
    assert record.outcome == "broken"
    return DONE


def error_after(cell: Cell) -> str:
    """An error after content ends the stream with the caller's wire's own error: the client raises."""
    return _broken(cell, "after")


def cut(cell: Cell) -> str:
    """A stream that is cut off does not look finished: the client raises."""
    return _broken(cell, "cut")


SCENES: tuple[Callable[[Cell], str], ...] = (
    plain, stream, tools, parallel_tools, schema, image, thinking, stop, long, cached, error_before, error_after, cut,
)  # fmt: skip
