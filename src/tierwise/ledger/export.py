"""How do records leave for other tools? As JSON Lines, whole, or as Parquet: columns to reckon with, and the record.

A file appears under its name when it is complete, for its owner only, or not at all.
Invariant: one line or row a record, in the order in which they were recorded.
"""

import json
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from tierwise.core.decision import Decision
from tierwise.core.errors import StoreError
from tierwise.core.extras import without
from tierwise.ledger.contents import Contents
from tierwise.ledger.encode import encode_decision, encode_with_content
from tierwise.ledger.tables import tier_of

COLUMNS = {
    "seq": "BIGINT",
    "id": "VARCHAR",
    "ts": "DOUBLE",
    "workflow": "VARCHAR",
    "key_id": "VARCHAR",
    "session": "VARCHAR",
    "requested_model": "VARCHAR",
    "caller_wire": "VARCHAR",
    "label": "VARCHAR",
    "outcome": "VARCHAR",
    "chosen": "VARCHAR",
    "endpoint": "VARCHAR",
    "tier": "VARCHAR",
    "attempts": "INTEGER",
    "input_tokens": "BIGINT",
    "output_tokens": "BIGINT",
    "total_cost_usd": "DECIMAL(38, 12)",
    "baseline_cost_usd": "DECIMAL(38, 12)",
    "error": "VARCHAR",
    "record": "VARCHAR",
}
CONTENT_COLUMNS = {"kept_request": "VARCHAR", "kept_answer": "VARCHAR"}

Content = Callable[[str], Awaitable[Contents | None]]
"""Gives what is kept of the call with this id."""


async def to_jsonl(decisions: AsyncIterator[Decision], out: BinaryIO, content: Content | None = None) -> int:
    """Write each record as a line of JSON, as the ledger holds it; return how many. `content` adds what is kept."""
    return await _lines(decisions, out, encode_decision if content is None else encode_with_content, content)


async def to_parquet(decisions: AsyncIterator[Decision], file: Path, content: Content | None = None) -> int:
    """Write a Parquet file; return how many rows. `ConfigError` where the extra `duckdb` is missing."""
    columns = COLUMNS if content is None else COLUMNS | CONTENT_COLUMNS
    try:
        import duckdb
    except ImportError as error:
        raise without(error, "duckdb", "Parquet", key="--parquet") from error
    with tempfile.TemporaryDirectory(prefix="tierwise-") as folder:
        rows = Path(folder) / "rows.jsonl"
        with rows.open("wb") as out:
            count = await _lines(decisions, out, lambda *one: json.dumps(_row(*one)).encode(), content)
        with complete(file) as part:
            db = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
            try:
                db.execute(
                    f"COPY (SELECT * FROM read_json(?, format = 'newline_delimited', columns = {columns!r}, "  # noqa: S608
                    f"maximum_object_size = {1 << 30})) TO {_quoted(part)} (FORMAT parquet, COMPRESSION zstd)",
                    [str(rows)],
                )
            except duckdb.Error as error:
                raise StoreError(f"{file}: the Parquet file cannot be written: {error}") from error
            finally:
                db.close()
    return count


@contextmanager
def complete(file: Path) -> Iterator[Path]:
    """Give the path of a new file beside this one, which takes its place at the end unless something is raised."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        os.close(handle)
        part = Path(name)
        try:
            yield part
            with part.open("rb+") as written:
                os.fsync(written.fileno())
            part.replace(file)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror or error}: name a file in a folder that can be written") from error


async def _lines(
    decisions: AsyncIterator[Decision], out: BinaryIO, spell: Callable[..., bytes], content: Content | None
) -> int:
    count = 0
    async for decision in decisions:
        one = (decision,) if content is None else (decision, await content(decision.id) if decision.content else None)
        out.write(spell(*one) + b"\n")
        count += 1
    return count


def _row(decision: Decision, *contents: Contents | None) -> dict[str, Any]:
    usages = [attempt.usage for attempt in decision.attempts if attempt.usage is not None]
    last = decision.attempts[-1] if decision.attempts else None
    values = (
        decision.seq,
        decision.id,
        decision.ts,
        decision.workflow,
        decision.key_id,
        decision.session,
        decision.requested_model,
        decision.caller_wire,
        decision.label.value.value,
        decision.outcome,
        decision.chosen,
        last.endpoint if last else None,
        tier_of(decision),
        len(decision.attempts),
        sum(usage.read for usage in usages) if usages else None,
        sum(usage.output for usage in usages) if usages else None,
        _amount(decision.total_cost_usd),
        _amount(decision.baseline_cost_usd),
        decision.error,
        encode_decision(decision).decode(),
    )
    row = dict(zip(COLUMNS, values, strict=True))
    for one in contents:
        told = {} if one is None else one.told()
        row |= {f"kept_{side}": told.get(side) for side in ("request", "answer")}
    return row


def _amount(amount: Any) -> str | None:
    """Return an amount as text, every digit of it: JSON's numbers pass through binary fractions."""
    return None if amount is None else f"{amount:f}"


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
