"""How is a stream of typed events read? What the wires share: framing, junk before the first event, errors in order.

Knows no wire: a subclass reads one event after the other. Invariant: any split of the bytes gives the same deltas;
what precedes an error in the same bytes is returned first, the error with the next call.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeVar

import msgspec

from tierwise.core.answer import Delta
from tierwise.core.errors import BadReply, InvalidCall, ProviderError
from tierwise.core.secret import Secret
from tierwise.wires.error import not_an_answer
from tierwise.wires.splice import Span, members
from tierwise.wires.sse import MAX_EVENT_BYTES, Event, SseDecoder

MAX_TOKENS = 1_000_000_000
MAX_JUNK_BYTES = 64 * 1024
MAX_ITEMS = 10_000
"""Choices, calls and blocks of one answer, or of one event; on the way to another wire each takes up to 0.1 ms."""
_BOM = b"\xef\xbb\xbf"
_decode = msgspec.json.Decoder().decode
T = TypeVar("T")
_NAME = re.compile(r"[\w.]+")


class Framing(Protocol):
    """Makes events of bytes."""

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that these bytes complete."""

    def finish(self) -> list[Event]:
        """Return what the end of the stream completes."""


class LineDecoder:
    """One event a line (NDJSON); raises `BadReply` (`upstream_too_large`) for a line over `max_line_bytes`."""

    def __init__(self, max_line_bytes: int = MAX_EVENT_BYTES) -> None:
        self._limit = max_line_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._broken: BadReply | None = None

    def feed(self, data: bytes) -> list[Event]:
        """Return the lines that these bytes complete; empty ones say nothing, those before one too long come first."""
        if self._broken is not None:
            raise self._broken
        if b"\n" not in data:
            self._held.append(data)
            self._held_bytes += len(data)
            return self._checked([], self._held_bytes)
        *lines, rest = b"".join((*self._held, data)).split(b"\n")
        self._held, self._held_bytes = [rest], len(rest)
        events: list[Event] = []
        for line in lines:
            self._checked(events, len(line))
            if self._broken is not None:
                return events
            if said := line.strip():
                events.append((b"", said))
        return self._checked(events, len(rest))

    def finish(self) -> list[Event]:
        """Return the last line, which may have no end."""
        if self._broken is not None:
            raise self._broken
        line = b"".join(self._held).strip()
        self._held = []
        return [(b"", line)] if line else []

    def _checked(self, events: list[Event], line_bytes: int) -> list[Event]:
        """Return `events`; raise at once if there are none, with the next call if there are some."""
        if line_bytes > self._limit:
            self._held.clear()
            self._broken = BadReply(
                f"The endpoint sent a line of more than {self._limit:,} bytes.", code="upstream_too_large"
            )
            if not events:
                raise self._broken
        return events


class EventReader(ABC):
    """Feed the bytes of a streamed answer, get deltas."""

    def __init__(
        self, key: Secret | None = None, max_event_bytes: int = MAX_EVENT_BYTES, framing: Framing | None = None
    ) -> None:
        self._framing = framing or SseDecoder(max_event_bytes)
        self._key = key
        self._ended = False
        self._broken: ProviderError | None = None
        self._head: bytes | None = b"" if framing is None else None

    @property
    @abstractmethod
    def _complete(self) -> bool:
        """True once the endpoint has said why it stopped."""

    @abstractmethod
    def _event(self, name: bytes, payload: bytes) -> Delta | None:
        """Read one event. Sets `_ended` at the last one. Raises `ProviderError`."""

    @property
    def finished(self) -> bool:
        """True once the answer is whole and nothing more can come: reading may stop."""
        return self._ended and self._complete and self._broken is None

    def feed(self, data: bytes) -> list[Delta]:
        """Return the deltas that these bytes complete. Raises `ProviderError` for an error or junk in the stream."""
        if self._broken is not None:
            raise self._broken
        if self._ended:
            return []
        if self._head is not None:
            data = self._sniffed(data)
        deltas: list[Delta] = []
        try:
            for name, payload in self._framing.feed(data):
                if not self._ended and (delta := self._event(name, payload)) is not None:
                    deltas.append(delta)
        except ProviderError as error:
            self._broken = error
            if not deltas:
                raise
        return deltas

    def finish(self) -> list[Delta]:
        """End the stream: return what its end completes. Raises `BadReply` (`upstream_incomplete`) if it was cut."""
        if self._broken is not None:
            raise self._broken
        if not self._ended and self._head is not None:
            raise not_an_answer(self._head, self._key)
        deltas: list[Delta] = []
        if not self._ended:
            for name, payload in self._framing.finish():
                try:
                    delta = self._event(name, payload)
                except BadReply as error:
                    if error.code != "upstream_invalid" and not self._complete:
                        raise  # no cut: the endpoint says what went wrong
                    break  # the event was cut off; whether that matters is up to the reason to stop
                if delta is not None:
                    deltas.append(delta)
        self._ended = True
        if not self._complete:
            raise incomplete()
        return deltas

    def _sniffed(self, data: bytes) -> bytes:
        """Hold the first bytes back until they show a stream; a whole JSON body or a page is none."""
        head = (self._head or b"") + data
        first = head.removeprefix(_BOM).lstrip(b" \t\r\n")[:1]
        unclear = first in b"{[" or _BOM.startswith(head)  # no first byte yet is in it too
        if first == b"<" or (unclear and len(head) > MAX_JUNK_BYTES):
            self._broken = not_an_answer(head[:MAX_JUNK_BYTES], self._key)
            raise self._broken
        if unclear:
            self._head = head
            return b""
        self._head = None
        return head


def read_object(payload: bytes, key: Secret | None) -> dict[str, Any]:
    """Return the object that an answer, or an event of one, has to be. Raises `ProviderError` for anything else."""
    try:
        value = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_an_answer(payload, key) from None
    if not isinstance(value, dict):
        raise not_an_answer(payload, key)
    return value


def few(items: Iterable[T]) -> Iterator[T]:
    """Yield the items of an answer. Raises `BadReply` (`upstream_too_large`) where they are more than `MAX_ITEMS`."""
    for number, item in enumerate(items):
        if number == MAX_ITEMS:
            raise BadReply(f"The endpoint sent more than {MAX_ITEMS:,} items in one answer.", code="upstream_too_large")
        yield item


def spans_of(payload: bytes) -> dict[str, Span]:
    """Find the members of an answer; `BadReply` where one stands twice, which two readers take differently."""
    try:
        spans = members(payload)
        told = [_decode(payload[key:value].rstrip(b" \t\r\n:")) for key, value, _ in spans.values()]
    except (InvalidCall, msgspec.DecodeError, UnicodeDecodeError):
        raise not_an_answer(payload) from None
    if told != list(spans) or (spans and payload[max(end for _, _, end in spans.values()) :].strip() != b"}"):
        raise not_an_answer(payload)
    return spans


def utf8(payload: bytes) -> bytes:
    """Return the payload, UnicodeDecodeError if it is no text: a decoder of few members looks at no others."""
    if not payload.isascii():
        payload.decode()
    return payload


def event_name(kind: str) -> str:
    """Return the name that an event is passed on under; none for what would not stay within its line."""
    return kind if _NAME.fullmatch(kind) else ""


def incomplete() -> BadReply:
    """Make the error for a stream that ended before its answer did."""
    return BadReply("The endpoint's stream ended before its answer was complete.", code="upstream_incomplete")


def count(value: Any) -> int | None:
    """Return a count of tokens, None for anything that cannot be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS else None
