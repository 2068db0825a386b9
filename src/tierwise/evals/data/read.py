"""Which items are there? Until the whole reader is merged: JSON lines only."""

import hashlib
from pathlib import Path

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.core.label import Label
from tierwise.evals.item import Item

KNOWN = ("id", "cluster", "split", "reference", "label")


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """The items of a file, in its order; `digest` names its bytes."""

    name: str
    items: tuple[Item, ...]
    digest: str


def read(path: Path) -> Dataset:
    """Read a file of JSON lines. ConfigError where it is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=str(path)) from error
    items = []
    for number, line in enumerate(filter(bytes.strip, data.splitlines()), 1):
        try:
            row = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}, line {number} is not JSON: {error}", file=str(path)) from error
        ident = str(row.get("id", number))
        items.append(
            Item(
                id=ident,
                fields={name: value for name, value in row.items() if name not in KNOWN},
                reference=row.get("reference"),
                cluster=str(row.get("cluster", ident)),
                split=row.get("split", "prove"),
                label=Label(row["label"]) if row.get("label") in tuple(Label) else None,
            )
        )
    return Dataset(name=path.name, items=tuple(items), digest="sha256:" + hashlib.sha256(data).hexdigest())
