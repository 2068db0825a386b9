"""Which rows are in this file? JSON lines, a JSON array, CSV, TSV or Parquet as plain tables, each with its place.

Knows no column. Every problem is a ConfigError that names the file, the line where there is one, and the mend.
Invariant: what is read is bounded in bytes and rows, every number is finite, and nothing is dropped silently.
"""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.core.extras import without

MAX_BYTES = 512 * 1024 * 1024
MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_ROWS = 1_000_000
MAX_DEPTH = 64
_BATCH_ROWS = 4096
_PIECE_BYTES = 64 * 1024

Row = tuple[int, dict[str, Any]]
"""A line (of Parquet and JSON arrays: the row), counted from 1, and its columns."""


def rows(path: Path) -> Iterator[Row]:
    """Give the rows of a file, by the end of its name: .jsonl, .ndjson, .json, .csv, .tsv or .parquet."""
    match path.suffix.lower():
        case ".jsonl" | ".ndjson":
            found = _json_lines(path)
        case ".json":
            found = _json_array(path)
        case ".csv" | ".tsv":
            found = _table(path)
        case ".parquet":
            found = _parquet(path)
        case other:
            raise wrong(path, f"the ending {other!r} is none that is read; use .jsonl, .csv, .tsv, .json or .parquet")
    for count, (place, row) in enumerate(found, 1):
        if count > MAX_ROWS:
            raise wrong(path, f"more than {MAX_ROWS:,} rows; take a sample")
        yield place, row


def wrong(path: Path, told: str, place: int | None = None) -> ConfigError:
    """Return the error for a file, or for a row of it."""
    unit = "row" if path.suffix.lower() in (".parquet", ".json") else "line"
    where = f"{path}, {unit} {place}" if place is not None else str(path)
    return ConfigError(f"{where}: {told}", file=str(path))


def content(path: Path) -> bytes:
    """Return the bytes of a file that is not too large."""
    try:
        with path.open("rb") as file:
            pieces = iter(partial(file.read, _PIECE_BYTES), b"")
            data = b"".join(islice(pieces, MAX_BYTES // _PIECE_BYTES + 1))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=str(path)) from error
    if len(data) > MAX_BYTES:
        raise wrong(path, f"larger than {MAX_BYTES // 1024**2} MiB; take a sample, or split it")
    return data.removeprefix(b"\xef\xbb\xbf")


def _text(path: Path) -> str:
    data = content(path)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise wrong(path, f"not UTF-8 text (byte {error.start}); save it as UTF-8 (Excel: CSV UTF-8)", line) from error


def _json_lines(path: Path) -> Iterator[Row]:
    data, start = content(path), 0
    for number in range(1, data.count(b"\n") + 2):
        end = data.find(b"\n", start)
        line, start = data[start : len(data) if end < 0 else end], end + 1
        if len(line) > MAX_LINE_BYTES:
            told = f"{len(line) / 1024**2:.0f} MiB long; no item is longer than {MAX_LINE_BYTES // 1024**2} MiB. "
            raise wrong(path, told + "Is this JSON lines, one object a line?", number)
        if line.strip():
            yield number, _object(path, number, _decoded(path, line, number))


def _json_array(path: Path) -> Iterator[Row]:
    found = _decoded(path, content(path), None)
    if not isinstance(found, list):
        raise wrong(path, "not a JSON array of objects; JSON lines (.jsonl) take one object a line")
    for number, one in enumerate(found, 1):
        yield number, _object(path, number, one)


def _decoded(path: Path, data: bytes, place: int | None) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        try:
            data.decode()
        except UnicodeDecodeError as bad:
            raise wrong(
                path, f"not UTF-8 text (byte {bad.start} of it); save it as UTF-8 (Excel: CSV UTF-8)", place
            ) from error
        if any(word in data for word in (b"NaN", b"Infinity")):
            raise wrong(
                path, "NaN and Infinity are no JSON numbers; write null where a value is missing", place
            ) from error
        raise wrong(path, f"not JSON: {error}", place) from error


def _object(path: Path, place: int, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise wrong(path, "not a JSON object", place)
    return found


def _table(path: Path) -> Iterator[Row]:
    text = _text(path)
    head, _, _ = text.partition("\n")
    between = next((mark for mark in ",;\t" if mark in head), ",") if path.suffix.lower() == ".csv" else "\t"
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=False)
    names: list[str] = []
    try:
        for cells in reader:
            if not any(cells):
                continue
            if not names:
                names = _named(path, cells)
                continue
            if len(cells) != len(names):
                told = f"{len(cells)} cells under {len(names)} columns; put a cell that holds the separator in quotes"
                raise wrong(path, told, reader.line_num)
            yield reader.line_num, dict(zip(names, cells, strict=True))
    except csv.Error as error:
        raise wrong(
            path,
            f"not CSV: {error}; a quotation mark that is never closed makes one long field, "
            "and JSON lines (.jsonl) take texts of any length",
            reader.line_num,
        ) from error


def _named(path: Path, cells: Sequence[str]) -> list[str]:
    names = [cell.strip() or f"column{number}" for number, cell in enumerate(cells, 1)]
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise wrong(path, f"two columns are named {twice!r}", 1)
    return names


def _parquet(path: Path) -> Iterator[Row]:
    content_length = _size(path)
    try:
        import duckdb
    except ImportError as error:
        raise without(error, "duckdb", "Parquet", file=str(path)) from error
    if content_length > MAX_BYTES:
        raise wrong(path, f"larger than {MAX_BYTES // 1024**2} MiB; take a sample, or split it")
    db = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    number = 0
    try:
        found = db.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in found.description or ()]
        while batch := found.fetchmany(_BATCH_ROWS):
            for cells in batch:
                number += 1
                yield number, {name: _plain(path, number, cell) for name, cell in zip(names, cells, strict=True)}
    except duckdb.Error as error:
        raise wrong(path, f"not Parquet: {str(error).splitlines()[0]}") from error
    finally:
        db.close()


def _size(path: Path) -> int:
    try:
        with path.open("rb") as file:  # a file that may not be read is said so here, not in words of the reader's
            return file.seek(0, io.SEEK_END)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=str(path)) from error


def _plain(path: Path, place: int, value: Any, depth: int = 0) -> Any:
    """Return a cell as JSON would hold it."""
    match value:
        case None | str() | bool() | int():
            return value
        case float():
            if not math.isfinite(value):
                raise wrong(path, "NaN and infinity are no values; write NULL where a value is missing", place)
            return value
        case Decimal():
            return _plain(path, place, float(value))
        case datetime() | date() | time():
            return value.isoformat()
        case UUID():
            return str(value)
        case list() | tuple() if depth < MAX_DEPTH:
            return [_plain(path, place, one, depth + 1) for one in value]
        case dict() if depth < MAX_DEPTH:
            return {str(name): _plain(path, place, one, depth + 1) for name, one in value.items()}
        case _:
            raise wrong(
                path, f"a cell holds {type(value).__name__}; only text, numbers, lists and tables are read", place
            )
