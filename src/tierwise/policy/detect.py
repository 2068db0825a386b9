"""What sensitive things stand in the text of a call? Places and detectors, never the matched text.

Does not know ceilings or targets. One automaton over each part says which detectors are worth a closer look.
Invariant: fails closed. An error, too much text, too many candidates or too much time is a finding, not a pass.
"""

import base64
import binascii
import difflib
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, Self, TypeVar
from urllib.parse import unquote

import msgspec
import re2

from tierwise.core.call import Part
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, highest
from tierwise.policy import national
from tierwise.policy.patterns import DETECTORS, Detector
from tierwise.policy.readings import fold, readings
from tierwise.policy.settings import LabelSettings, Pattern

MAX_CANDIDATES = 4096
"""Matches of one detector in one call that are checked; more count as a hit. A slow check has a limit of its own."""
MAX_SCAN_BYTES = 4 * 1024 * 1024
"""Text of one call that is scanned; more counts as a hit."""
MAX_SCAN_S = 2.0
"""Time that the scan of one call may take; what is not scanned by then counts as a hit."""
LEAST_KNOWN_BYTES = 64
MAX_KNOWN = 100_000
"""Texts, and what was found in them, that are kept by hash, each counted: so that the turns of a long conversation are
not searched again and again."""
_SET_MEMORY_BYTES = 32 * 1024 * 1024


Clock = Callable[[], float]
T = TypeVar("T", bound=tuple[Any, ...])
Match = tuple[str, int, int]
"""A detector's name, and where in the folded text its match begins and ends, in bytes."""


