"""How is telemetry written for a collector? OTLP as binary protobuf, by hand: a few dozen field numbers.

Pure. Why not the official exporter: docs/decisions/0005-telemetry.md; tests read this with the official classes.
Invariant: what is not UTF-8, or does not fit 64 bits, never gets here (`telemetry.spans` sees to it).
"""

import functools
import struct
from collections.abc import Iterable, Mapping, Sequence

from tierwise.telemetry.families import Family, Point
from tierwise.telemetry.spans import Span, Value

KINDS = {"server": b"\x02", "client": b"\x03"}
ERROR = b"\x7a\x02\x18\x02"  # field 15, a status whose code is 2
CUMULATIVE = 2
_DOUBLE, _FIXED = struct.Struct("<d"), struct.Struct("<Q")


def traces(spans: Iterable[Span], resource: Mapping[str, Value], scope: tuple[str, str], schema_url: str) -> bytes:
    """Write an ExportTraceServiceRequest."""
    body = _message(1, _scope(scope)) + b"".join(_message(2, span(one)) for one in spans)
    return _message(1, _message(1, _attributes(1, resource)) + _message(2, body + _schema(schema_url)))


def metrics(
    families: Iterable[Family],
    resource: Mapping[str, Value],
    scope: tuple[str, str],
    schema_url: str,
    times_ns: tuple[int, int],
) -> bytes:
    """Write an ExportMetricsServiceRequest; `times_ns` are when counting began, and now."""
    body = _message(1, _scope(scope)) + b"".join(_message(2, _metric(one, times_ns)) for one in families if one.points)
    return _message(1, _message(1, _attributes(1, resource)) + _message(2, body + _schema(schema_url)))


def span(one: Span) -> bytes:
    """Write one Span."""
    return b"".join((
        b"\x0a\x10", bytes.fromhex(one.trace), b"\x12\x08", bytes.fromhex(one.id),
        b"\x22\x08" + bytes.fromhex(one.parent) if one.parent else b"",
        _text(5, one.name), b"\x30", KINDS[one.kind],
        b"\x39", _FIXED.pack(one.start_ns), b"\x41", _FIXED.pack(one.end_ns),
        _attributes(9, one.attributes), ERROR if one.failed else b"",
    ))  # fmt: skip


def _metric(family: Family, times_ns: tuple[int, int]) -> bytes:
    head = _text(1, family.name) + _text(2, family.text) + _text(3, family.unit)
    if family.kind == "histogram":
        points = b"".join(_message(1, _histogram(point, family.bounds, times_ns)) for point in family.points)
        return head + _message(9, points + _number(2, CUMULATIVE))
    points = b"".join(_message(1, _sample(point, times_ns)) for point in family.points)
    if family.kind == "gauge":
        return head + _message(5, points)
    return head + _message(7, points + _number(2, CUMULATIVE) + _number(3, 1))


def _sample(point: Point, times_ns: tuple[int, int]) -> bytes:
    value = point.value
    written = b"\x31" + struct.pack("<q", value) if isinstance(value, int) else b"\x21" + _DOUBLE.pack(float(value))
    return _attributes(7, point.labels) + _times(times_ns) + written


def _histogram(point: Point, bounds: Sequence[float], times_ns: tuple[int, int]) -> bytes:
    counts = struct.pack(f"<{len(point.counts)}Q", *point.counts)
    places = struct.pack(f"<{len(bounds)}d", *bounds)
    total = b"\x21" + _FIXED.pack(sum(point.counts)) + b"\x29" + _DOUBLE.pack(float(point.value))
    return _attributes(9, point.labels) + _times(times_ns) + total + _message(6, counts) + _message(7, places)


def _times(times_ns: tuple[int, int]) -> bytes:
    return b"\x11" + _FIXED.pack(times_ns[0]) + b"\x19" + _FIXED.pack(times_ns[1])


def _scope(scope: tuple[str, str]) -> bytes:
    return _text(1, scope[0]) + _text(2, scope[1])


def _schema(url: str) -> bytes:
    return _text(3, url) if url else b""


def _attributes(field: int, values: Mapping[str, Value]) -> bytes:
    return b"".join([_message(field, _said(name, value)) for name, value in values.items()])


def _said(name: str, value: Value) -> bytes:
    return _words(name, value) if isinstance(value, str) else _key(name) + _message(2, _value(value))


@functools.lru_cache(maxsize=4096)
def _words(name: str, value: str) -> bytes:
    """Write an attribute whose value is text; most of them come again and again."""
    return _key(name) + _message(2, _text(1, value))


@functools.lru_cache(maxsize=512)
def _key(name: str) -> bytes:
    return _text(1, name)


def _value(value: Value) -> bytes:
    match value:
        case str():
            return _text(1, value)
        case bool():
            return b"\x10\x01" if value else b"\x10\x00"
        case int():
            return b"\x18" + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)
        case float():
            return b"\x21" + _DOUBLE.pack(value)
        case _:
            return _message(5, b"".join(_message(1, _text(1, part)) for part in value))


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _message(field: int, body: bytes) -> bytes:
    return bytes((field << 3 | 2,)) + _varint(len(body)) + body


def _number(field: int, number: int) -> bytes:
    return bytes((field << 3,)) + _varint(number)


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
