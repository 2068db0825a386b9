"""Is this body JSON that means the same to everybody, and how is one member changed without touching the rest?

`parse` refuses what two readers could read differently (duplicate keys, broken text) or what costs too much.
It does not know what the members mean. Invariant: `edit` leaves every byte outside the named members as it was.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from tierwise.core.errors import InvalidCall

MAX_DEPTH = 128
MAX_MEMBERS = 100_000
MAX_VALUES = 500_000

_decode = msgspec.json.Decoder().decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode

_KEY = re.compile(rb'[ \t\r\n,]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\r\n]*+:[ \t\r\n]*+')
_ESCAPES = (rb"\u006", rb"\u007", rb"\u005f", rb"\u005F")
_GAP = re.compile(rb"[ \t\r\n,]*+")
_HEAD = re.compile(rb"[ \t\r\n]*+\{")


Span = tuple[int, int, int]
"""Where a member lies: start of its key, start of its value, end of its value."""


def parse(body: bytes) -> dict[str, Any]:
    """Decode a JSON object that has exactly one meaning.

    Raises `InvalidCall`: `invalid_encoding`, `invalid_json`, `duplicate_key`, `too_complex` or `invalid_type`.
    """
    _check_encoding(body)
    colons, commas = body.count(b":"), body.count(b",")
    brackets = body.count(b"{") + body.count(b"[")
    # Counted with what stands in strings: a body that passes here needs no closer look before it is decoded.
    if colons > MAX_MEMBERS or commas > MAX_VALUES or brackets > MAX_VALUES:
        _check_complexity(body)
    try:
        value = _decode(body)
    except RecursionError:
        raise _too_complex("it is nested too deeply") from None
    except msgspec.ValidationError:  # without a type to fit, only a number can be out of range
        raise InvalidCall("A number is out of range.", param=_unreadable(body), code="invalid_value") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidCall(f"The body is not valid JSON: {_reason(error, body)}.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise InvalidCall("The body must be a JSON object.", code="invalid_type")
    if brackets > MAX_DEPTH:
        _check_depth(value)
    # A duplicate key drops at least one colon when the value is written again; only an escaped colon could add one.
    if b"\\u003" in body or _encode(value).count(b":") != colons:
        _refuse_duplicates(body)
    return value


def members(body: bytes) -> dict[str, Span]:
    """Find the members of a JSON object that `parse` has accepted."""
    spans: dict[str, Span] = {}
    head = _HEAD.match(body)
    place = head.end() if head else 0
    for name, raw in _decode_members(body).items():
        key = _KEY.match(body, place)
        if key is None:
            raise InvalidCall("The body has a member twice.", code="duplicate_key")
        value = key.end()
        place = value + memoryview(raw).nbytes
        spans[name] = (key.start(1), value, place)
    return spans


def value_of(body: bytes, spans: Mapping[str, Span], name: str) -> bytes:
    """Return the bytes of a member's value; `null` where there is none."""
    span = spans.get(name)
    return body[span[1] : span[2]] if span else b"null"


def edit(
    body: bytes,
    *,
    put: Mapping[str, bytes] = {},
    drop: Collection[str] = (),
    spans: Mapping[str, Span] | None = None,
) -> bytes:
    """Return a copy with members replaced or appended (`put`, values in JSON) and removed (`drop`).

    `spans` saves the search when `members` of the same body is at hand.
    """
    spans = members(body) if spans is None else spans
    gap = next(iter(spans.values()))[0] if spans else body.index(b"{") + 1
    pieces = [body[:gap]]
    for name, (key, value, end) in spans.items():
        if name not in drop:
            start = gap if len(pieces) > 1 else key
            pieces += (body[start:value], put[name]) if name in put else (body[start:end],)
        gap = end
    for name, added in put.items():
        if name not in spans:
            pieces += (b"," if len(pieces) > 1 else b"", _encode(name), b":", added)
    pieces.append(body[gap:])
    return b"".join(pieces)


def _check_encoding(body: bytes) -> None:
    if body[:3] == b"\xef\xbb\xbf" or b"\0" in body[:2]:
        raise InvalidCall("The body must be UTF-8 without a byte-order mark.", code="invalid_encoding")
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise InvalidCall(f"The body is not UTF-8 (byte {error.start}).", code="invalid_encoding") from None


def _check_depth(value: Any) -> None:
    """Walk down level by level, however wide."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _too_complex(f"it is nested deeper than {MAX_DEPTH} levels")
        level = [
            inner
            for node in level
            for inner in (node.values() if isinstance(node, dict) else node)
            if isinstance(inner, (dict, list))
        ]


def _check_complexity(body: bytes) -> None:
    """Count members and values outside of strings, before anything is made of them; needs no valid JSON to be safe."""
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if bare.count(b'"') > 2 * MAX_VALUES:
        raise _too_complex(f"it has more than {MAX_VALUES:,} strings")
    skeleton = b"".join(bare.split(b'"')[::2])
    if skeleton.count(b":") > MAX_MEMBERS:
        raise _too_complex(f"it has more than {MAX_MEMBERS:,} members")
    if skeleton.count(b",") > MAX_VALUES:
        raise _too_complex(f"it has more than {MAX_VALUES:,} values")
    if skeleton.count(b"{") + skeleton.count(b"[") > MAX_VALUES:
        raise _too_complex(f"it has more than {MAX_VALUES:,} objects and arrays")


def _refuse_duplicates(body: bytes) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InvalidCall(f"The body has the key {name[:64]!r} twice in one object.", code="duplicate_key")
            seen.add(name)

    json.loads(body, object_pairs_hook=unique)


def _too_complex(reason: str) -> InvalidCall:
    return InvalidCall(f"The body is too complex: {reason}.", code="too_complex")


def _unreadable(body: bytes) -> str | None:
    """Find the member whose value cannot be represented."""
    try:
        for name, raw in _decode_members(body).items():
            try:
                _decode(raw)
            except msgspec.ValidationError:
                return name[:64]
    except msgspec.DecodeError:
        pass
    return None


def _reason(error: Exception, body: bytes) -> str:
    text = str(error).removeprefix("JSON is malformed: ")
    if "truncated" in text and body.rstrip()[-1:] == b"}":
        return "an escape is incomplete"
    return text


def mentions(data: bytes, word: bytes) -> bool:
    """Say whether JSON could hold a word of small letters and underscores; False spares a closer look.

    Behind an escape each of these has a second way to be written.
    """
    return word in data or any(escape in data for escape in _ESCAPES)


def elements(array: bytes) -> list[tuple[int, int]]:
    """Find where the elements of a JSON array lie that `parse` has accepted."""
    spans: list[tuple[int, int]] = []
    place = 1
    for raw in _decode_list(array):
        gap = _GAP.match(array, place)
        start = place if gap is None else gap.end()
        place = start + memoryview(raw).nbytes
        spans.append((start, place))
    return spans


def replaced(array: bytes, by: Sequence[bytes | None]) -> bytes:
    """Return a JSON array with each element replaced, or taken out where it is None; all between them stays."""
    spans = elements(array)
    if not spans:
        return array
    pieces = [array[: spans[0][0]]]
    before = 0
    for (start, end), element in zip(spans, by, strict=True):
        if element is not None:
            pieces += (array[before:start] if len(pieces) > 1 else b"", element)
        before = end
    pieces.append(array[before:])
    return b"".join(pieces)
