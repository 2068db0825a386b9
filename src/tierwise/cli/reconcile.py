"""The command `tierwise reconcile`: a provider's usage export against the ledger.

Which column of which export means what stands in `rows/exports.toml`. `kept` reads a result that was written to a file,
for those who rest something on it. Invariant: exit 0 only where every call is on both sides and the money agrees.
"""

import asyncio
import hashlib
import time
import tomllib
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tierwise import bootstrap, config
from tierwise.cli.options import ConfigFile, Json, moment_ts, print_json, say, table, utc
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.economics.invoice import MAX_BYTES, Counts, Format, Invoice, read
from tierwise.economics.reconcile import UNDER_WAY, Asked, Difference, Entry, Reconciliation, entries, reconcile
from tierwise.ledger.export import complete
from tierwise.ledger.queries import Filter

LONGEST_CALL_S = 86_400
NEGATIVE = 1
WORDS = {"bypassed": "by-passed", "missing": "not billed", "usage": "differs", "cost": "money"}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read, and what it was."""

    name: str
    sha256: str
    size_bytes: int


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A result with what it was made of. `made` is Unix time in seconds."""

    agrees: bool
    exact: bool
    made: float
    ledger: str
    files: tuple[Source, ...]
    result: Reconciliation


def kept(file: Path) -> tuple[Kept, str]:
    """Read a result that `--keep` wrote, and the SHA-256 of that file. ConfigError for anything else."""
    try:
        data = file.read_bytes()
        found = msgspec.json.decode(data, type=Kept)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{file}: no result of `tierwise reconcile --keep`: {error}", key="--reconciled") from None
    result = found.result
    if (found.agrees, found.exact) != (result.agrees, result.exact):
        raise ConfigError(f"{file}: it does not say what its own numbers say", key="--reconciled")
    return found, hashlib.sha256(data).hexdigest()


