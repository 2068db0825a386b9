"""The command `tierwise drill`: recorded traffic with less, dearer or busier endpoints, and the file that proves it.

Reads the ledger, the rules in force and certificates; sends nothing and writes nothing but the file that was asked for.
"""

import asyncio
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from tierwise import bootstrap, config
from tierwise.cli.drill_card import card
from tierwise.cli.drill_page import page
from tierwise.cli.options import ConfigFile, Json, Since, print_json, say, since_ts
from tierwise.cli.released import drifted, in_force
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.drill.file import FORMAT, Drill, Head, again, made, read, text
from tierwise.drill.findings import Findings
from tierwise.drill.scenario import MOST_GROWTH, Scenario, changes, factor
from tierwise.drill.snapshot import Snapshot
from tierwise.drill.traffic import Gathering, Source, Traffic
from tierwise.ledger.scan import Range
from tierwise.registry.kept import put

NEGATIVE = 1
MOST_FILE_BYTES = 4 * 1024 * 1024 * 1024


def drill(
    without: Annotated[list[str] | None, typer.Option(help="An endpoint that is gone; or a kind, or a tier.")] = None,
    price: Annotated[
        list[str] | None, typer.Option(help="NAME=3x: prices of an endpoint, model, kind or tier.")
    ] = None,
    capacity: Annotated[list[str] | None, typer.Option(help="NAME=-1, +1 or 4: answers that it makes at once.")] = None,
    growth: Annotated[str, typer.Option(help="2x: as many calls for each one on record.")] = "1x",
    slots: Annotated[list[str] | None, typer.Option(help="NAME=4: answers at once today, where nobody knows.")] = None,
    takes: Annotated[
        list[str] | None, typer.Option(help="MODEL=2.5: seconds for an answer, where none is known.")
    ] = None,
    since: Since = "30d",
    keep: Annotated[
        Path | None, typer.Option(help="Write the drill to this file, to be made again by anybody.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page to this file, whole in itself.")] = None,
    again_: Annotated[Path | None, typer.Option("--again", help="Make the drill of this file again.")] = None,
    ledger: Annotated[bool, typer.Option("--ledger", help="With --again: hold its calls against the ledger.")] = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Tell what would survive without an endpoint, at other prices, with less capacity or more traffic.

    Recorded calls are decided, queued and answered once more, today's way and the drill's; content
    is not needed and nothing is sent. Exit code 1: a call that is answered today would not be.

    Examples:
      tierwise drill --without big-api --keep exit.jsonl
      tierwise drill --without frontier --capacity local=-1 --growth 2x
      tierwise drill --price big-api=3x --since 90d --json
      tierwise drill --again exit.jsonl --ledger
      tierwise drill --again exit.jsonl --html exit.html
    """
    if again_ is not None:
        if without or price or capacity or slots or takes or growth != "1x" or keep is not None:
            raise InvalidCall("--again makes a drill as it was written: give no other changes", param="--again")
        _again(again_, config.load(file) if ledger else None, html, as_json=as_json)
        return
    if ledger:
        raise InvalidCall("--ledger holds a drill against the ledger: give --again FILE", param="--ledger")
    scenario = Scenario(
        without=tuple(without or ()),
        price=changes(price or (), "--price"),
        capacity=changes(capacity or (), "--capacity"),
        growth=factor(growth, "--growth", MOST_GROWTH),
        slots=changes(slots or (), "--slots"),
        takes=changes(takes or (), "--takes"),
    )
    done, found = _made(config.load(file), scenario, since_ts(since))
    if keep is not None:
        _write(keep, text(done))
    if html is not None:
        _write(html, page(done.head, found))
    if as_json:
        print_json({"scenario": done.head.scenario, "source": done.head.source, "findings": found})
    else:
        print("\n".join(card(done.head, found)))
    if found.lost:
        raise typer.Exit(NEGATIVE)


def _made(settings: config.Settings, scenario: Scenario, since: float) -> tuple[Drill, Findings]:
    settings = asyncio.run(in_force(settings))
    decides = bootstrap.rules_from(settings), settings.policy, asyncio.run(drifted(settings)), settings.document.limit
    rules = Snapshot.of(*decides)
    if settings.ledger_place is None and not settings.ledger_path.exists():
        raise InvalidCall(
            "nothing is on record, and a drill replays what is: send calls through `tierwise serve` first",
            param="--since",
        )
    whole = bootstrap.records(settings, since).range()
    source, traffic = _read(settings, Source(since_ts=since, after=whole.after, last=whole.last, records=0, sha256=""))
    if not traffic.calls:
        raise InvalidCall("no call is on record in this time, and a drill replays what is", param="--since")
    head = Head(
        format=FORMAT,
        tierwise=version("tierwise"),
        made_us=time.time_ns() // 1000,
        scenario=scenario,
        source=source,
        skipped=traffic.skipped,
        kinds=len(traffic.kinds),
        calls=len(traffic.calls),
        rules=rules,
    )
    return made(head, traffic)


def _read(settings: config.Settings, source: Source) -> tuple[Source, Traffic]:
    """Read the records of a source from the ledger."""
    gathering = Gathering()
    gathering.add(bootstrap.records(settings, source.since_ts).records(Range(source.after, source.last)))
    return gathering.source(source.since_ts, source.after, source.last), gathering.traffic()


def _write(file: Path, written: bytes) -> None:
    try:
        put(file, written)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}", file=str(file)) from error
    say(f"wrote {file}")


def _again(file: Path, settings: config.Settings | None, html: Path | None, *, as_json: bool) -> None:
    try:
        if file.stat().st_size > MOST_FILE_BYTES:
            raise ConfigError(f"{file} is larger than {MOST_FILE_BYTES} bytes", file=str(file))
        drill = read(file.read_bytes(), str(file))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}", file=str(file)) from error
    differs, found = again(drill)
    problems = [one for one in (differs, None if settings is None else _against(settings, drill)) if one]
    if drill.head.tierwise != version("tierwise") and problems:
        problems.append(f"it was made by Tierwise {drill.head.tierwise}, this is {version('tierwise')}")
    if html is not None and not problems:
        _write(html, page(drill.head, found))
    if as_json:
        print_json({"same": not problems, "problems": problems, "findings": found})
    else:
        print("\n".join(card(drill.head, found)))
        print()
        held = "" if settings is None else "; the ledger holds exactly these calls"
        print("\n".join(f"NOT THE SAME: {one}" for one in problems) or f"made again: the same, byte for byte{held}")
    if problems:
        raise typer.Exit(NEGATIVE)


def _against(settings: config.Settings, drill: Drill) -> str | None:
    """Hold the drill's calls against the ledger's; None where they are the same."""
    source, traffic = _read(settings, drill.head.source)
    if source != drill.head.source:
        return f"the ledger's records {source.after + 1} to {source.last} are not those that the drill was made of"
    return None if traffic == drill.traffic else "the calls of the drill are not those of the ledger's records"
