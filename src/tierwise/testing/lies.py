"""How is a good answer written oddly, or badly, whatever its wire? Bytes in, bytes out.

Works on the frames of a stream and on whole bodies, so that a wire of the scripted upstream need not know of it.
Invariant: what is said to be odd alone (`ODD`) means the same as before; what is not touched stays as it is.
"""

import gzip
import re
from collections.abc import Iterable, Iterator

from tierwise.testing.faults import Fault
from tierwise.testing.speech import Frame

ODD: frozenset[Fault] = frozenset(
    ("cr", "bom", "multiline", "no_space", "dribble", "interim", "after_end", "double_finish")
)
"""Faults of an answer that is whole: its meaning has to arrive."""
BOMB_BYTES = 64 * 1024 * 1024
_COUNT = re.compile(
    rb'("(?:prompt|completion|total|input|output|cached|reasoning|thinking|cache_read_input|cache_creation_input)_tokens"'
    rb'|"(?:prompt|candidates|total|thoughts|cachedContent)TokenCount"|"(?:prompt_)?eval_count"):\d+'
)
_USAGE = {"usage_text": b'"many"', "usage_negative": b"-7", "usage_huge": b"9" * 18}
_BEYOND_ASCII = re.compile(rb"[\xc2-\xf4][\x80-\xbf]+")
_DATA = re.compile(rb"^data: (\{)", re.MULTILINE)


def told(fault: Fault, frames: Iterable[Frame]) -> Iterator[Frame]:
    """Write the frames of a stream that is spoiled, but not cut."""
    last = b""
    for number, (plain, kind) in enumerate(frames):
        frame = (b"\xef\xbb\xbf" if fault == "bom" and not number else b"") + respelled(fault, plain)
        yield frame, kind
        last = frame if kind == "content" else last
        if fault == "double_finish" and kind in ("finish", "end"):
            yield frame, kind
    if fault == "after_end":
        yield last, "end"


def respelled(fault: Fault, data: bytes) -> bytes:
    """Write a frame or a whole body with other line ends, counts or characters."""
    match fault:
        case "cr":
            return data.replace(b"\n", b"\r") if data.startswith((b"data:", b"event:", b":")) else data
        case "multiline":
            return _DATA.sub(rb"data: \1\ndata: ", data)
        case "no_space":
            return data.replace(b"data: {", b"data:{")
        case "usage_text" | "usage_negative" | "usage_huge":
            return _COUNT.sub(lambda found: found[1] + b":" + _USAGE[fault], data)
        case "bad_utf8":
            return _BEYOND_ASCII.sub(lambda found: found[0][:-1], data)
        case _:
            return data


def cut_inside_a_character(data: bytes) -> bytes:
    """Return what comes before the last byte of the first character that has several, or half of it."""
    found = _BEYOND_ASCII.search(data)
    return data[: found.end() - 1 if found else len(data) // 2]


def compressed(fault: Fault, body: bytes) -> bytes:
    """Compress a body that nobody asked to be compressed; a bomb is far larger than it looks."""
    return gzip.compress(b"\0" * BOMB_BYTES if fault == "bomb" else body, mtime=0)
