"""The command `tierwise export`: the ledger's records for other tools."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from tierwise import bootstrap, config
from tierwise.cli.options import ConfigFile, Json, Since, print_json, say, since_ts
from tierwise.core.errors import InvalidCall, StoreError
from tierwise.ledger.export import complete, to_jsonl, to_parquet
from tierwise.ledger.queries import Filter


def export(
    jsonl: Annotated[Path | None, typer.Option(help="Write JSON Lines to this file; - is stdout.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write Parquet to this file (needs the extra duckdb).")] = None,
    since: Since = None,
    workflow: Annotated[str | None, typer.Option(help="Of this workflow only.")] = None,
    content: Annotated[
        bool,
        typer.Option("--content", help="With what is kept of requests and answers; `erase` cannot reach it there."),
    ] = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Write every record, oldest first, to a file for other tools; also beside a running server.

    Without --content nothing of what was asked or answered is in the file.

    Examples:
      tierwise export --jsonl records.jsonl
      tierwise export --parquet records.parquet --since 30d
    """
    if (jsonl is None) == (parquet is None):
        raise InvalidCall("give one of --jsonl FILE and --parquet FILE", param="--jsonl")
    which = Filter(since_ts=since_ts(since), workflow=workflow)
    count = asyncio.run(_exported(config.load(file), which, jsonl or parquet, parquet is not None, content))
    told = str(parquet or jsonl)
    if as_json and told != "-":
        print_json({"file": told, "records": count})
    else:
        say(f"{count} records written to {'stdout' if told == '-' else told}")


async def _exported(settings: config.Settings, which: Filter, target: Path | None, columns: bool, content: bool) -> int:
    async with bootstrap.reading(settings) as history:
        if history is None:
            raise StoreError(f"{settings.ledger_name}: nothing is recorded there yet")
        decisions, kept = history.iterate(which), history.content if content else None
        if target is not None and columns:
            return await to_parquet(decisions, target, kept)
        if target is None or str(target) == "-":
            return await to_jsonl(decisions, sys.stdout.buffer, kept)
        with complete(target) as part, part.open("wb") as out:
            return await to_jsonl(decisions, out, kept)
