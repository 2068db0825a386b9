"""What is asked, and what would be right? A file's rows as items, by the names of its columns.

Knows no model and no scorer. Every problem is a ConfigError that names the file, the line and the mend.
Invariant: an item has an id that no other has, something to ask, one cluster and one split; no cluster stands in two.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tierwise.core.label import Label
from tierwise.evals.data.clusters import clusters, told
from tierwise.evals.data.rows import Row, rows, wrong
from tierwise.evals.data.splits import NAMES, Shares, least, split_of
from tierwise.evals.item import Item, Split

REFERENCES = (
    "reference", "expected", "expected_output", "label", "category", "target", "ideal", "gold", "answer", "output",
)  # fmt: skip
"""Names of the column that says what is right; the first that there is counts."""
CLUSTERS = {
    "cluster": "cluster", "group": "cluster",
    "document": "document", "document_id": "document", "doc_id": "document",
    "customer": "customer", "customer_id": "customer",
    "template": "template", "template_id": "template",
    "conversation": "conversation", "conversation_id": "conversation",
}  # fmt: skip
MAX_ID_CHARS = 200
_SPECIAL = frozenset(("id", "split", "sensitivity", *CLUSTERS))


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """The items of a file. `digest` is that of the items, not of the bytes they were read from.

    `reference` names the column that was read as such. `moved` are ids that the file puts into a split that claims
    more than another item of their cluster does.
    """

    name: str
    items: tuple[Item, ...]
    digest: str
    reference: str | None = None
    made_ids: bool = False
    made_clusters: bool = False
    made_splits: bool = False
    moved: tuple[str, ...] = ()

    def of(self, split: Split) -> tuple[Item, ...]:
        """Return the items of a split."""
        return tuple(item for item in self.items if item.split == split)


class _Raw(msgspec.Struct, kw_only=True):
    """A row, before anybody knows of the others."""

    place: int
    id: str
    fields: dict[str, Any]
    reference: Any = None
    named: dict[str, str] = {}
    split: Split | None = None
    label: Label | None = None


def read(path: Path, shares: Shares | None = None) -> Dataset:
    """Read a file; rows that name no split are put into one by SHARES."""
    return dataset(path, rows(path), shares)


def dataset(path: Path, given: Iterable[Row], shares: Shares | None = None) -> Dataset:
    """Read the rows of a file, or rows that became of one."""
    found: list[_Raw] = []
    columns: set[str] = set()
    for place, row in given:
        raw, reference = _raw(path, place, row)
        found.append(raw)
        columns |= {reference} if reference else set()
    if not found:
        raise wrong(path, "holds no rows")
    made_ids = _identified(path, found)
    names = clusters([one.named for one in found], [told(one.fields) for one in found])
    splits = _splits(found, names, shares or Shares())
    items = tuple(
        Item(
            id=one.id, fields=one.fields, reference=one.reference, cluster=name, split=splits[name], label=one.label
        )
        for one, name in zip(found, names, strict=True)
    )  # fmt: skip
    return Dataset(
        name=path.name,
        items=items,
        digest=digest(items),
        reference=min(columns, default=None),
        made_ids=made_ids,
        made_clusters=not any(one.named for one in found),
        made_splits=all(one.split is None for one in found),
        moved=tuple(one.id for one, item in zip(found, items, strict=True) if one.split not in (None, item.split)),
    )


def digest(items: tuple[Item, ...]) -> str:
    """Return the name of these items, in any order."""
    lines = sorted(msgspec.json.encode(item, order="deterministic") for item in items)
    return "sha256:" + hashlib.sha256(b"\n".join(lines)).hexdigest()


def _raw(path: Path, place: int, row: Mapping[str, Any]) -> tuple[_Raw, str | None]:
    """Read one row, and say which column was the reference."""
    if isinstance(row.get("fields"), dict):
        return _own(path, place, row), "reference" if row.get("reference") is not None else None
    special, fields, references = dict[str, Any](), dict[str, Any](), dict[str, str]()
    for column, value in row.items():
        name = column.strip().lower()
        if name in _SPECIAL:
            special[name] = value
        else:
            fields[column] = value
            if name in REFERENCES:
                references[name] = column
    reference = references[min(references, key=REFERENCES.index)] if references else None
    right = None if reference is None else _filled(fields.pop(reference))
    raw = _made(path, place, special, fields)
    raw.reference = right
    return raw, reference


def _own(path: Path, place: int, row: Mapping[str, Any]) -> _Raw:
    """Read a row as Tierwise writes it: an item as JSON."""
    unknown = sorted(row.keys() - {"id", "fields", "reference", "cluster", "split", "label"})
    if unknown:
        raise wrong(path, f"beside `fields` there is {unknown[0]!r}; write what is to be asked into `fields`", place)
    special = {
        "sensitivity" if name == "label" else name: row[name]
        for name in ("id", "cluster", "split", "label")
        if name in row
    }
    raw = _made(path, place, special, row["fields"])
    raw.reference = _filled(row.get("reference"))
    return raw


def _made(path: Path, place: int, special: Mapping[str, Any], fields: dict[str, Any]) -> _Raw:
    if not any(_filled(value) is not None for value in fields.values()):
        raise wrong(path, "there is nothing to ask: every field is empty", place)
    raw = _Raw(place=place, id="", fields=fields)
    if not special:
        return raw
    raw.id = _word(path, place, "id", special.get("id"))
    raw.named = {
        CLUSTERS[name]: text
        for name, value in special.items()
        if name in CLUSTERS and (text := _word(path, place, name, value))
    }
    if split := _word(path, place, "split", special.get("split")).lower():
        if split not in NAMES:
            raise wrong(path, f"the split {split!r} is none; there are train, tune and prove", place)
        raw.split = NAMES[split]
    if label := _word(path, place, "sensitivity", special.get("sensitivity")).lower():
        if label not in list(Label):
            raise wrong(path, f"the sensitivity {label!r} is none; there are {', '.join(Label)}", place)
        raw.label = Label(label)
    return raw


def _filled(value: Any) -> Any:
    """Return a value, None for an empty one."""
    if isinstance(value, str):
        return value if value.strip() else None
    return None if value in (None, [], {}) else value


def _word(path: Path, place: int, name: str, value: Any) -> str:
    """Return a name as text, "" for none."""
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
        text = "" if value is None else str(value).strip()
        if len(text) <= MAX_ID_CHARS:
            return text
    raise wrong(path, f"{name} must be a short text or a whole number", place)


def _identified(path: Path, found: list[_Raw]) -> bool:
    """Give each row without an id one by its content; say whether any had none. Raises ConfigError for one twice."""
    given: dict[str, int] = {}
    for one in found:
        if one.id and given.setdefault(one.id, one.place) != one.place:
            raise wrong(path, f"the id {one.id!r} stands in {given[one.id]} too; ids must differ", one.place)
    seen = Counter[str]()
    bare = [one for one in found if not one.id]
    for one in bare:
        content = msgspec.json.encode([one.fields, one.reference], order="deterministic")
        name = hashlib.sha256(content).hexdigest()[:16]
        seen[name] += 1
        one.id = name if seen[name] == 1 else f"{name}-{seen[name]}"
        if one.id in given:
            raise wrong(path, f"the row has no id, and the one made for it, {one.id!r}, is given to another", one.place)
    return bool(bare)


def _splits(found: list[_Raw], names: list[str], shares: Shares) -> dict[str, Split]:
    given: dict[str, set[Split]] = {}
    for one, name in zip(found, names, strict=True):
        given.setdefault(name, set()).update({one.split} if one.split else ())
    return {name: least(splits) if splits else split_of(name, shares) for name, splits in given.items()}
