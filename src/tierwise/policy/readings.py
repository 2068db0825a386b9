"""How else can this text be read? What a model would decode without being asked: escapes, base64, hexadecimal.

Does not know detectors. Everything that can be read is put behind the text itself, so that one search sees all of it.
Invariant: the result is linear in the text, begins with the text, and differs from it only where something was coded.
"""

import base64
import binascii
import html
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator

import re2

DEPTH = 2
"""How often a reading is read again: base64 in JSON in base64."""

# Soft hyphen, joiners, direction marks, variation selectors, tags: they split what a model reads as one.
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff"
)
_MANY_MARKS = re2.compile(rb"(\p{M}{8})\p{M}+")
"""More marks on one letter than any script puts there; sorting them takes time that grows with the square of them."""
_LIGATURES = ("\ufdfa".encode(), "\ufdfb".encode())
"""Two that stand for whole phrases: the plain forms would be eleven times as long. No detector knows a word of them."""
_DASHES = "\u2010-\u2015\u2212"
_INVISIBLE = re.compile(f"[{_UNSEEN}]")
_FOREIGN = re.compile(f"[{_DASHES}]|(?![0-9])\\d")
_ODD = re2.compile(f"[{_UNSEEN}{_DASHES}]|[^\\P{{Nd}}0-9]".encode())


def fold(text: str) -> bytes:
    """Return the text as scanned: invisible characters gone, compatibility forms, digits and dashes plain, UTF-8."""
    if text.isascii():
        return text.encode("ascii")
    data = text.encode("utf-8", "ignore")
    if _MANY_MARKS.search(data):
        data = _MANY_MARKS.sub(rb"\1", data)
    for ligature in _LIGATURES:
        data = data.replace(ligature, b" ")
    text = unicodedata.normalize("NFKC", data.decode())
    data = text.encode("utf-8", "ignore")
    if _ODD.search(data):
        data = _FOREIGN.sub(_plain, _INVISIBLE.sub("", text)).encode("utf-8", "ignore")
    return data


def _plain(match: re.Match[str]) -> str:
    return str(unicodedata.digit(match[0], "-"))


_ESCAPED = re2.compile(
    rb"%[0-9A-Fa-f]{2}|[0-9A-Za-z]\+[0-9A-Z]|\\[nrt\"/]|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|&(?:#[0-9xX]|[a-zA-Z]{2,8};)"
)
_ENCODED = re2.compile(rb"[A-Za-z0-9+/_\-]{16}")
_BACKSLASH = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([nrt\"/\\]))")
_CONTROL = {"n": "\n", "r": "\n", "t": "\t"}
_LONG_NUMBER = re.compile("&#0*([0-9]{1,8})[0-9]*")
"""A character's number, as far as it matters: Python does not read numbers of very many digits."""
_PLUS = re.compile(r"(?<=[0-9A-Za-z:])\+(?=[0-9A-Z])")
# A long line of base64 that another one follows was wrapped; its lines are one.
_RUN = re.compile(rb"(?:(?:[A-Za-z0-9+/]{60,76}\r?\n)+[A-Za-z0-9+/]+|[A-Za-z0-9+/_\-]{16,})={0,2}")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){9,}\Z")
_BREAK = re.compile(rb"[/_\-]")
_UNREADABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]")


def readings(text: str) -> bytes:
    """Return the folded text, and behind it everything that can be read in it after decoding."""
    data = fold(text)
    found, fresh = [data], [data]
    for _ in range(DEPTH):
        fresh = [reading for one in fresh for reading in _decoded(one)]
        if not fresh:
            break
        found += fresh
    return data if len(found) == 1 else b"\n".join(found)


def _decoded(data: bytes) -> Iterator[bytes]:
    if _ESCAPED.search(data):
        yield fold(_unescaped(data.decode("utf-8", "ignore")))
    if _ENCODED.search(data):
        texts = [text for run in _RUN.findall(data) if (text := _text_in(run))]
        if texts:
            yield fold("\n".join(texts))


def _unescaped(text: str) -> str:
    if "%" in text:
        text = urllib.parse.unquote(text)
    if "\\" in text:
        text = _BACKSLASH.sub(_character, text)
    if "&" in text:
        text = html.unescape(_LONG_NUMBER.sub(r"&#\1", text))
    return _PLUS.sub(" ", text) if "+" in text else text


def _character(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _CONTROL.get(match[3], match[3])


def _text_in(run: bytes) -> str:
    """Return the text that this run of characters encodes, "" for none; then that of its pieces, as in a path."""
    run = run.replace(b"\r", b"").replace(b"\n", b"")
    if _HEX.match(run) and (text := _readable(bytes.fromhex(run.decode("ascii")))):
        return text
    if run.isdigit():
        return ""
    if text := _unbased(run):
        return text
    pieces = _BREAK.split(run)
    return "" if len(pieces) == 1 else "\n".join(filter(None, map(_unbased, pieces)))


def _unbased(run: bytes) -> str:
    run = run.rstrip(b"=")
    if len(run) < 16:
        return ""
    run = run[: len(run) - (len(run) % 4 == 1)]
    try:
        return _readable(base64.b64decode(run + b"=" * (-len(run) % 4), b"-_" if _is_for_urls(run) else None))
    except (binascii.Error, ValueError):
        return ""


def _is_for_urls(run: bytes) -> bool:
    return b"-" in run or b"_" in run


def _readable(raw: bytes) -> str:
    """Return what was encoded if it is text: valid UTF-8 without control characters."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return "" if _UNREADABLE.search(text) else text
