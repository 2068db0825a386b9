"""What did a model think before it called a tool, for callers whose wire cannot give that back?

Some endpoints refuse a tool's result, or think no further, unless they see their own thinking again. A Chat Completions
caller has no place for it, so it is kept here for as long as the tool loop may run, and put back in front of the calls.
State of one process, bounded. Invariant: a thought goes to nobody but the endpoint that sealed it (`wires.seals.fits`).
"""

from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from tierwise.core.answer import Piece
from tierwise.core.conversation import Block, Conversation, Seal, Thinking, ToolUse, Turn

MAX_BYTES = 32 * 1024 * 1024
Thoughts = tuple[Thinking, ...]


class Kept:
    """Thoughts by key and tool call. The oldest are forgotten beyond the limit."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._kept: OrderedDict[tuple[str | None, str], Thoughts] = OrderedDict()
        self._max_bytes, self._bytes = max_bytes, 0

    def keep(self, key_id: str | None, tool_calls: Iterable[str], thoughts: Thoughts) -> None:
        """Keep what came before these calls of one answer; without a seal there is nothing to give back."""
        first = next(iter(tool_calls), None)
        if first is None:
            return
        self._forget((key_id, first))  # some servers use their ids again
        if not any(thought.seal for thought in thoughts):
            return
        self._kept[key_id, first] = thoughts
        self._bytes += len(first) + _weight(thoughts)
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._kept)))

    def given_back(self, key_id: str | None, asked: Conversation) -> Conversation:
        """Return the conversation with each turn's own thoughts in front of its first call."""
        if not self._kept:
            return asked
        turns = tuple(self._completed(key_id, turn) for turn in asked.turns)
        return msgspec.structs.replace(asked, turns=turns)

    def _completed(self, key_id: str | None, turn: Turn) -> Turn:
        call = next((block for block in turn.blocks if isinstance(block, ToolUse)), None)
        thoughts = self._kept.get((key_id, call.id)) if call is not None and turn.role == "assistant" else None
        if thoughts is None:
            return turn
        others: tuple[Block, ...] = tuple(block for block in turn.blocks if not isinstance(block, Thinking))
        return msgspec.structs.replace(turn, blocks=(*thoughts, *others))

    def _forget(self, place: tuple[str | None, str]) -> None:
        thoughts = self._kept.pop(place, None)
        if thoughts is not None:
            self._bytes -= len(place[1]) + _weight(thoughts)


class Gathering:
    """Puts an answer's pieces together to its thoughts."""

    __slots__ = ("_open", "_origin", "_thoughts", "_wire")

    def __init__(self, wire: str, origin: str) -> None:
        self._wire, self._origin = wire, origin
        self._open: list[str] = []
        self._thoughts: list[Thinking] = []

    def add(self, piece: Piece) -> None:
        """Take a piece: a seal ends the thought before it."""
        if piece.choice:
            return
        if piece.reasoning:
            self._open.append(piece.reasoning)
        if piece.seal:
            seal = Seal(wire=self._wire, data=piece.seal, origin=self._origin)
            self._thoughts.append(Thinking(text="".join(self._open), seal=seal))
            self._open.clear()

    @property
    def thoughts(self) -> Thoughts:
        """The thoughts that were sealed."""
        return tuple(self._thoughts)


def _weight(thoughts: Thoughts) -> int:
    return sum(len(thought.text) + (len(thought.seal.data) if thought.seal else 0) + 200 for thought in thoughts)
