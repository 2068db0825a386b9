"""What could go wrong with this input? Makes worse ones of good ones, aware of JSON where there is some.

Pure: the same seed and the same random numbers give the same bytes. Knows no target.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

MAX_BYTES = 64 * 1024
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**400, 0.5, -0.0, 1e308, "", " ", "0", "\0", "null",
    "é\u0301" * 9, "\ud83d\ude00", "\ud800", "\u2028\r\n", "a" * 300, "%s{}", "data:,", "data:x;base64,!", "//x", "tw1.",
    "x-tierwise-label", [], {}, [[]], [{}], {"": None}, {"type": "text"}, {"$ref": "#"}, {"pattern": "(a+)+$"},
)  # fmt: skip
"""What stands where something else was expected."""
TOKENS = (
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r", b"\n", b"\r\n\r\n", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":",
    b"\\ud800", b"\\u0000", b"1e999", b"-", b"NaN", b"data: ", b"data: [DONE]\n\n", b"event: error\n", b"\n\n", b": x\n",
    b"HTTP/1.1 100 Continue\r\n\r\n", b"Content-Length: 1\r\n", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"ffffffffffffffff",
)  # fmt: skip
Place = tuple[Any, Any]
"""A container, and the key or index in it."""


def mutated(seed: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """Return the seed with one to four things changed; `others` lend their parts."""
    data = seed
    for _ in range(random.choice((1, 1, 1, 2, 2, 4))):
        data = _changed(data, random, others)
    return data[:MAX_BYTES]


def amplified(seed: bytes, random: Random, size_bytes: int) -> bytes:
    """Return the seed with one part of it repeated, or grown, to about this size."""
    tree = _tree(seed)
    if tree is not None and (places := list(_places(tree))):
        _grow(*random.choice(places), random, size_bytes)
        return _bytes(tree)
    lines = seed.split(b"\n")
    told = [place for place, line in enumerate(lines) if b"{" in line]
    if told and random.random() < 0.8:
        place = random.choice(told)
        head, brace, rest = lines[place].partition(b"{")
        event = _tree(brace + rest)
        if event is not None:
            copies = max(1, size_bytes // len(lines[place]))
            grown = _renamed([event] * copies, random)
            between = b"\n\n" if b"\n\n" in seed else b"\n"
            lines[place] = between.join(head + _bytes(one) for one in grown)
            return b"\n".join(lines)
    at = random.randrange(len(seed) + 1)
    piece = seed[at : at + random.choice((1, 2, 8, 64, 512))] or b"a"
    return seed[:at] + piece * (size_bytes // len(piece)) + seed[at:]


def _grow(where: Any, name: Any, random: Random, size_bytes: int) -> None:
    """Make one place of a JSON value large."""
    value = where[name]
    copies = max(1, size_bytes // (len(_bytes(value)) + 12))
    if isinstance(where, list):
        where[name : name + 1] = _renamed([value] * copies, random)
    elif isinstance(value, str):
        grown = value or "a"
        where[name] = grown * max(1, size_bytes // len(grown.encode("utf-8", "replace")))
    else:
        where.update({f"{name}{number}": value for number in range(copies)})


def _renamed(values: list[Any], random: Random) -> list[Any]:
    """Give copies ids of their own, as often as not: what stands twice is often refused before anything is done."""
    if random.random() < 0.5:
        return values
    return [_numbered(value, number) for number, value in enumerate(values)]


def _numbered(value: Any, number: int) -> Any:
    if isinstance(value, dict):
        return {
            key: f"{inner}{number}"
            if key in ("id", "call_id", "name", "tool_call_id") and isinstance(inner, str)
            else number
            if key in ("index", "output_index") and isinstance(inner, int)
            else _numbered(inner, number)
            for key, inner in value.items()
        }
    return [_numbered(inner, number) for inner in value] if isinstance(value, list) else value


def _changed(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    if random.random() < 0.75:
        lines = data.split(b"\n")
        told = [place for place, line in enumerate(lines) if b"{" in line]
        whole = _tree(data)
        if whole is not None:
            return _bytes(_twisted(whole, random, others))
        if told:
            place = random.choice(told)
            head, brace, rest = lines[place].partition(b"{")
            tree = _tree(brace + rest)
            if tree is not None:
                lines[place] = head + _bytes(_twisted(tree, random, others))
                return b"\n".join(lines)
    return random.choice(_ON_BYTES)(data, random, others)


def _twisted(tree: Any, random: Random, others: Sequence[bytes]) -> Any:
    """Change one place of a JSON value."""
    places = list(_places(tree))
    if not places:
        return random.choice(ODD)
    where, name = random.choice(places)
    match random.randrange(7):
        case 0:
            del where[name]
        case 1 | 2:
            where[name] = random.choice(ODD)
        case 3:
            other, key = random.choice(places)
            where[name] = json.loads(_bytes(other[key]))
        case 4:
            value = where[name]
            for _ in range(random.choice((1, 3, 150))):
                value = [value] if random.random() < 0.5 else {str(name): value}
            where[name] = value
        case 5:
            lent = _tree(random.choice(others)) if others else None
            found = list(_places(lent)) if lent is not None else []
            if found:
                other, key = random.choice(found)
                where[name] = other[key]
        case _:
            if isinstance(where, list):
                where.insert(name, json.loads(_bytes(where[random.randrange(len(where))])))
            else:
                where[str(random.choice(ODD))[:40]] = where[name]
    return tree


def _flip(data: bytes, random: Random, _others: Sequence[bytes]) -> bytes:
    if not data:
        return random.randbytes(4)
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]


def _token(data: bytes, random: Random, _others: Sequence[bytes]) -> bytes:
    at, over = random.randrange(len(data) + 1), random.choice((0, 0, 1, 4))
    return data[:at] + random.choice(TOKENS) * random.choice((1, 1, 2, 100)) + data[at + over :]


def _cut(data: bytes, random: Random, _others: Sequence[bytes]) -> bytes:
    start = random.randrange(len(data) + 1)
    return data[:start] + data[start + random.choice((1, 2, 10, 100, len(data))) :]


def _again(data: bytes, random: Random, _others: Sequence[bytes]) -> bytes:
    start = random.randrange(len(data) + 1)
    piece = data[start : start + random.choice((1, 4, 32, 256))]
    at = random.randrange(len(data) + 1)
    return data[:at] + piece * random.choice((1, 2, 50)) + data[at:]


def _number(data: bytes, random: Random, _others: Sequence[bytes]) -> bytes:
    """Put a length that says too much, as binary formats write it."""
    size = random.choice((1, 2, 4, 8))
    value = random.choice((0, 1, 0x7F, 0xFF, 1 << 16, (1 << 31) - 1, (1 << 63) - 1, (1 << 64) - 1)) % (1 << 8 * size)
    at = random.randrange(len(data) + 1)
    return data[:at] + value.to_bytes(size, "little") + data[at + size :]


def _crossed(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    other = random.choice(others) if others else data
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


_ON_BYTES: tuple[Callable[[bytes, Random, Sequence[bytes]], bytes], ...] = (
    _flip,
    _token,
    _cut,
    _again,
    _number,
    _crossed,
)


def _tree(data: bytes) -> Any:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _bytes(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a character can only be written as an escape
        return json.dumps(value, separators=(",", ":")).encode()


def _places(tree: Any) -> Iterator[Place]:
    """Yield every place in a JSON value."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        for name in list(node) if isinstance(node, dict) else range(len(node)):
            yield node, name
            if isinstance(node[name], dict | list):
                waiting.append(node[name])
