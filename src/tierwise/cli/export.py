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
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Write every record, oldest first, to a file for other tools; also beside a running server.

    Content of calls is not in the ledger, so it is not in the file.

    Examples:
      tierwise export --jsonl records.jsonl
      tierwise export --parquet records.parquet --since 30d
    """
    if (jsonl is None) == (parquet is None):
        raise InvalidCall("give one of --jsonl FILE and --parquet FILE", param="--jsonl")
    which = Filter(since_ts=since_ts(since), workflow=workflow)
    count = asyncio.run(_exported(config.load(file), which, jsonl, parquet))
    told = str(parquet or jsonl)
    if as_json and told != "-":
        print_json({"file": told, "records": count})
    else:
        say(f"{count} records written to {'stdout' if told == '-' else told}")


async def _exported(settings: config.Settings, which: Filter, jsonl: Path | None, parquet: Path | None) -> int:
    history = bootstrap.reader(settings)
    if history is None:
        raise StoreError(f"{settings.ledger_name}: nothing is recorded there yet")
    decisions = history.iterate(which)
    try:
        if parquet is not None:
            return await to_parquet(decisions, parquet)
        if jsonl is None or str(jsonl) == "-":
            return await to_jsonl(decisions, sys.stdout.buffer)
        with complete(jsonl) as part, part.open("wb") as out:
            return await to_jsonl(decisions, out)
    finally:
        await history.close()
