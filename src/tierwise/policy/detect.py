"""What sensitive things stand in the text of a call? Places and detectors, never the matched text.

Does not know ceilings or targets. One automaton over each part says which detectors are worth a closer look.
Invariant: fails closed. An error, too much text or too many candidates is a finding, not a pass.
"""

import base64
import binascii
import difflib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec
import re2

from tierwise.core.call import Part
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, highest
from tierwise.policy.patterns import DETECTORS, Detector
from tierwise.policy.settings import LabelSettings, Pattern

MAX_CANDIDATES = 4096
"""Matches of one detector in one call that are checked; more count as a hit."""
MAX_SCAN_BYTES = 4 * 1024 * 1024
"""Text of one call that is scanned; more counts as a hit."""
LEAST_CLEAN_BYTES = 256
MAX_CLEAN_BYTES = 16 * 1024 * 1024
"""Text in which nothing was found, kept so that the turns of a long conversation are not searched again and again."""
_SET_MEMORY_BYTES = 32 * 1024 * 1024


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A detector's hit in the part at `path`. `detail` says why it counts where it was not an ordinary match."""

    detector: str
    label: Label
    path: str
    detail: str = ""


class Detectors:
    """The detectors in force, compiled once. Raises ConfigError for an unknown name or a bad pattern.

    `examined_chars` counts the text that was looked at and not known to be clean from before.
    """

    def __init__(self, settings: LabelSettings) -> None:
        rows = _in_force(settings)
        self.labels = {row.name: label for row, label in rows}
        self._rows = [(row, label, _compile(row.pattern)) for row, label in rows]
        self._clean = _Clean()
        self.examined_chars = 0
        self._strictest = highest(self.labels.values())
        built_in = {row.name for row in DETECTORS}
        places = range(len(rows))
        self._automata = [
            _Automaton([(rows[place][0].hint, place) for place in places if rows[place][0].name in built_in]),
            _Automaton([(rows[place][0].hint, place) for place in places if rows[place][0].name not in built_in]),
        ]

    def scan(self, parts: Sequence[Part]) -> tuple[Finding, ...]:
        """Return at most one finding per detector and part, in the order of parts."""
        findings: list[Finding] = []
        left_bytes = MAX_SCAN_BYTES
        left = dict.fromkeys(self.labels, MAX_CANDIDATES)
        for path, text in _texts(parts):
            left_bytes -= len(text)
            if left_bytes < 0:
                findings.append(self._closed(path, f"more than {MAX_SCAN_BYTES} bytes of text"))
                break
            if text in self._clean:
                continue
            self.examined_chars += len(text)
            try:
                data = fold(text)
                places = self._suspected(data)
                if not places:
                    self._clean.add(text)
                    continue
                findings.extend(self._scan(path, data, places, left))
            except Exception as error:  # a guard that breaks must count as a hit, whatever broke
                findings.append(self._closed(path, f"detector failed: {type(error).__name__}"))
        return tuple(findings)

    def matches(self, text: str) -> list[tuple[str, int, int]] | None:
        """Return every match as (detector, start, end) in bytes of the folded text; None where a search gave up."""
        if text in self._clean:
            return []
        data = fold(text)
        places = self._suspected(data)
        found: list[tuple[str, int, int]] = []
        for place in places:
            if place < 0:
                return None
            row, _, pattern = self._rows[place]
            accepted = _accepted(row, pattern, data)
            if accepted is None:
                return None
            found += ((row.name, start, end) for start, end in accepted)
        return found

    def _suspected(self, data: bytes) -> list[int]:
        """Return the rows worth a closer look, in order; -1 where an automaton gave up."""
        places: list[int] = []
        for automaton in self._automata:
            matched = automaton.match(data)
            if matched is None:
                return [*places, -1]
            places += matched
        return places

    def _scan(self, path: str, data: bytes, places: Sequence[int], left: dict[str, int]) -> Iterator[Finding]:
        for place in places:
            if place < 0:
                yield self._closed(path, "pattern memory exhausted")
                return
            row, label, pattern = self._rows[place]
            detail = _hit(row, pattern, data, left)
            if detail is not None:
                yield Finding(detector=row.name, label=label, path=path, detail=detail)

    def _closed(self, path: str, detail: str) -> Finding:
        return Finding(detector="scan", label=self._strictest, path=path, detail=detail)


