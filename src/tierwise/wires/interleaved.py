"""In which order are tool calls written whose pieces came mixed? One after the other, as wires of blocks want it.

Knows no wire. Words that come before the calls begun are whole wait for them, or a call would be cut in two.
Invariant: every call is opened once, then closed, and its pieces stay in order; so do words.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from tierwise.core.answer import Piece, ToolCall

Step = Literal["open", "add", "close"]
_decode = msgspec.json.Decoder().decode
_LAST = frozenset('}]"0123456789el \t\r\n')
"""What JSON can end with: most pieces of a long text do not, and need no look at all that came before."""


class Call:
    """One call as far as it has come."""

    __slots__ = ("_said", "_waiting", "_whole", "done", "id", "name")

    def __init__(self) -> None:
        self.id = self.name = ""
        self.done = False
        self._said: list[str] = []
        self._waiting: list[str] = []
        self._whole: bool | None = False

    def add(self, text: str) -> None:
        """Take a piece of the arguments."""
        if text:
            self._waiting.append(text)
            self._whole = None if text[-1] in _LAST else False

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
        """True if the arguments so far are complete JSON."""
        if self._whole is None:
            try:
                _decode(self.said)
                self._whole = True
            except (msgspec.DecodeError, RecursionError):
                self._whole = False
        return self._whole


class Interleaved:
    """Takes pieces as they come, yields steps as they can be written."""

    __slots__ = ("_calls", "_current", "_held")

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._current: Call | None = None
        self._held: list[Piece] = []

    @property
    def any(self) -> bool:
        """True if there was a call at all."""
        return bool(self._calls)

    @property
    def unfinished(self) -> bool:
        """True while a call lacks arguments."""
        return any(not (call.done or call.whole) for call in self._calls.values())

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
        call = self._calls.setdefault(piece.index, Call())
        call.id, call.name = call.id or piece.id, call.name or piece.name
        call.add(piece.arguments)

    def drain(self, *, last: bool) -> Iterator[tuple[Step, Call, str]]:
        """Yield what can be written now; a call gives way to the next when its arguments are whole, or with `last`."""
        while True:
            if self._current is None:
                self._current = next((call for call in self._calls.values() if not call.done), None)
                if self._current is None:
                    return
                yield "open", self._current, ""
            call = self._current
            text = call.take()
            if text:
                yield "add", call, text
            following = any(not other.done for other in self._calls.values() if other is not call)
            if not last and not (following and call.whole):
                return
            call.done, self._current = True, None
            yield "close", call, ""
