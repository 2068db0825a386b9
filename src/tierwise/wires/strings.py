"""Where in a JSON text do its strings stand, and how is one written anew without touching the rest?

Knows no wire: a place is told as wires write paths (`messages[0].content`). The text must be valid JSON.
Invariant: `respelled` leaves every byte outside the strings and numbers that `change` has changed as it was.
"""

import re
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]|-?[0-9][0-9+\-.eE]*+')
_QUOTE, _OPEN, _LIST, _COMMA, _COLON = b'"{[,:'
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

Kind = Literal["key", "text", "number"]


class Where:
    """The place of the string that is looked at. `name` is the member that it is the value of, or within."""

    __slots__ = ("_frames", "kind")

    def __init__(self) -> None:
        self._frames: list[tuple[list[int], list[str]]] = []
        self.kind: Kind = "text"

    @property
    def name(self) -> str:
        """The nearest member; empty outside of any."""
        for _, keys in reversed(self._frames):
            if keys:
                return keys[-1]
        return ""

    @property
    def direct(self) -> bool:
        """True where the string is a member's value itself, and not in a list."""
        return bool(self._frames) and not self._frames[-1][0]

    @property
    def path(self) -> str:
        """The path, as `messages[2].content`."""
        return "".join(f".{keys[-1]}" if keys else f"[{index[0]}]" for index, keys in self._frames if index or keys)[1:]

    def _step(self, sign: int, expecting: list[bool]) -> None:
        if sign == _OPEN:
            self._frames.append(([], []))
            expecting.append(True)
        elif sign == _LIST:
            self._frames.append(([0], []))
            expecting.append(False)
        elif sign == _COLON:
            expecting[-1] = False
        elif sign == _COMMA:
            index, _ = self._frames[-1]
            if index:
                index[0] += 1
            else:
                expecting[-1] = True
        else:
            self._frames.pop()
            expecting.pop()

    def _named(self, key: str) -> None:
        self._frames[-1][1][:] = [key]


Change = Callable[[Where, str], str | None]


def respelled(body: bytes, change: Change) -> bytes:
    """Return the JSON text with each string, key and number for which `change` returns text replaced by that text."""
    pieces: list[bytes] = []
    kept = 0
    where, expecting = Where(), list[bool]()
    for token in _TOKEN.finditer(body):
        said = token[0]
        first = said[0]
        if first in b"{}[],:":
            where._step(first, expecting)
            continue
        text = _text(said)
        where.kind = "number" if first != _QUOTE else "key" if expecting and expecting[-1] else "text"
        new = change(where, text)
        if where.kind == "key":
            where._named(text)
        if new is not None and new != text:
            pieces += (body[kept : token.start()], _encode(new))
            kept = token.end()
    if not pieces:
        return body
    pieces.append(body[kept:])
    return b"".join(pieces)


def strings(body: bytes) -> Iterator[str]:
    """Yield every string, key and number of a JSON text."""
    for token in _TOKEN.finditer(body):
        if token[0][0] not in b"{}[],:":
            yield _text(token[0])


def is_json(text: str) -> bool:
    """Say whether a text is JSON with text in it."""
    if text.lstrip()[:1] not in ("{", "[", '"') or '"' not in text:
        return False
    try:
        _decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True


def escaped(text: str) -> str:
    """Return a text as it stands between the quotes of a JSON string."""
    return _encode(text)[1:-1].decode()


def _text(said: bytes) -> str:
    if said[0] != _QUOTE:
        return said.decode("ascii")
    return str(_decode(said)) if b"\\" in said else said[1:-1].decode()
