"""How does one more item come into a file of items? In the file's own format, under its own columns, once.

Knows no workflow. Every problem is a ConfigError that names the file and the mend, and leaves the file as it was.
Invariant: whoever reads the file sees all of the new row or nothing of it, and every earlier row as it stood.
"""

import csv
import hashlib
import io
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from tierwise.core.errors import ConfigError, StoreError
from tierwise.core.label import Label
from tierwise.evals.data.read import Dataset, dataset
from tierwise.evals.data.rows import Row, content, rows, wrong
from tierwise.evals.item import Item, Split
from tierwise.ledger.export import complete
from tierwise.ledger.lock import WriterLock

ONE_FIELD = "text"
"""The field of an item's words, in a file that is begun."""
RIGHT = "expected"
LINES = (".jsonl", ".ndjson")
BOM = b"\xef\xbb\xbf"


class New(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be added. `input` is the words of a file's one text field; `fields` names them, as an item does."""

    input: str | None = None
    fields: dict[str, Any] | None = None
    reference: Any = None
    cluster: str | None = None
    split: Split | None = None
    label: Label | None = None


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """The file with the item: `item` as a comparison will read it, `digest` of the whole, which is another one now."""

    file: str
    item: Item
    items: int
    digest: str


def add(path: Path, new: New, locks: Path) -> Added:
    """Add an item; a file that is not there is begun. `locks` is a folder for the lock, beside no data of people's."""
    path = path.resolve()
    locks.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        lock = WriterLock(locks / hashlib.sha256(str(path).encode()).hexdigest()[:16])
    except StoreError as error:
        raise ConfigError(f"{path}: another process adds to it now", file=str(path)) from error
    try:
        return _added(path, new)
    finally:
        lock.release()


def _added(path: Path, new: New) -> Added:
    suffix = path.suffix.lower()
    if suffix not in (*LINES, ".json", ".csv", ".tsv"):
        raise wrong(path, "items are added to .jsonl, .json, .csv and .tsv; `tierwise dataset` writes JSON lines")
    before = content(path) if path.exists() else b""
    given: list[Row] = list(rows(path)) if before.strip() else []
    known = dataset(path, given) if given else None
    row = _row(path, known, given[0][1] if given else None, new)
    after = dataset(path, [*given, (given[-1][0] + 1 if given else 1, row)])
    item = after.items[-1]
    _refuse_twice(path, known, item)
    _write(path, before, row, suffix)
    return Added(file=str(path), item=item, items=len(after.items), digest=after.digest)


def _row(path: Path, known: Dataset | None, first: Mapping[str, Any] | None, new: New) -> dict[str, Any]:
    """Return the row as the file writes its rows: as an item, or under columns."""
    fields, label = _fields(path, known, new), None if new.label is None else new.label.value
    reference = _reference(path, known, new.reference)
    as_item = path.suffix.lower() in LINES if first is None else isinstance(first.get("fields"), dict)
    if as_item:
        fields, right, sensitivity = {"fields": fields}, "reference", "label"
    else:
        right, sensitivity = (known.reference if known else None) or RIGHT, "sensitivity"
    said = {right: reference, "cluster": new.cluster, "split": new.split, sensitivity: label}
    return fields | {name: value for name, value in said.items() if value is not None}


def _fields(path: Path, known: Dataset | None, new: New) -> dict[str, Any]:
    if (new.input is None) == (new.fields is None):
        raise ConfigError("say either the words that are asked or the fields", key="--input")
    names = list(known.items[0].fields) if known else [ONE_FIELD]
    if new.fields is None:
        if len(names) != 1 or names == ["messages"]:
            raise wrong(path, f"its items have the fields {', '.join(names)}; say the item with `fields` as JSON")
        return {names[0]: new.input}
    unknown = sorted(set(new.fields) ^ set(names)) if known else []
    if unknown:
        raise wrong(
            path, f"its items have the fields {', '.join(names)}, this one {', '.join(new.fields)}; a prompt would "
            "not find what it asks for",
        )  # fmt: skip
    return new.fields


def _reference(path: Path, known: Dataset | None, given: Any) -> Any:
    """Return what is right in the file's own kind: where no other reference is a text, a text is read as JSON."""
    others = [one.reference for one in known.items if one.reference is not None] if known else []
    if not isinstance(given, str) or not others or any(isinstance(one, str) for one in others):
        return given
    try:
        return msgspec.json.decode(given)
    except msgspec.DecodeError as error:
        raise wrong(path, f"what is right stands there as JSON, and this is none: {error}") from error


def _refuse_twice(path: Path, known: Dataset | None, item: Item) -> None:
    asked = _asked(item)
    same = next((one for one in known.items if _asked(one) == asked), None) if known else None
    if same is not None:
        told = "with the same answer" if same.reference == item.reference else "with another answer"
        raise wrong(path, f"the item {same.id!r} asks the same, {told}; change that one where it is wrong")


def _asked(item: Item) -> str:
    """Return the name of what an item asks, whatever is right."""
    return hashlib.sha256(msgspec.json.encode(item.fields, order="deterministic")).hexdigest()


def _write(path: Path, before: bytes, row: Mapping[str, Any], suffix: str) -> None:
    if suffix in LINES:
        body = before + (b"" if not before or before.endswith(b"\n") else b"\n") + msgspec.json.encode(row) + b"\n"
    elif suffix == ".json":
        body = _longer_array(before, msgspec.json.encode(row))
    else:
        body = _longer_table(path, before.decode(), row).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with complete(path) as part:
        if path.exists():
            shutil.copymode(path, part)
            with path.open("rb") as file:
                body = BOM + body if file.read(len(BOM)) == BOM else body
        part.write_bytes(body)


def _longer_array(before: bytes, row: bytes) -> bytes:
    start = before.rstrip()
    if not start:
        return b"[\n" + row + b"\n]\n"
    head = start[:-1].rstrip()
    return head + (b"" if head.endswith(b"[") else b",") + b"\n" + row + b"\n]" + before[len(start) :]


def _longer_table(path: Path, text: str, row: Mapping[str, Any]) -> str:
    """Add a line under the columns that there are; a table that is begun has those of the row."""
    head = text.partition("\n")[0]
    between = next((mark for mark in ",;\t" if mark in head), ",") if path.suffix.lower() == ".csv" else "\t"
    end = "\r\n" if head.endswith("\r") else "\n"
    out = io.StringIO(newline="")
    # Python 3.11 quotes a carriage return only where lines end with one, and reads it as the end of a line.
    odd = any("\r" in str(value) for value in row.values())
    quoting: Literal[0, 1] = csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=between, lineterminator=end, quoting=quoting)
    columns = next((one for one in csv.reader(io.StringIO(text, newline=""), delimiter=between) if any(one)), [])
    if not columns:
        writer.writerow(columns := list(row))
    names = [one.strip() for one in columns]
    places = {name: next((one for one in names if one == name or one.lower() == name), None) for name in row}
    for name, value in row.items():
        if places[name] is None:
            raise wrong(path, f"it has no column {name!r}, and what belongs there would be lost; add the column")
        if not isinstance(value, str):
            raise wrong(path, f"{name!r} is no text, and a table holds nothing else; keep the items as JSON lines")
    cells = {places[name]: value for name, value in row.items()}
    writer.writerow([cells.get(one, "") for one in names])
    return text + (end if text and not text.endswith("\n") else "") + out.getvalue()