class _Clean:
    """Texts in which no detector found anything to look at; the oldest are forgotten beyond the limit."""

    __slots__ = ("_bytes", "_texts")

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}
        self._bytes = 0

    def __contains__(self, text: str) -> bool:
        return text in self._texts

    def add(self, text: str) -> None:
        """Keep a text that is long enough for the search to cost more than the memory."""
        if not LEAST_CLEAN_BYTES <= len(text) <= MAX_CLEAN_BYTES // 16:
            return
        self._texts[text] = None
        self._bytes += len(text)
        while self._bytes > MAX_CLEAN_BYTES:
            oldest = next(iter(self._texts))
            del self._texts[oldest]
            self._bytes -= len(oldest)


class _Automaton:
    """Many hints matched in one pass, each waking the rows that carry it."""

    def __init__(self, hints: Sequence[tuple[str, int]]) -> None:
        options = re2.Options()
        options.max_mem = _SET_MEMORY_BYTES
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        rows: dict[str, list[int]] = {}
        for hint, place in hints:
            rows.setdefault(hint, []).append(place)
        self._rows = list(rows.values())
        try:
            for hint in rows:
                self._set.Add(hint)
            self._set.Add(r"\z")  # always matches: its absence means that the set gave up
            self._set.Compile()
        except re2.error as error:
            raise ConfigError("[labels] patterns: too large together; simplify them", key="labels.patterns") from error

    def match(self, data: bytes) -> Sequence[int] | None:
        """Return the rows to look at, in order; None if the automaton could not finish."""
        if not self._rows:
            return ()
        matched: list[int] = self._set.Match(data) or []
        if len(self._rows) not in matched:
            return None
        if len(matched) == 1:
            return ()
        return sorted(place for index in matched if index < len(self._rows) for place in self._rows[index])


def fold(text: str) -> bytes:
    """Return the text as scanned: invisible characters gone, compatibility forms, digits and dashes plain, UTF-8."""
    if text.isascii():
        return text.encode("ascii")
    data = text.encode("utf-8", "ignore")
    if _MANY_MARKS.search(data):
        data = _MANY_MARKS.sub(rb"\1", data)
    text = unicodedata.normalize("NFKC", data.decode())
    data = text.encode("utf-8", "ignore")
    if _ODD.search(data):
        data = _FOREIGN.sub(_plain, _INVISIBLE.sub("", text)).encode("utf-8", "ignore")
    return data


# Soft hyphen, joiners, direction marks, variation selectors, tags: they split what a model reads as one.
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff"
)
_DASHES = "\u2010-\u2015\u2212"
_MANY_MARKS = re2.compile(rb"(\p{M}{8})\p{M}+")
"""More marks on one letter than any script puts there; sorting them takes time that grows with the square of them."""
_INVISIBLE = re.compile(f"[{_UNSEEN}]")
_FOREIGN = re.compile(f"[{_DASHES}]|(?![0-9])\\d")
_ODD = re2.compile(f"[{_UNSEEN}{_DASHES}]|[^\\P{{Nd}}0-9]".encode())


def _plain(match: re.Match[str]) -> str:
    return str(unicodedata.digit(match[0], "-"))


def _hit(row: Detector, pattern: Any, data: bytes, left: dict[str, int]) -> str | None:
    """Return why this detector hits, "" for an ordinary match, None for no hit; count the candidates down."""
    for start, end in _candidates(row, pattern, data):
        if left[row.name] == 0:
            return f"more than {MAX_CANDIDATES} candidates"
        left[row.name] -= 1
        if row.check(data, start, end):
            return ""
    return None


