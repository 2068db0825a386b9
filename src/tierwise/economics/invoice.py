"""What does a provider's usage export say? Lines of tokens, requests and money, from CSV or JSON.

Knows no vendor: a `Format` says which column means what, and the first whose columns are all there is taken. JSON is
read as the table that it stands for: `a.b` is the member `b` of the object `a`.
Invariant: what cannot be read is an error with its row and its column; nothing is guessed, and every read is bounded.
"""

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from tierwise.core.errors import InvalidCall

MAX_BYTES = 64 * 1024 * 1024
MAX_ROWS = 1_000_000
MAX_NAME_CHARS = 200
DAY_S, HOUR_S, MINUTE_S = 86_400, 3600, 60
CENTS = 2
_COUNT = re.compile(r"\d{1,15}(\.0{1,6})?", re.ASCII)
_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,30})?([eE][+-]?\d{1,2})?", re.ASCII)
_UNIX = re.compile(r"\d{9,11}(\.\d{1,9})?", re.ASCII)
_NAME = re.compile(r"[^\x00-\x20\x7f-\x9f=+@\-][^\x00-\x1f\x7f-\x9f]*")


class Format(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One format: which columns it `needs`, and what they mean.

    Of `model` and `start` the first column that is filled counts; `read`, `cache_read` and `written` are sums. Without
    an `end` a line is one request, or a window as wide as its start is exact. `empty` says that windows without usage
    are in the export too. `kinds` are those of the endpoints that it bills, `embeddings` that it bills these too.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    model: tuple[str, ...]
    start: tuple[str, ...]
    read: tuple[str, ...]
    written: tuple[str, ...]
    end: str | None = None
    cache_read: tuple[str, ...] = ()
    requests: str | None = None
    cost_usd: str | None = None
    request_id: str | None = None
    empty: bool = False
    embeddings: bool = False
    kinds: tuple[str, ...] = ()
    source: str = ""
    as_of: str = ""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens and requests; None is not told. `read` includes `cache_read`, `written` the reasoning."""

    read: int | None = None
    cache_read: int | None = None
    written: int | None = None
    requests: int | None = None

    def __add__(self, other: "Counts") -> "Counts":
        """Add both up; what one of them does not tell is not told."""
        return Counts(**{name: _sum(getattr(self, name), getattr(other, name)) for name in MEASURES})

    def __sub__(self, other: "Counts") -> "Counts":
        """Return the difference in what both tell."""
        return self + Counts(**{name: _negated(getattr(other, name)) for name in MEASURES})

    def items(self) -> Iterator[tuple[str, int]]:
        """Give what is told."""
        return ((name, value) for name in MEASURES if (value := getattr(self, name)) is not None)


MEASURES = Counts.__struct_fields__
NOTHING = Counts(read=0, cache_read=0, written=0, requests=0)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What one row bills. Times are Unix seconds; a single request has one moment."""

    place: str
    model: str
    start: float
    end: float
    counts: Counts
    cost_usd: Decimal | None = None
    request_id: str | None = None


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """The whole export. `spans` are the times that it speaks of, `windows` those that it adds up over.

    `width_s` is that of windows that are left out where they are empty, None where none is. `digits` are the decimals
    of its amounts; `complete` is false where a further page follows; `unbilled` rows name a call that cost nothing.
    """

    format: Format
    lines: tuple[Line, ...]
    spans: tuple[tuple[float, float], ...]
    windows: tuple[tuple[float, float], ...]
    width_s: int | None = None
    digits: int = CENTS
    complete: bool = True
    unbilled: int = 0

    @property
    def by_request(self) -> bool:
        """True where each line is one request with a name."""
        return bool(self.lines) and self.lines[0].request_id is not None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table that an export is: where it stands, and its cells by column."""

    place: str
    cells: Mapping[str, Any]

    def wrong(self, column: str, problem: str) -> InvalidCall:
        """Make the error that names this row and a column of it."""
        return InvalidCall(f"{self.place}, column {column!r}: {problem}", param="INVOICE")


def read(formats: Sequence[Format], files: Sequence[tuple[str, bytes]]) -> Invoice:
    """Read the files, pages of one export. Raises InvalidCall that says where, for anything else."""
    rows: list[Row] = []
    more = 0
    for name, data in files:
        page, follows = _rows(name, data)
        rows += page
        more += follows
    if len(rows) > MAX_ROWS:
        raise _too_many()
    form = _format_of(formats, rows, files[0][0])
    return _invoice(form, rows, complete=more < len(files))


def _too_many() -> InvalidCall:
    return InvalidCall(f"the export has more than {MAX_ROWS:,} rows: export a shorter time", param="INVOICE")


def _format_of(formats: Sequence[Format], rows: Sequence[Row], name: str) -> Format:
    columns = {column for row in rows for column in row.cells}
    if not rows:
        raise InvalidCall(f"{name}: there is no row in it", param="INVOICE")
    fitting = [form for form in formats if columns.issuperset(form.needs)]
    # Buckets without any result have nothing but their times.
    fitting += [form for form in formats if form.empty and columns.issuperset((form.start[0], form.end))]
    if fitting:
        return fitting[0]
    known = "; ".join(f"{form.title}: {', '.join(form.needs)}" for form in formats)
    raise InvalidCall(f"{name}: its columns are those of no export that is known ({known})", param="INVOICE")


def _invoice(form: Format, rows: Sequence[Row], *, complete: bool) -> Invoice:
    lines: list[Line] = []
    windows: set[tuple[float, float]] = set()
    seen: dict[Any, Row] = {}
    named = form.request_id is not None and any(row.cells.get(form.request_id) not in (None, "") for row in rows)
    ends = any(row.cells.get(form.end or "") not in (None, "") for row in rows)
    width = None if ends or named else _width_s(form, rows)
    digits, unbilled = CENTS, 0
    for row in rows:
        start, end = _window(form, row, width)
        if not named:
            windows.add((start, end))
        counts = _counts(form, row, named=named)
        cost, decimals = _cost(form, row)
        digits = max(digits, decimals)
        used = counts.read or counts.written or cost or (counts.requests and not named)
        if not used:
            unbilled += named
            continue
        ident = _name(row, form.request_id) if named and form.request_id is not None else None
        _once(seen, row, ident)
        lines.append(
            Line(
                place=row.place, model=_model(form, row), start=start, end=end, counts=counts, cost_usd=cost,
                request_id=ident,
            )
        )  # fmt: skip
    # A list of requests speaks of the time from its first to its last, the last one's second included.
    told = sorted(windows or {(line.start, math.floor(line.end) + 1.0) for line in lines})
    return Invoice(
        format=form, lines=tuple(lines), spans=_spans(told, gaps=form.empty), windows=tuple(sorted(windows)),
        width_s=None if form.empty or not windows else width or _narrowest(told), digits=digits, complete=complete,
        unbilled=unbilled,
    )  # fmt: skip


def _narrowest(windows: Sequence[tuple[float, float]]) -> int | None:
    return min((int(end - start) for start, end in windows), default=None)


def _once(seen: dict[Any, Row], row: Row, ident: str | None) -> None:
    """Refuse a row that stands there twice: it would count twice."""
    key = ident if ident is not None else tuple(sorted((name, str(cell)) for name, cell in row.cells.items()))
    first = seen.setdefault(key, row)
    if first is not row:
        raise InvalidCall(
            f"{row.place}: the same as {first.place}; if both are right, write their sum in one row", param="INVOICE"
        )


def _spans(windows: Sequence[tuple[float, float]], *, gaps: bool) -> tuple[tuple[float, float], ...]:
    """Join windows to the times that are spoken of; a gap is one only where empty windows are told too."""
    spans: list[tuple[float, float]] = []
    for start, end in windows:
        if spans and (start <= spans[-1][1] or not gaps):
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return tuple(spans)


# cells


def _first(row: Row, columns: Sequence[str]) -> tuple[str, Any]:
    """Return the first of these columns that is filled, and its cell."""
    found = ((column, row.cells[column]) for column in columns if row.cells.get(column) not in (None, ""))
    return next(found, (columns[0], None))


def _model(form: Format, row: Row) -> str:
    column, cell = _first(row, form.model)
    if cell is None:
        raise row.wrong(column, "no model is named; export it grouped by model")
    return _name(row, column)


def _name(row: Row, column: str) -> str:
    cell = row.cells.get(column)
    if not isinstance(cell, str) or len(cell) > MAX_NAME_CHARS or not _NAME.fullmatch(cell):
        raise row.wrong(column, f"{str(cell)[:40]!a} is no name; cells that begin like a formula are not taken")
    return cell


def _counts(form: Format, row: Row, *, named: bool) -> Counts:
    requests = 1 if named else None if form.requests not in row.cells else _count(row, form.requests or "")
    cached = [_count(row, column) for column in form.cache_read if column in row.cells]
    return Counts(
        read=sum(_count(row, column) for column in form.read),
        cache_read=sum(cached) if cached else None,
        written=sum(_count(row, column) for column in form.written),
        requests=requests,
    )


def _count(row: Row, column: str) -> int:
    cell = row.cells.get(column)
    if cell is None or cell == "":
        return 0
    if isinstance(cell, bool) or not _COUNT.fullmatch(str(cell)):
        raise row.wrong(column, f"{str(cell)[:40]!a} is no count of tokens or requests")
    return int(Decimal(str(cell)))


def _cost(form: Format, row: Row) -> tuple[Decimal | None, int]:
    """Return what the row costs, None where that is not told, and how many decimals say so."""
    cell = None if form.cost_usd is None else row.cells.get(form.cost_usd)
    if form.cost_usd is None or cell is None or cell == "":
        return None, 0
    if isinstance(cell, bool) or not _AMOUNT.fullmatch(str(cell)):
        raise row.wrong(form.cost_usd, f"{str(cell)[:40]!a} is no amount in US dollars")
    amount = Decimal(str(cell))
    return amount, max(0, -int(amount.as_tuple().exponent))


def _window(form: Format, row: Row, width: int | None) -> tuple[float, float]:
    column, cell = _first(row, form.start)
    start = _moment(row, column, cell)
    if form.end is None or row.cells.get(form.end) in (None, ""):
        return start, start + (width or 0)
    end = _moment(row, form.end, row.cells[form.end])
    if end < start:
        raise row.wrong(form.end, "it ends before it begins")
    return start, end


def _moment(row: Row, column: str, cell: Any) -> float:
    """Return the Unix time that a cell means; UTC where it names no zone."""
    text = str(cell)
    if _UNIX.fullmatch(text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
        # In UTC: what a zone carries out of the years 1 to 9999 can be printed nowhere.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        raise row.wrong(
            column, f"{text[:40]!a} is no time: write 2026-11-01, 2026-11-01T08:00:00Z or Unix seconds"
        ) from None


def _width_s(form: Format, rows: Sequence[Row]) -> int:
    """Return how wide windows are that only say when they start: as wide as the starts are exact."""
    starts = [(text := str(_first(row, form.start)[1]), _moment(row, form.start[0], text)) for row in rows]
    if all(len(text) == len("2026-11-01") and "-" in text for text, _ in starts):
        return DAY_S
    return HOUR_S if all(math.fmod(moment, HOUR_S) == 0 for _, moment in starts) else MINUTE_S


# tables


def _rows(name: str, data: bytes) -> tuple[list[Row], bool]:
    """Return the rows of one file, and whether a further page follows."""
    if len(data) > MAX_BYTES:
        raise InvalidCall(f"{name}: larger than {MAX_BYTES} bytes: export a shorter time", param="INVOICE")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidCall(f"{name}: row {line} is not UTF-8: save it as UTF-8", param="INVOICE") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InvalidCall(f"{name}: row {line} has a NUL in it: save it as UTF-8 text", param="INVOICE")
    if text.lstrip()[:1] in ("{", "["):
        return _json_rows(name, text)
    return list(_csv_rows(name, text)), False


def _csv_rows(name: str, text: str) -> Iterator[Row]:
    reader = csv.reader((line[0] for line in re.finditer(r"[^\n]*\n|[^\n]+", text)), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if len(set(header)) < len(header):
            raise InvalidCall(f"{name}: row 1 names a column twice", param="INVOICE")
        for number, cells in enumerate(reader):
            place = f"{name}: row {reader.line_num}"
            if number >= MAX_ROWS:
                raise _too_many()
            if not cells:
                continue
            if len(cells) != len(header):
                raise InvalidCall(f"{place} has {len(cells)} cells, the header {len(header)}", param="INVOICE")
            yield Row(place=place, cells=dict(zip(header, (cell.strip() for cell in cells), strict=True)))
    except csv.Error as error:
        raise InvalidCall(f"{name}: row {reader.line_num}: {error}", param="INVOICE") from None


def _json_rows(name: str, text: str) -> tuple[list[Row], bool]:
    try:
        said = _decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidCall(f"{name}: no JSON: {error}", param="INVOICE") from None
    follows = isinstance(said, dict) and said.get("has_more") is True
    listed, path = (said, "") if isinstance(said, list) else (said.get("data"), "data")
    if not isinstance(listed, list):
        raise InvalidCall(f"{name}: neither a list nor an object with a list `data`", param="INVOICE")
    found: list[Row] = []
    for at, item in enumerate(listed):
        place = f"{name}: row {path}[{at}]"
        if not isinstance(item, dict):
            raise InvalidCall(f"{place} is no object", param="INVOICE")
        results = item.get("results", item.get("result"))
        if not isinstance(results, list):
            found.append(Row(place=place, cells=dict(_flat(item))))
            continue
        bucket = {key: value for key, value in item.items() if not isinstance(value, list | dict)}
        for number, result in enumerate(results or [{}]):
            if not isinstance(result, dict):
                raise InvalidCall(f"{place}.results[{number}] is no object", param="INVOICE")
            found.append(Row(place=f"{place}.results[{number}]", cells={**bucket, **dict(_flat(result))}))
    return found, follows


_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def _flat(item: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in item.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", cell) for inner, cell in value.items() if not isinstance(cell, list | dict))
        elif not isinstance(value, list):
            yield key, value


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _negated(value: int | None) -> int | None:
    return None if value is None else -value
