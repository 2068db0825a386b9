"""What do the commands have in common? Their shared options, and how JSON and times are written and read."""

import json
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tierwise.core.errors import InvalidCall

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Frontier = Annotated[bool, typer.Option("--frontier", help="Let outside APIs whose keys are set join.")]
Since = Annotated[str | None, typer.Option(help="From then on: 30m, 12h, 7d, or a date such as 2026-11-01.")]

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_encoder = msgspec.json.Encoder(decimal_format="number")


def print_json(value: Any) -> None:
    """Write a value as indented JSON; amounts are numbers, and what a terminal would obey or hide is escaped."""
    text = msgspec.json.format(_encoder.encode(value), indent=2).decode()
    sys.stdout.write("".join(map(_escaped, text)) + "\n")


def _escaped(char: str) -> str:
    """Escape what can only stand inside of a string."""
    return char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1]


def plain(text: str) -> str:
    """Return text that does nothing to a terminal and stays one line: callers and endpoints have chosen parts of it."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def span_s(text: str, option: str) -> float:
    """Return the seconds that 30s, 10m, 24h, 7d or 8w mean; raises InvalidCall for what is none."""
    found = re.fullmatch(r"(\d{1,6})([smhdw])", text, re.ASCII)
    if found is None:
        raise InvalidCall(f"{option} {text!r}: give 30s, 10m, 24h, 7d or 8w", param=option)
    return float(int(found[1]) * _UNITS_S[found[2]])


def moment_ts(text: str, option: str, *, ago: bool) -> float:
    """Return the Unix time of a date (UTC where it names no zone), or of a span from now on, or `ago`."""
    if re.fullmatch(r"\d+[a-z]", text):
        span = span_s(text, option)
        return time.time() + (-span if ago else span)
    try:
        moment = datetime.fromisoformat(text)
        # In UTC: what a zone carries out of the years 1 to 9999 can be printed nowhere.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        raise InvalidCall(f"{option} {text!r}: give 12h, 90d or a date such as 2027-01-31", param=option) from None


def since_ts(text: str | None) -> float:
    """Return the Unix time that a `--since` means, 0 for none; raises InvalidCall for what is none."""
    return 0.0 if text is None else moment_ts(text, "--since", ago=True)


def utc(ts: float) -> str:
    """Write a Unix time for people, in UTC."""
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M:%S")


def say(text: str) -> None:
    """Write lines for people, on stderr."""
    sys.stderr.write("\n".join(map(plain, text.split("\n"))) + "\n")


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Lay out columns as plain text; the last one may be of any length."""
    rows = [tuple(map(plain, row)) for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head) - 1)]
    lines = (
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in [head, *rows]
    )
    return "\n".join(lines)
