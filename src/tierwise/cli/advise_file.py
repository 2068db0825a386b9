"""How is what an organisation knows kept as a file? Read and written, so that advice can be run again.

Invariant: what is written reads back as the same organisation, and what has its default is left out.
"""

import json
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.economics.advice.organisation import Organisation

TABLES = ("work", "machine", "offer")


def read(file: Path) -> Organisation:
    """Read an organisation. Raises ConfigError, with the place, for what is none."""
    try:
        found = tomllib.loads(file.read_text("utf-8"), parse_float=Decimal)
        return msgspec.convert(found, Organisation)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{file}: {error}", file=str(file)) from error


def written(organisation: Organisation) -> str:
    """Return the text of the file."""
    return "\n".join(_lines(organisation)) + "\n"


def _lines(organisation: Organisation) -> Iterator[str]:
    yield "# What is known, and from where. Run it again: tierwise advise FILE. All keys: docs/reference/advise.md"
    yield "# provenance: measured, contract, list or assumed; low and high are how far off it may be."
    yield from (f"{name} = {_value(value)}" for name, value in _said(organisation) if name not in TABLES)
    for table in TABLES:
        for row in getattr(organisation, table):
            yield from ("", f"[[{table}]]")
            yield from (f"{name} = {_value(value)}" for name, value in _said(row))


def _said(value: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """Give the fields that do not have their default; None is only ever one."""
    for field in msgspec.structs.fields(value):
        found = getattr(value, field.name)
        usual = field.default_factory() if callable(field.default_factory) else field.default
        if found != usual and found is not None:
            yield field.name, found


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f'"{value:f}"'
        case Enum():
            return _text(value.value)
        case str():
            return _text(value)
        case msgspec.Struct():
            return f"{{ {', '.join(f'{name} = {_value(one)}' for name, one in _said(value))} }}"
        case dict():
            return f"{{ {', '.join(f'{_text(str(name))} = {_value(one)}' for name, one in value.items())} }}"
        case tuple():
            return f"[{', '.join(map(_value, value))}]"
        case _:
            return str(value)


def _text(text: str) -> str:
    """Write a string as TOML does: as JSON, but for what TOML does not let stand as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
