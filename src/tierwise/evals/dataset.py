"""Which labelled messages are there? Reads a CSV or JSONL file with `text` and `label` (or `category`).

Knows no model. Every problem is a ConfigError that names the file, the line where there is one, and the mend.
Invariant: a row is a non-empty text with a known label; nothing is dropped silently.
"""

import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeGuard

import msgspec

from tierwise.core.errors import ConfigError

LABEL_COLUMNS = ("label", "category")
MAX_BYTES = 256 * 1024 * 1024
MAX_NAMED = 10
_HALF = re.compile("[\ud800-\udfff]")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One labelled message."""

    text: str
    label: str

    @property
    def key(self) -> str:
        """A fixed hash of the text, white space and case aside; orders rows without regard to their place in a file."""
        return hashlib.sha256(" ".join(self.text.split()).lower().encode()).hexdigest()


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a file, and how many of them repeat an earlier text."""

    name: str
    rows: tuple[Row, ...]
    duplicates: int = 0


def read(path: Path, labels: Collection[str]) -> Dataset:
    """Read the file and check it against the labels that the task knows."""
    rows = tuple(_rows(path))
    if not rows:
        raise ConfigError(f"{path} holds no rows", file=str(path))
    unknown = Counter(row.label for row in rows if row.label not in labels)
    if unknown:
        named = ", ".join(f"{name!r} ({count})" for name, count in unknown.most_common(MAX_NAMED))
        more = f" and {len(unknown) - MAX_NAMED} more" if len(unknown) > MAX_NAMED else ""
        raise ConfigError(
            f"{path} has labels that the shipped models do not know: {named}{more}. They know {len(labels)} intents of "
            "bank customers only; for a task of your own use `tierwise compare`",
            file=str(path),
        )
    if len({row.label for row in rows}) < 2:
        raise ConfigError(
            f"{path}: every row has the label {rows[0].label!r}; accuracy on one class says nothing. "
            "Give rows of two or more labels",
            file=str(path),
        )
    repeated = len(rows) - len({row.key for row in rows})
    return Dataset(name=path.name, rows=rows, duplicates=repeated)


def _rows(path: Path) -> Iterator[Row]:
    text = _text(path)
    named = _json_lines(text, path) if path.suffix.lower() in (".jsonl", ".ndjson") else _csv_lines(text, path)
    for line, row in named:
        label = next((row[name] for name in LABEL_COLUMNS if row.get(name)), None)
        if "text" not in row or not any(name in row for name in LABEL_COLUMNS):
            have = ", ".join(sorted(row)[:MAX_NAMED]) or "nothing"
            raise ConfigError(
                f"{path}, line {line}: needs the columns text and label (or category); there are: {have}",
                file=str(path),
            )
        body = row["text"]
        if not _is_text(body) or not _is_text(label):
            raise ConfigError(f"{path}, line {line}: text and label must both be non-empty text", file=str(path))
        yield Row(text=" ".join(body.split()), label=label.strip())


def _is_text(value: object) -> TypeGuard[str]:
    """Say whether something can be read; JSON may hold half a character, which is none."""
    return isinstance(value, str) and bool(value.strip()) and not _HALF.search(value)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_BYTES // 1024**2} MiB", file=str(path))
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8", file=str(path)) from error


def _csv_lines(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            yield reader.line_num, {name.strip().lower(): value for name, value in row.items() if name is not None}
    except csv.Error as error:
        raise ConfigError(
            f"{path}, line {reader.line_num}: not CSV: {error}; a quotation mark that is never closed makes one long "
            "field, and JSON lines (.jsonl) take texts of any length",
            file=str(path),
        ) from error


def _json_lines(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: not JSON: {error}", file=str(path)) from error
        if not isinstance(row, dict):
            raise ConfigError(f"{path}, line {number}: not a JSON object", file=str(path))
        yield number, row