def _stopped() -> float:
    return 0.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A detector's hit in the part at `path`. `detail` says why it counts where it was not an ordinary match.

    `forgiven` names the declassification under which all that it found stands, "" if there is none.
    """

    detector: str
    label: Label
    path: str
    detail: str = ""
    forgiven: str = ""


class Detectors:
    """The detectors in force, compiled once. Raises ConfigError for an unknown name, a bad pattern, a missing extra.

    `clock` gives seconds; without one the time is not limited. `load` imports what an extra needs. `examined_chars`
    counts the text that was looked at and not known from before.
    """

    def __init__(self, settings: LabelSettings, clock: Clock = _stopped, load: national.Load = national.absent) -> None:
        rows = _in_force(settings, load)
        self.labels = {row.name: label for row, label in rows}
        self._rows = [(row, label, _compile(row.pattern)) for row, label in rows]
        self._known = _Memory[tuple[Finding, ...]]()
        self._placed = _Memory[tuple[Match, ...]]()
        self._clock, self._load = clock, load
        self.examined_chars = 0
        self._strictest = highest(self.labels.values())
        own = settings.patterns
        places = range(len(rows))
        self._automata = [
            _Automaton([(rows[place][0].hint, place) for place in places if rows[place][0].name not in own]),
            _Automaton([(rows[place][0].hint, place) for place in places if rows[place][0].name in own]),
        ]

    def under(self, settings: LabelSettings) -> Self:
        """Return what these settings want found, within the same time and with the same extras."""
        return type(self)(settings, self._clock, self._load)

    def scan(self, parts: Sequence[Part], forgiven: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
        """Return at most one finding per detector and part, in the order of parts.

        `forgiven` gives the declassification in force for a text or a line, by `text_hash`.
        """
        findings: list[Finding] = []
        allowance = _Allowance(self._rows, self.timer(), forgiven or {})
        left_bytes = MAX_SCAN_BYTES
        for path, text in _texts(parts, allowance.forgiven):
            left_bytes -= len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
            if left_bytes < 0:
                findings.append(self._closed(path, f"more than {MAX_SCAN_BYTES} bytes of text"))
                break
            if allowance.late():
                findings.append(self._closed(path, f"more than {MAX_SCAN_S:g} seconds"))
                break
            findings.extend(self._of(path, text, allowance))
        return tuple(findings)

    def timer(self) -> Callable[[], bool]:
        """Return what says, from now on, whether the time for one call is up."""
        until = self._clock() + MAX_SCAN_S
        return lambda: self._clock() > until

    def matches(self, text: str, late: Callable[[], bool] = lambda: False) -> Sequence[Match] | None:
        """Return every match in the text as it is written, decoding nothing; None where a search gave up."""
        key = _key(text)
        known = self._placed.get(key)
        if known is not None:
            return known
        self.examined_chars += len(text)
        try:
            found = self._matches(fold(text), late)
        except Exception:  # as in a scan: a guard that breaks is no pass
            return None
        if found is not None:
            self._placed.keep(key, found)
        return found

    def _matches(self, data: bytes, late: Callable[[], bool]) -> tuple[Match, ...] | None:
        found: list[Match] = []
        for place in self._suspected(data):
            if place < 0:
                return None
            row, _, pattern = self._rows[place]
            accepted = _accepted(row, pattern, data, late)
            if accepted is None:
                return None
            found += ((row.name, start, end) for start, end in accepted)
        return tuple(found)

    def _of(self, path: str, text: str, allowance: "_Allowance") -> Sequence[Finding]:
        """Return what stands in one text; from memory where it is known and nothing in it was declassified."""
        key = _key(text)
        known = self._known.get(key)
        if known is not None and not (known and allowance.forgiven):
            return [msgspec.structs.replace(finding, path=path) for finding in known]
        self.examined_chars += len(text)
        allowance.text = allowance.forgiven.get(text_hash(text), "") if allowance.forgiven else ""
        try:
            data = readings(text)
            findings = tuple(self._scan(path, data, self._suspected(data), allowance))
        except Exception as error:  # a guard that breaks must count as a hit, whatever broke
            return (self._closed(path, f"detector failed: {type(error).__name__}"),)
        if not allowance.forgiven and not any(f.detail for f in findings):
            self._known.keep(key, findings)
        return findings

    def _suspected(self, data: bytes) -> list[int]:
        """Return the rows worth a closer look, in order; -1 where an automaton gave up."""
        places: list[int] = []
        for automaton in self._automata:
            matched = automaton.match(data)
            if matched is None:
                return [*places, -1]
            places += matched
        return places

    def _scan(self, path: str, data: bytes, places: Sequence[int], allowance: "_Allowance") -> Iterator[Finding]:
        for place in places:
            if place < 0:
                yield self._closed(path, "pattern memory exhausted")
                return
            row, label, pattern = self._rows[place]
            hit = _hit(row, pattern, data, allowance)
            if hit is not None:
                yield Finding(detector=row.name, label=label, path=path, detail=hit[0], forgiven=hit[1])

    def _closed(self, path: str, detail: str) -> Finding:
        return Finding(detector="scan", label=self._strictest, path=path, detail=detail)


def text_hash(text: str | bytes) -> str:
    """Return the hash by which a text, or a line of one, is declassified: of the folded text without outer blanks."""
    return hashlib.sha256((fold(text) if isinstance(text, str) else text).strip()).hexdigest()


class _Allowance:
    """What is left for one call: candidates by detector, time, and what was declassified."""

    def __init__(
        self, rows: Sequence[tuple[Detector, Label, Any]], late: Callable[[], bool], forgiven: Mapping[str, str]
    ) -> None:
        self.left = {row.name: row.most or MAX_CANDIDATES for row, _, _ in rows}
        self.late = late
        self.forgiven = forgiven
        self.text = ""  # the declassification of the whole text at hand

    def forgive(self, data: bytes, start: int) -> str:
        """Return the declassification under which the line around `start` stands, "" for none."""
        if self.text or not self.forgiven:
            return self.text
        line = data[data.rfind(b"\n", 0, start) + 1 :].split(b"\n", 1)[0]
        return self.forgiven.get(text_hash(line), "")


class _Memory(Generic[T]):
    """What was found in a text, by its hash; the longest unused is forgotten. Short texts have none: they are cheap."""

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, T] = OrderedDict()
        self._weight = 0

    def get(self, key: bytes) -> T | None:
        """Return what was kept."""
        found = self._found.get(key)
        if found is not None:
            self._found.move_to_end(key)
        return found

    def keep(self, key: bytes, found: T) -> None:
        """Keep it."""
        if key:
            self._weight += 1 + len(found) - (1 + len(self._found.pop(key)) if key in self._found else 0)
            self._found[key] = found
            while self._weight > MAX_KNOWN:
                self._weight -= 1 + len(self._found.popitem(last=False)[1])


def _key(text: str) -> bytes:
    """Return the key of a text in a memory, empty for none."""
    if len(text) < LEAST_KNOWN_BYTES:
        return b""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


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


def _hit(row: Detector, pattern: Any, data: bytes, allowance: _Allowance) -> tuple[str, str] | None:
    """Return why this detector hits ("" for an ordinary match) and under which declassification, None for no hit."""
    found = None
    for start, end in _candidates(row, pattern, data):
        if allowance.left[row.name] == 0:
            return f"more than {row.most or MAX_CANDIDATES} candidates", ""
        if allowance.late():
            return f"more than {MAX_SCAN_S:g} seconds", ""
        allowance.left[row.name] -= 1
        if row.check(data, start, end):
            forgiven = allowance.text if row.opens else allowance.forgive(data, start)
            if not forgiven:
                return "", ""
            found = "", forgiven
    return found


def _accepted(row: Detector, pattern: Any, data: bytes, late: Callable[[], bool]) -> list[tuple[int, int]] | None:
    """Return every hit; None for more candidates, or more time, than one call has."""
    found: list[tuple[int, int]] = []
    at = 0
    for _ in range(row.most or MAX_CANDIDATES):
        match = pattern.search(data, at)
        if match is None:
            return found
        if late():
            return None
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
_SEAM_CHARS = 64


def _texts(parts: Sequence[Part], forgiven: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield every part, and once more joined where a message has several texts or a number goes on in a later one.

    A text that was declassified as a whole is not joined: it would count again.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for part in parts:
        text = _readable(part) if part.kind in ("image", "file") else part.text
        yield part.path, text
        found = _MESSAGE.match(part.path) if part.kind in _JOINED else None
        if found:
            hidden = forgiven and text_hash(text) in forgiven
            groups.setdefault((found[0], part.kind), []).append("" if hidden else text)
    for (path, _), texts in groups.items():
        if len(texts) > 1:
            yield path, "".join(texts)
    messages = [(path, texts[0], texts[-1]) for (path, _), texts in groups.items()]
    for place, (path, head, _) in enumerate(messages):
        for _, _, tail in messages[max(0, place - 2) : place]:
            if seam := _seam(tail, head):
                yield path, seam


def _seam(tail: str, head: str) -> str:
    """Return the end of one message and the beginning of a later one as one text, "" unless a number can cross."""
    left, right = tail[-_SEAM_CHARS:].rstrip(), head[:_SEAM_CHARS].lstrip()
    before, after = left.rstrip(" -.")[-1:], right.lstrip(" -.")[:1]
    if not (before.isalnum() and after.isalnum() and (before.isdigit() or after.isdigit())):
        return ""
    return f"{left}{right}\n{left} {right}"


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


def _in_force(settings: LabelSettings, load: national.Load) -> list[tuple[Detector, Label]]:
    known = [*DETECTORS, *(national.detectors(settings.phone_regions, load) if settings.identifiers else ())]
    names = {row.name for row in known}
    for name in settings.detectors:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f'; did you mean "{near[0]}"?' if near else f"; known: {', '.join(row.name for row in known)}"
            if name in national.NAMES:
                hint = "; it belongs to the extra: set identifiers = true"
            raise ConfigError(
                f'[labels] detectors: no detector is called "{name}"{hint}', key=f"labels.detectors.{name}"
            )
    rows: list[tuple[Detector, Label]] = []
    for row in known:
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
    if any(row.name == name for row in DETECTORS) or name in national.NAMES or name == "scan":
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
