"""What do the commands have in common? Their shared options, and how JSON and times are written and read."""

import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tierwise.core.errors import ConfigError

ConfigFile = Annotated[Path | None, typer.Option("--config", help="The configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Frontier = Annotated[bool, typer.Option("--frontier", help="Let outside APIs whose keys are set join.")]
Since = Annotated[str | None, typer.Option(help="From then on: 30m, 12h, 7d, or a date such as 2026-11-01.")]

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_encoder = msgspec.json.Encoder(decimal_format="number")


def print_json(value: Any) -> None:
    """Write a value as indented JSON; amounts are numbers."""
    sys.stdout.write(msgspec.json.format(_encoder.encode(value), indent=2).decode() + "\n")


def since_ts(text: str | None) -> float:
    """Return the Unix time that a `--since` means, 0 for none; raises ConfigError for what is none."""
    if text is None:
        return 0.0
    span = re.fullmatch(r"(\d+)([smhdw])", text)
    if span is not None:
        return time.time() - int(span.group(1)) * _UNITS_S[span.group(2)]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--since {text!r}: give 30m, 12h, 7d or a date such as 2026-11-01", key="--since") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def say(text: str) -> None:
    """Write one line for people, on stderr."""
    sys.stderr.write(text + "\n")


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Lay out columns as plain text; the last one may be of any length."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head) - 1)]
    lines = (
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in [head, *rows]
    )
    return "\n".join(lines)
