"""Where exactly does a sensitive value stand, so that it can be taken out? From a detector's match to characters.

A match wakes a detector but need not be the value: a password stands behind the word, an account number goes on.
Does not know what stands instead. Invariant: what cannot be placed raises `Unplaced`; nothing found is passed over.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate

from tierwise.policy import identifiers as ids
from tierwise.policy import national
from tierwise.policy.detect import Detectors
from tierwise.policy.patterns import DETECTORS
from tierwise.policy.pseudonyms import Span, kinds_from
from tierwise.policy.readings import fold

Widen = Callable[[bytes, int, int], tuple[int, int]]
_BEGINNING = 256
_LONGEST_IBAN = 3 * 34
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/=\-]*")
_WORD = re.compile(rb"[A-Za-z0-9_~+/=\-]*")
_QUOTED = re.compile(rb"""(["'`])(?:\\.|(?!\1)[^\\\n]|\1(?=[A-Za-z0-9]))+\1""")
"""From quote to quote; one behind a backslash, or before a letter, is within."""
_BARE = re.compile(rb"""[^\s"'`<>]*""")
_MARK = (
    r"[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u064b-\u065f\u0670\u093c\u1ab0-\u1aff\u1dc0-\u1dff"
    r"\u3099\u309a\u1160-\u11ff\uff9e\uff9f]"
)
_CLUSTER = re.compile(rf"(?s)[\x00-\x7f]+(?!{_MARK})|.{_MARK}*")
"""A character with its marks, or plain text as far as it goes."""
_KEY_END = re.compile(rb"-----END [^-]{0,64}-----")
_NINO = re.compile(rb"[A-Z]{2}(?: ?[0-9]{2}){3} ?[A-Za-z]\Z")
_DIGIT = re.compile(rb"[0-9]")


class Unplaced(Exception):
    """Something was found whose place in the text is not known."""


class Finder:
    """Finds the values that the detectors in force see in the texts of one call, as long as its time lasts."""

    def __init__(self, detectors: Detectors) -> None:
        self._detectors = detectors
        self.late = detectors.timer()
        self._kinds = kinds_from(detectors.labels, (*(row.name for row in DETECTORS), *national.NAMES))

    def spans(self, text: str) -> list[Span]:
        """Return each value's place and kind. Raises Unplaced."""
        matches = self._detectors.matches(text, self.late)
        if matches is None:
            raise Unplaced("a detector broke off or had too much to check")
        if not matches:
            return []
        place = _identity if text.isascii() else _placing(text)
        data = fold(text)
        found = []
        for name, *matched in matches:
            start, end = _value(name, data, *matched)
            if end > start:
                found.append((*place(start, end), self._kinds[name]))
        return found

    def member(self, name: str, text: str) -> list[Span]:
        """Return values that only the name of their member gives away, such as that of a password. Raises Unplaced."""
        head = f'"{name}": "'
        # A name gives away what begins at once, so of a long text the beginning shows whether there is anything.
        found = self.spans(head + text[:_BEGINNING]) if name else []
        if found and len(text) > _BEGINNING:
            found = self.spans(head + text)
        return [(max(0, start - len(head)), end - len(head), kind) for start, end, kind in found if end > len(head)]


def _value(name: str, data: bytes, start: int, end: int) -> tuple[int, int]:
    if name in national.NAMES:
        return national.number(name, data, start, end)
    widen = _WIDEN.get(name)
    return widen(data, start, end) if widen else (start, end)


def _token_behind(data: bytes, _start: int, end: int) -> tuple[int, int]:
    return end, _run(_TOKEN, data, end)


def _token_on(data: bytes, start: int, end: int) -> tuple[int, int]:
    return start, _run(_WORD, data, end)


def _password(data: bytes, _start: int, end: int) -> tuple[int, int]:
    quoted = _QUOTED.match(data, end)
    if quoted is not None:
        return end + 1, quoted.end() - 1
    end += data[end : end + 1] in (b'"', b"'", b"`")
    stop = _run(_BARE, data, end)
    return end, end + len(data[end:stop].rstrip(b",;"))


def _key_block(data: bytes, start: int, end: int) -> tuple[int, int]:
    found = _KEY_END.search(data, end)
    return start, found.end() if found else len(data)


def _iban(data: bytes, start: int, end: int) -> tuple[int, int]:
    before = max(0, start - 1)
    for stop in range(end, min(len(data), start + _LONGEST_IBAN) + 1):
        if ids.iban(data[before:stop], start - before, stop - before):
            return start, stop
    return start, min(len(data), start + _LONGEST_IBAN)


def _digits_of(data: bytes, start: int, end: int) -> tuple[int, int]:
    first = _DIGIT.search(data, start, end)
    return (first.start() if first else start), end


def _nino(data: bytes, start: int, end: int) -> tuple[int, int]:
    found = _NINO.search(data, start, end)
    return (found.start() if found else start), end


def _login(data: bytes, start: int, end: int) -> tuple[int, int]:
    return data.index(b"://", start) + 3, end - 1


def _run(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = pattern.match(data, at)
    return found.end() if found else at


_WIDEN: Mapping[str, Widen] = {
    "iban": _iban,
    "us_ssn": _digits_of,
    "nl_bsn": _digits_of,
    "br_cpf": _digits_of,
    "in_aadhaar": _digits_of,
    "uk_nino": _nino,
    "private_key": _key_block,
    "cloud_key": _token_on,
    "forge_token": _token_on,
    "chat_token": _token_on,
    "payment_key": _token_on,
    "model_key": _token_on,
    "jwt": _token_on,
    "bearer": _token_behind,
    "secret_value": _token_behind,
    "password": _password,
    "url_password": _login,
}
"""Detectors whose match is not yet the value; any other's is."""


def _identity(start: int, end: int) -> tuple[int, int]:
    return start, end


def _placing(text: str) -> Callable[[int, int], tuple[int, int]]:
    """Return what leads from bytes of the folded text to characters of the text. Raises Unplaced.

    Folding joins a character with its marks and no others but in a few scripts, where a whole word is taken for it.
    """
    for clusters in (_CLUSTER.findall(text), re.findall(r"\S+|\s+", text)):
        known = {cluster: fold(cluster) for cluster in set(clusters)}  # a long text repeats its characters
        folded = [known[cluster] for cluster in clusters]
        if b"".join(folded) == fold(text):
            break
    else:
        raise Unplaced("a text that changes as a whole when it is made comparable")
    # What nobody sees folds to nothing: of clusters that begin at the same byte, the last one is seen.
    bytes_at = list(accumulate(map(len, folded), initial=0))
    chars_at = list(accumulate(map(len, clusters), initial=0))

    def place(start: int, end: int) -> tuple[int, int]:
        first, last = bisect_right(bytes_at, start) - 1, bisect_right(bytes_at, end - 1) - 1
        begin, stop, closing = chars_at[first], chars_at[last], clusters[last]
        begin += start - bytes_at[first] if clusters[first].isascii() else 0
        return begin, stop + (end - bytes_at[last] if closing.isascii() else len(closing))

    return place