def _accepted(row: Detector, pattern: Any, data: bytes) -> list[tuple[int, int]] | None:
    """Return every hit; None for more candidates than are checked."""
    found: list[tuple[int, int]] = []
    at = 0
    for _ in range(MAX_CANDIDATES):
        match = pattern.search(data, at)
        if match is None:
            return found
        start, end = match.span()
        hit = row.check(data, start, end)
        at = start + 1 if row.overlap and not hit else max(end, start + 1)
        if hit:
            found.append((start, end))
    return None


def _candidates(row: Detector, pattern: Any, data: bytes) -> Iterator[tuple[int, int]]:
    if not row.overlap:
        yield from (match.span() for match in pattern.finditer(data))
        return
    match = pattern.search(data)
    while match is not None:
        yield match.span()
        match = pattern.search(data, match.start() + 1)


_MESSAGE = re.compile(r"system(?=\[)|[^\[\].]+\[\d+\]")
_JOINED = ("text", "tool_result", "file")
_DATA_URL = re.compile(r"data:([^;,]*)[^,]*,", re.IGNORECASE)


def _texts(parts: Sequence[Part]) -> Iterator[tuple[str, str]]:
    """Yield every part, and once more joined where a message has several texts, so that a split is no way out."""
    groups: dict[tuple[str, str], list[str]] = {}
    for part in parts:
        text = _readable(part) if part.kind in ("image", "file") else part.text
        yield part.path, text
        found = _MESSAGE.match(part.path) if part.kind in _JOINED else None
        if found:
            groups.setdefault((found[0], part.kind), []).append(text)
    for (path, _), texts in groups.items():
        if len(texts) > 1:
            yield path, "".join(texts)


def _readable(part: Part) -> str:
    """Return what can be read of a picture or file: all of it, but for base64 that holds other than text."""
    found = _DATA_URL.match(part.text)
    if found is None:
        return part.text
    payload = part.text[found.end() :]
    if not found[0].lower().endswith(";base64,"):
        return f"{part.text}\n{unquote(payload)}" if "%" in payload else part.text
    try:
        data = base64.b64decode(payload + "=" * (-len(payload) % 4), validate=True)
    except (binascii.Error, ValueError):
        return part.text
    try:
        return found[0] + data.decode()
    except UnicodeDecodeError:
        textual = found[1].lower().startswith(("text/", "application/json", "application/xml"))
        return found[0] + data.decode("utf-8", "replace") if textual else found[0]


def _in_force(settings: LabelSettings) -> list[tuple[Detector, Label]]:
    built_in = {row.name: row for row in DETECTORS}
    for name in settings.detectors:
        if name not in built_in:
            near = difflib.get_close_matches(name, built_in, 1)
            hint = f'; did you mean "{near[0]}"?' if near else f"; known: {', '.join(built_in)}"
            raise ConfigError(
                f'[labels] detectors: no detector is called "{name}"{hint}', key=f"labels.detectors.{name}"
            )
    rows: list[tuple[Detector, Label]] = []
    for row in DETECTORS:
        wanted = settings.detectors.get(row.name, row.label)
        if wanted is not None and wanted != "off":
            rows.append((row, Label(wanted)))
    for name, own in settings.patterns.items():
        rows.append((_own(name, own), own.label))
    return rows


def _own(name: str, own: Pattern) -> Detector:
    pattern = _checked(name, own.pattern)
    return Detector(name, own.label, pattern, pattern, lambda *_: True, "configured")


def _checked(name: str, pattern: str) -> str:
    key = f"labels.patterns.{name}.pattern"
    if any(row.name == name for row in DETECTORS) or name == "scan":
        raise ConfigError(f'[labels] patterns: "{name}" is the name of a built-in detector', key=key)
    try:
        empty = _compile(pattern).search(b"") is not None
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ConfigError(f'[labels] patterns: "{name}" is not valid RE2: {reason}', key=key) from None
    if empty:
        raise ConfigError(f'[labels] patterns: "{name}" matches empty text, so it would match everything', key=key)
    return pattern


def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    return re2.compile(pattern.encode(), options)