def formats() -> tuple[Format, ...]:
    """Return the exports that can be read."""
    text = resources.files("tierwise.cli").joinpath("rows", "exports.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text)["export"], tuple[Format, ...])


def reconcile_(
    invoice: Annotated[list[Path], typer.Argument(metavar="INVOICE", help="The export: CSV or JSON; pages of one.")],
    endpoint: Annotated[
        list[str] | None, typer.Option(help="An endpoint that it bills; by default those of the provider's kind.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="NAME=ID: what the export calls NAME is the model ID here.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="The export's time begins here, where it lists requests.")] = None,
    until: Annotated[str | None, typer.Option(help="The export's time ends here, where it lists requests.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Write the result to this file, for a proof to cite.")] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Hold a provider's usage export against the ledger, to the token, and name the calls that by-passed the gateway.

    Exit 1 where they disagree. The result says which endpoints and which time the export speaks of.

    Examples:
      tierwise reconcile usage.json
      tierwise reconcile activity.csv --endpoint outside --since 2026-11-01 --until 2026-12-01 --keep november.json
    """
    settings = config.load(file)
    data = [_bytes(path) for path in invoice]
    export = read(formats(), [(path.name, one) for path, one in zip(invoice, data, strict=True)])
    billed = _endpoints(settings, export, endpoint)
    spans = _spans(export, since, until)
    asked = Asked(
        endpoints=billed,
        placed={row.id: (row.endpoint, row.served_name or row.id) for row in settings.document.model},
        attempts=settings.document.fallback.max_attempts,
        embeddings=export.format.embeddings,
    )
    _known(settings, endpoint or ())
    recorded = asyncio.run(_entries(settings, min(start for start, _ in spans) - LONGEST_CALL_S, asked))
    found = reconcile(export, recorded, billed, spans=spans, called=_called(model, export))
    whole = Kept(
        agrees=found.agrees,
        exact=found.exact,
        made=time.time(),
        ledger=settings.ledger_name,
        files=tuple(
            Source(name=path.name, sha256=hashlib.sha256(one).hexdigest(), size_bytes=len(one))
            for path, one in zip(invoice, data, strict=True)
        ),
        result=found,
    )
    if keep is not None:
        _write(keep, whole)
    if as_json:
        print_json(whole)
    else:
        print("\n".join(_told(export, found)))
    if not found.agrees or found.money == "differs":
        raise typer.Exit(NEGATIVE)


def _write(file: Path, whole: Kept) -> None:
    data = msgspec.json.format(msgspec.json.encode(whole), indent=2)
    with complete(file) as part:
        part.write_bytes(data)
    say(f"kept in {file}, SHA-256 {hashlib.sha256(data).hexdigest()}")


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


async def _entries(settings: config.Settings, since_ts: float, asked: Asked) -> list[Entry]:
    """Read the attempts on record, and those of calls under way."""
    async with bootstrap.reading(settings) as history:
        if history is None:
            return []
        found = [
            entry for intent, _ in await history.holds() for entry in entries((intent.decision("pending", ""),), asked)
        ]
        ended = set()
        async for decision in history.iterate(Filter(since_ts=max(0.0, since_ts))):
            ended.add(decision.id)
            found += entries((decision,), asked)
        return [entry for entry in found if entry.why != UNDER_WAY or entry.decision not in ended]


def _endpoints(settings: config.Settings, export: Invoice, given: Sequence[str] | None) -> tuple[str, ...]:
    rows = settings.document.endpoint
    found = tuple(dict.fromkeys(given or [row.name for row in rows if row.kind in export.format.kinds]))
    if not found:
        known = ", ".join(row.name for row in rows) or "none is configured"
        raise InvalidCall(
            f"{export.format.title}: say with --endpoint which endpoints it bills ({known})", param="--endpoint"
        )
    return found


def _known(settings: config.Settings, given: Sequence[str]) -> None:
    """Refuse an endpoint that neither the configuration nor a record names: all that it bills would seem to by-pass."""
    names = {row.name for row in settings.document.endpoint}
    strange = [name for name in given if name not in names]
    met = asyncio.run(_met(settings)) if strange else set()
    for name in strange:
        if name not in met:
            raise InvalidCall(
                f"--endpoint {name!r}: neither the configuration nor a record names it", param="--endpoint"
            )


async def _met(settings: config.Settings) -> set[str]:
    async with bootstrap.reading(settings) as history:
        if history is None:
            return set()
        return {one.endpoint async for decision in history.iterate(Filter()) for one in decision.attempts}


def _spans(export: Invoice, since: str | None, until: str | None) -> tuple[tuple[float, float], ...]:
    if since is None and until is None and export.spans:
        return export.spans
    if not export.by_request and export.lines:
        raise InvalidCall(f"{export.format.title} says itself which time it is of", param="--since")
    start, end = (export.spans[0][0], export.spans[-1][1]) if export.spans else (None, None)
    start = moment_ts(since, "--since", ago=True) if since is not None else start
    end = moment_ts(until, "--until", ago=True) if until is not None else end
    if start is None or end is None or end < start:
        raise InvalidCall("give --since and --until: no row says which time the export is of", param="--since")
    return ((start, end),)


def _called(given: Sequence[str] | None, export: Invoice) -> dict[str, str]:
    """Return the export's name by our model's id."""
    found = {}
    for one in given or ():
        name, equals, ident = one.partition("=")
        if not equals or not ident:
            raise InvalidCall(f"--model {one!r}: give NAME=ID", param="--model")
        if name not in {line.model for line in export.lines}:
            raise InvalidCall(f"--model {one!r}: the export has no model {name!r}", param="--model")
        found[ident] = name
    return found


def _told(export: Invoice, found: Reconciliation) -> Iterator[str]:
    yield f"{export.format.title}, compared by {found.by}"
    for start, end in found.spans:
        yield f"  covers    {', '.join(found.endpoints)} from {utc(start)} to {utc(end)} UTC"
    if not found.embeddings:
        yield "            without embeddings, which it does not bill"
    if not found.complete:
        yield "            only in part: a further page follows, give that file too"
    yield f"  provider  {_counts(found.provider)}"
    yield f"  ledger    {_counts(found.ledger)}"
    if found.differences:
        yield ""
        head = ("what", "from (UTC)", "to", "model", "more at the provider", "named")
        yield table(head, [_row(one) for one in found.differences])
    if found.open:
        yield ""
        yield f"{len(found.open)} calls whose share of the bill is not known:"
        yield from (f"  {one.decision}  {one.why}; at most {_counts(one.most)}" for one in found.open[:20])
    yield ""
    words = "They agree, to the token." if found.exact else "They agree, but for what is open." if found.agrees else ""
    yield words or "They do not agree."
    yield {"agrees": "So does the money.", "differs": "The money does not.", "not told": ""}[found.money]


def _row(one: Difference) -> tuple[str, ...]:
    more = f"${one.more_usd:+f}" if one.more_usd is not None else _counts(one.more, sign="+")
    named = one.request_ids if one.kind == "bypassed" and one.request_ids else one.decisions
    said = ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
    return (WORDS[one.kind], utc(one.start), utc(one.end), one.model, more, said or "–")


def _counts(counts: Counts, sign: str = "") -> str:
    words = {"read": "in", "cache_read": "of them cached", "written": "out", "requests": "requests"}
    return ", ".join(f"{value:{sign},} {words[name]}" for name, value in counts.items())
