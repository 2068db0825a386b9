"""In which order are tool calls written whose pieces came mixed? One after the other, as wires of blocks want it.

Knows no wire. Invariant: every call is opened once, then closed, and its pieces stay in order.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from tierwise.core.answer import ToolCall

Step = Literal["open", "add", "close"]
_decode = msgspec.json.Decoder().decode


class Call:
    """One call as far as it has come."""

    __slots__ = ("done", "id", "name", "said", "waiting")

    def __init__(self) -> None:
        self.id = self.name = self.said = ""
        self.waiting: list[str] = []
        self.done = False

    def take(self) -> str:
        """Return what has not been written yet."""
        text = "".join(self.waiting)
        self.waiting.clear()
        self.said += text
        return text

    @property
    def whole(self) -> bool:
        """True if the arguments so far are complete JSON."""
        try:
            _decode(self.said + "".join(self.waiting))
        except (msgspec.DecodeError, RecursionError):
            return False
        return True


class Interleaved:
    """Takes pieces as they come, yields steps as they can be written."""

    __slots__ = ("_calls", "_current")

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._current: Call | None = None

    @property
    def any(self) -> bool:
        """True if there was a call at all."""
        return bool(self._calls)

    @property
    def unfinished(self) -> bool:
        """True while a call lacks arguments: other words have to wait, or it would be cut in two."""
        return any(not (call.done or call.whole) for call in self._calls.values())

    def add(self, piece: ToolCall) -> None:
        """Take a piece of a call."""
        call = self._calls.setdefault(piece.index, Call())
        call.id, call.name = call.id or piece.id, call.name or piece.name
        call.waiting.append(piece.arguments)

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
