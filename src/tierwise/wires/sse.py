"""Which events does this stream of bytes spell? Server-sent events, read incrementally, and written.

Framing as the WHATWG living standard has it (section 9.2.6); knows nothing of what the data mean.
Invariant: any split of the same bytes gives the same events, and no event larger than the limit is held.
"""

from tierwise.core.errors import BadReply

Event = tuple[bytes, bytes]
"""Name (empty for an ordinary message) and data; several data lines are joined by a line feed."""

MAX_EVENT_BYTES = 8 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class SseDecoder:
    """Feed bytes, get whole events; raises `BadReply` (`upstream_too_large`) for an event over `max_event_bytes`."""

    __slots__ = ("_after_cr", "_at_start", "_broken", "_held", "_held_bytes", "_limit", "_tail")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._limit = max_event_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._tail = b""
        self._at_start = True
        self._after_cr = False
        self._broken: BadReply | None = None

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that these bytes complete; those before an event that is too large come first."""
        if self._broken is not None:
            raise self._broken
        if self._at_start:
            data = self._without_bom(data)
        if self._after_cr or b"\r" in data:
            data = self._line_feeds_only(data)
        if not self._held and data[-2:] == b"\n\n" and data[:6] == b"data: " and data.find(b"\n") == len(data) - 2:
            return self._checked([], len(data) - 2) or [(b"", data[6:-2])]
        if b"\n\n" not in data and not (self._tail == b"\n" and data[:1] == b"\n"):
            self._hold(data)
            return self._checked([], self._held_bytes - (self._tail == b"\n"))
        *blocks, rest = b"".join((*self._held, data)).split(b"\n\n")
        self._held.clear()
        self._held_bytes, self._tail = 0, b""
        events: list[Event] = []
        for block in blocks:
            self._checked(events, len(block))
            if self._broken is not None:
                return events
            event = _read(block)
            if event is not None:
                events.append(event)
        self._hold(rest)
        return self._checked(events, self._held_bytes - (self._tail == b"\n"))

    def finish(self) -> list[Event]:
        """Return what the end of the stream completes: many servers leave out the last blank line."""
        if self._broken is not None:
            raise self._broken
        block = b"".join(self._held)
        self._held.clear()
        event = _read(block)
        return [] if event is None else [event]

    def _hold(self, data: bytes) -> None:
        if data:
            self._held.append(data)
            self._held_bytes += len(data)
            self._tail = data[-1:]

    def _checked(self, events: list[Event], event_bytes: int) -> list[Event]:
        """Return `events`; raise at once if there are none, with the next call if there are some."""
        if event_bytes > self._limit:
            self._held.clear()
            self._broken = BadReply(
                f"The endpoint sent an event of more than {self._limit:,} bytes.", code="upstream_too_large"
            )
            if not events:
                raise self._broken
        return events

    def _without_bom(self, data: bytes) -> bytes:
        data = b"".join((*self._held, data))
        self._held.clear()
        self._held_bytes = 0
        self._at_start = len(data) < len(_BOM) and _BOM.startswith(data)
        return data.removeprefix(_BOM)

    def _line_feeds_only(self, data: bytes) -> bytes:
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
            self._after_cr = False
        if data:
            self._after_cr = data[-1:] == b"\r"
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def event(data: bytes, name: str = "") -> bytes:
    """Write an event; each line of its data is a line of its own."""
    head = b"event: %b\n" % name.encode() if name else b""
    return b"%bdata: %b\n\n" % (head, data.replace(b"\n", b"\ndata: "))


def _read(block: bytes) -> Event | None:
    """Read the lines of one event; None when it has no data."""
    if block[:6] == b"data: " and b"\n" not in block:
        return b"", block[6:]
    name = b""
    lines: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return (name, b"\n".join(lines)) if lines else None
