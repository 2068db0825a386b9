"""The commands `tierwise incidents …`: which promises were broken, what led to it, who was told, how it ended."""

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Annotated, Any, get_args

import msgspec
import typer

from tierwise import bootstrap, config
from tierwise.cli.keys import person
from tierwise.cli.options import ConfigFile, Json, Since, plain, print_json, since_ts, table, utc
from tierwise.cli.telling import wrapped
from tierwise.core.errors import InvalidCall
from tierwise.incidents.conditions import CONDITIONS, look, sentence
from tierwise.incidents.notices import notice
from tierwise.incidents.senders import Sent
from tierwise.ledger.ids import IdSource
from tierwise.ledger.incidents import MAX_NOTE_CHARS, Event, Incident, Severity, opened, rank
from tierwise.providers.transport import Transport

app = typer.Typer(add_completion=False)
Ident = Annotated[str, typer.Argument(metavar="ID", help="The incident's id, or its beginning.")]


@app.callback(invoke_without_command=True)
def incidents(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    since: Since = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """List open incidents, the newest first; with --all or --since closed ones too.

    Examples:
      tierwise incidents
      tierwise incidents --since=7d --json
    """
    if context.invoked_subcommand is not None:
        return
    settings = config.load(file)
    found = asyncio.run(_read(settings, since_ts(since), closed=everything or since is not None))
    if as_json:
        print_json([_row(one) for one in found])
    elif not found:
        print("No incident is open." if not (everything or since) else "No incident is recorded.")
    else:
        head = ("incident", "since (UTC)", "severity", "kind", "of", "seen", "state")
        print(table(head, [_told(one) for one in found]))


@app.command()
def check(
    severity: Annotated[str, typer.Option(help="From which severity on: notice, warning, critical.")] = "notice",
    file: ConfigFile = None,
    as_json: Json = False,
) -> int:
    """Exit 1 if an incident is open, 0 if none is: for scripts and monitors.

    Example:
      tierwise incidents check --severity critical
    """
    if severity not in get_args(Severity):
        raise InvalidCall(f"--severity {severity!r}: one of {', '.join(get_args(Severity))}", param="--severity")
    found = asyncio.run(_read(config.load(file), 0.0, closed=False))
    found = [one for one in found if rank(one.severity) >= rank(severity)]  # type: ignore[arg-type]
    if as_json:
        print_json({"open": [_row(one) for one in found]})
    else:
        print(wrapped(f"{one.id}  {one.severity}: {sentence(one)}" for one in found) or "no incident is open")
    return 1 if found else 0


@app.command()
def show(ident: Ident, file: ConfigFile = None, as_json: Json = False) -> None:
    """Tell one incident whole: what happened, the decisions that led to it, who was told, how it ended.

    Example:
      tierwise incidents show 01m7y10kz5d0
    """
    settings = config.load(file)
    incident, history = asyncio.run(_whole(settings, ident))
    if as_json:
        print_json(_row(incident) | {"history": history})
    else:
        print(wrapped(_lines(incident, history)))


@app.command()
def close(
    ident: Ident,
    note: Annotated[str, typer.Option("--note", help="What it was and what was done, for those who read it later.")],
    who: Annotated[str | None, typer.Option("--who", help="Who closes it; your login is recorded in any case.")] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Close an incident, with a note. A running gateway tells those who are to be told.

    What lasts and still does, such as an endpoint that is down, opens no new one
    for a while: rest_s in [incidents], and for a budget its window.

    Example:
      tierwise incidents close 01m7y10kz5d0 --who ada --note "cable replaced"
    """
    if not note.strip() or len(note) > MAX_NOTE_CHARS:
        raise InvalidCall(f"--note: say it in 1 to {MAX_NOTE_CHARS} characters", param="--note")
    settings = config.load(file)
    found, _ = asyncio.run(_whole(settings, ident))
    by = person() if who is None else f"{who}, by {person()}"
    done = bootstrap.books(settings).incidents().close(found.id, by, note)
    if as_json:
        print_json(_row(done))
    else:
        print(plain(f"{done.id} is closed by {by}"))


@app.command("test")
def test_(file: ConfigFile = None, as_json: Json = False) -> int:
    """Send a test notice to everyone who is told of incidents, and say what came of it. Exit 1 if one failed.

    Nothing is opened or recorded; severity and kinds of the rows do not count here.

    Example:
      tierwise incidents test
    """
    sent = asyncio.run(_tested(config.load(file)))
    if as_json:
        print_json([{"name": name, "kind": kind} | msgspec.to_builtins(one) for name, kind, one in sent])
    else:
        rows = [(name, kind, f"{'told' if one.well else 'FAILED'} {one.detail}".rstrip()) for name, kind, one in sent]
        print(table(("notifier", "kind", "what came of it"), rows))
    return 0 if all(one.well for *_, one in sent) else 1


async def open_now(settings: config.Settings) -> list[Incident]:
    """Return what is open, the newest first."""
    return await _read(settings, 0.0, closed=False)


async def _read(settings: config.Settings, since: float, *, closed: bool) -> list[Incident]:
    async with bootstrap.reading(settings) as reader:
        return [] if reader is None else await reader.incidents("all" if closed else "open", since)


async def _whole(settings: config.Settings, ident: str) -> tuple[Incident, list[Event]]:
    async with bootstrap.reading(settings) as reader:
        every = [] if reader is None else await reader.incidents("all")
        found = [one for one in every if one.id.startswith(ident.lower())]
        if len(found) != 1 or reader is None:
            what = f"{len(found)} incidents begin" if found else "no incident begins"
            raise InvalidCall(f"{what} with {ident!r}; `tierwise incidents --all` lists them", param="ID")
        return found[0], await reader.incident_events(found[0].id)


async def _tested(settings: config.Settings) -> list[tuple[str, str, Sent]]:
    transport = Transport()
    try:
        senders = bootstrap.senders(settings, transport)
        trial = opened(
            CONDITIONS["test"].sighting(
                IdSource(time.time_ns, os.urandom).next(), "a test: nothing happened", time.time()
            )
        )
        body = notice(trial, "test", recorded=False)
        done = await asyncio.gather(*(sender.send(body) for sender in senders))
        return [(one.row.name, one.row.kind, sent) for one, sent in zip(senders, done, strict=True)]
    finally:
        await transport.aclose()


def _row(incident: Incident) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(incident)
    return row | {"message": sentence(incident), "look": look(incident)}


def _told(incident: Incident) -> tuple[str, ...]:
    seen = f"{incident.count}×" if incident.count else "–"
    return (
        incident.id, utc(incident.opened), incident.severity, incident.kind, incident.subject, seen, _state(incident)
    )  # fmt: skip


def _state(incident: Incident) -> str:
    if incident.closed is None:
        return "open"
    return f"closed {utc(incident.closed)} by {incident.closed_by or 'itself'}: {incident.note}"


def _lines(incident: Incident, history: list[Event]) -> Iterator[str]:
    yield f"{incident.id}  {incident.severity} {incident.kind}: {sentence(incident)}"
    yield f"  first seen {utc(incident.opened)} UTC, last {utc(incident.last)}, {incident.count} times"
    yield f"  {_state(incident)}"
    if incident.decisions:
        yield "  decisions that led to it, the first and the newest: tierwise show ID"
    yield from (f"    {ident}" for ident in incident.decisions)
    yield f"  look further: {look(incident)}"
    yield "  what happened, UTC"
    for event in history:
        yield f"    {utc(event.ts)}  {event.what.replace('_', ' ')}  {event.who}  {event.detail}".rstrip()
