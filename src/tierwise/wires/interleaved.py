"""In which order are tool calls written whose pieces came mixed? One after the other, as wires of blocks want it.

Knows no wire. Words that come before the calls begun are whole wait for them, or a call would be cut in two.
Invariant: every call is opened once, then closed, and its pieces stay in order; so do words.
"""

from collections.abc import Iterator
from typing import Literal

from tierwise.core.answer import Piece, ToolCall
from tierwise.wires.brackets import Brackets

Step = Literal["open", "add", "close"]


class Call:
    """One call as far as it has come."""

    __slots__ = ("_brackets", "_said", "_waiting", "done", "id", "index", "name")

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = self.name = ""
        self.done = False
        self._brackets = Brackets()
        self._said: list[str] = []
        self._waiting: list[str] = []

    def add(self, text: str) -> None:
        """Take a piece of the arguments."""
        self._waiting.append(text)
        self._brackets.read(text)

    def take(self) -> str:
        """Return what has not been written yet."""
        text = "".join(self._waiting)
        self._said += self._waiting
        self._waiting.clear()
        return text

    @property
    def said(self) -> str:
        """The arguments so far."""
        return "".join((*self._said, *self._waiting))

    @property
    def whole(self) -> bool:
        """True if the arguments so far are a complete object."""
        return self._brackets.closed


class Interleaved:
    """Takes pieces as they come, yields steps as they can be written."""

    __slots__ = ("_calls", "_current", "_held", "_undone")

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._undone: dict[int, Call] = {}
        self._current: Call | None = None
        self._held: list[Piece] = []

    @property
    def any(self) -> bool:
        """True if there was a call at all."""
        return bool(self._calls)

    @property
    def unfinished(self) -> bool:
        """True while a call lacks arguments."""
        return any(not call.whole for call in self._undone.values())

    def hold(self, piece: Piece) -> bool:
        """Keep back words that come while a call lacks arguments; say whether these were."""
        waits = self.unfinished
        if waits:
            self._held.append(piece)
        return waits

    def freed(self, *, last: bool) -> list[Piece]:
        """Return the words that need not wait any longer; all of them with `last`."""
        if not self._held or (self.unfinished and not last):
            return []
        held, self._held = self._held, []
        return held

    def add(self, piece: ToolCall) -> None:
        """Take a piece of a call."""
        call = self._calls.get(piece.index)
        if call is None:
            call = self._calls[piece.index] = self._undone[piece.index] = Call(piece.index)
        call.id, call.name = call.id or piece.id, call.name or piece.name
        call.add(piece.arguments)

    def drain(self, *, last: bool) -> Iterator[tuple[Step, Call, str]]:
        """Yield what can be written now; a call gives way to the next when its arguments are whole, or with `last`."""
        while True:
            if self._current is None:
                self._current = next(iter(self._undone.values()), None)
                if self._current is None:
                    return
                yield "open", self._current, ""
            call = self._current
            text = call.take()
            if text:
                yield "add", call, text
            if not last and not (len(self._undone) > 1 and call.whole):
                return
            call.done, self._current = True, None
            del self._undone[call.index]
            yield "close", call, ""
