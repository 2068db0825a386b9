"""How is a value written as a TOML file that somebody can read, change and run again?

Knows no file and no key of its own: a struct's fields are the keys, what has its default is left out.
Invariant: what is written reads back as the same value.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from tierwise.economics.given import Given


def toml_text(value: msgspec.Struct, head: str = "") -> str:
    """Return the file: plain keys first, then a table for each struct, and one for each of several; `head` on top."""
    return f"{head}{chr(10).join(_lines(value, ''))}\n"


def _lines(value: msgspec.Struct, place: str) -> Iterator[str]:
    said = list(_said(value))
    yield from (f"{name} = {_written(one)}" for name, one in said if not _tables(one))
    for name, one in said:
        path = f"{place}{name}"
        rows, left, right = (one, "[[", "]]") if isinstance(one, tuple) else ((one,), "[", "]")
        for row in rows if _tables(one) else ():
            yield from ("", f"{left}{path}{right}")
            yield from _lines(row, f"{path}.")


def _tables(value: Any) -> bool:
    """Say whether it is written as tables of its own; a number with its range stays on one line."""
    if isinstance(value, tuple):
        return bool(value) and all(_tables(one) for one in value)
    return isinstance(value, msgspec.Struct) and not isinstance(value, Given)


def _said(value: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """Give the fields that do not have their default; None is only ever one."""
    for field in msgspec.structs.fields(value):
        found = getattr(value, field.name)
        usual = field.default_factory() if callable(field.default_factory) else field.default
        if found != usual and found is not None:
            yield field.name, found


def _written(value: Any) -> str:
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
            return f"{{ {', '.join(f'{name} = {_written(one)}' for name, one in _said(value))} }}"
        case dict():
            return f"{{ {', '.join(f'{_text(str(name))} = {_written(one)}' for name, one in value.items())} }}"
        case tuple():
            return f"[{', '.join(map(_written, value))}]"
        case _:
            return str(value)


def _text(text: str) -> str:
    """Write a string as TOML does: as JSON, but for what TOML does not let stand as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
