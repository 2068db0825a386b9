"""How is a draft written? TOML text with its comments; the only writer of both.

Invariant: whatever stands in the source, a comment stays on its line and a string inside its quotes.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from tierwise.cli.imports.draft import Draft, Row
from tierwise.cli.imports.place import gateways

WIDTH = 118
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def written(draft: Draft) -> str:
    """Return the text of the configuration."""
    return "\n".join(_lines(draft)) + "\n"


def _lines(draft: Draft) -> Iterator[str]:
    gateway = gateways()[draft.gateway]
    yield from _comment(
        f"Made from the {gateway.title} configuration {draft.file} by `tierwise import {draft.gateway}`."
    )
    yield from _comment("All keys: docs/reference/configuration.md. Check it with: tierwise doctor --config FILE")
    if draft.needed:
        yield from _comment(f"Variables that have to be set: {', '.join(draft.needed)}")
    yield from _comment(gateway.greeting) if gateway.greeting else ()
    for name, row in draft.sections.items():
        yield from _table(f"[{name}]", row)
    for name, row in draft.endpoints.items():
        yield from _table("[[endpoint]]", row)
        for model in draft.models.values():
            if model.fields["endpoint"] == name:
                yield from _table("[[model]]", model)
    for row in draft.workflows.values():
        yield from _table("[[workflow]]", row)
    for row in draft.keys:
        yield from _table("[[key]]", row)
    for row in draft.budgets:
        yield from _table("[[budget]]", row)
    if draft.notes:
        yield ""
        yield from _comment(f"In {draft.file}, and without a counterpart here:")
        for note in dict.fromkeys(draft.notes):
            yield from _comment(f"- {note}")


def _table(head: str, row: Row) -> Iterator[str]:
    yield ""
    for note in dict.fromkeys(row.notes):
        yield from _comment(note)
    yield head
    for name, value in row.fields.items():
        yield f"{_key(name)} = {value_text(value)}"


def _comment(text: str) -> Iterator[str]:
    plain = "".join(c if c.isprintable() else "�" for c in " ".join(text.split()))
    indent = "#   " if plain.startswith("- ") else "# "
    yield from textwrap.wrap(
        plain, WIDTH, initial_indent="# ", subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def value_text(value: Any) -> str:
    """Write a value as TOML."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return format(Decimal(repr(value)), "f") if value % 1 else f"{value:.1f}"
        case date():
            return value.isoformat()
        case Decimal():
            return _text(format(value.normalize(), "f"))
        case list():
            return f"[{', '.join(map(value_text, value))}]"
        case dict():
            return f"{{ {', '.join(f'{_key(name)} = {value_text(item)}' for name, item in value.items())} }}"
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    # JSON escapes are TOML's too, but for the delete character and halves of surrogate pairs.
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
