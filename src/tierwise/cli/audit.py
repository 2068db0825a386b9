"""The commands `tierwise audit …`: is the log whole, and what can be shown with it?"""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from tierwise import bootstrap, config
from tierwise.audit.absence import Question
from tierwise.audit.checkpoint import opened
from tierwise.audit.inclusion import Inclusion
from tierwise.cli.finding import found_in
from tierwise.cli.options import ConfigFile, Json, moment_ts, print_json, since_ts
from tierwise.cli.proving import absence_told, absences, read, report, report_told, rests_told, unread, verifier_of
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.core.label import Label, Tier
from tierwise.ledger.audit_key import rotated

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Proof that the log is whole.")
Keys = Annotated[
    list[str] | None, typer.Option("--key", metavar="NAME+ID+KEY", help="The log's public key, kept elsewhere.")
]
Witnesses = Annotated[
    list[Path] | None, typer.Option("--witness", metavar="FILE", help="Checkpoints that were kept elsewhere.")
]
Bills = Annotated[
    list[Path] | None, typer.Option("--reconciled", metavar="FILE", help="What `tierwise reconcile --keep` wrote.")
]
Until = Annotated[str | None, typer.Option(help="Before then: a span ago, or a date; now if not given.")]


@app.command()
def verify(keys: Keys = None, witness: Witnesses = None, file: ConfigFile = None, as_json: Json = False) -> None:
    """Read the whole log and say whether any record was changed, taken out, moved or put in; exit 1 if so.

    Also beside a running server. The key and the witnesses are those of the
    configuration unless they are given; whoever has both from elsewhere need
    not trust this machine. The first finding names the first wrong record.

    Examples:
      tierwise audit verify
      tierwise audit verify --key "$LOG_KEY" --witness /mnt/elsewhere/checkpoints
    """
    settings = config.load(file)
    verifier = verifier_of(settings, keys, witness)
    asyncio.run(read(settings, verifier))
    told = report(verifier)
    if as_json:
        print_json(told)
    else:
        print("\n".join(report_told(told) + unread(settings, witness)))
    if told["findings"]:
        raise typer.Exit(1)


@app.command()
def key(file: ConfigFile = None, as_json: Json = False) -> None:
    """Print the public keys of the log, the one in use first. Keep them where the log's operator cannot change them.

    Example:  tierwise audit key > log.keys
    """
    known = [str(one) for one in bootstrap.signer(config.load(file), make=False).keys]
    print_json(known) if as_json else print("\n".join(known))


@app.command()
def rotate(file: ConfigFile = None) -> None:
    """Sign with a new key from the next start on. What the old one signed is still believed, by its public half.

    Example:  tierwise audit rotate
    """
    settings = config.load(file)
    if settings.document.audit.key is not None:
        raise ConfigError("audit.key names the key: put a new one there, with the old public key as a line below it")
    print(f"{rotated(settings.audit_key_path).key}\nIt signs after the next start of the gateway.")


@app.command()
def prove(
    ident: Annotated[str, typer.Argument(metavar="ID", help="The decision's id, or its beginning.")],
    file: ConfigFile = None,
) -> None:
    """Print, as JSON, what shows that this very record is in the signed log: for whoever has only its public key.

    Example:  tierwise audit prove 019d2f
    """
    settings = config.load(file)
    found = asyncio.run(_prove(settings, ident))
    print_json(found)


@app.command("prove-absence")
def prove_absence(
    label: Annotated[Label, typer.Option(help="Calls that carried this label or a higher one…")],
    tier: Annotated[list[Tier] | None, typer.Option(help="…and went to this tier (frontier if none is given)…")] = None,
    endpoint: Annotated[list[str] | None, typer.Option(help="…or to this endpoint.")] = None,
    workflow: Annotated[str | None, typer.Option(help="Only calls of this workflow.")] = None,
    since: Annotated[str, typer.Option(help="From then on: 90d, or a date such as 2026-07-01.")] = "90d",
    until: Until = None,
    keys: Keys = None,
    witness: Witnesses = None,
    reconciled: Bills = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Show that no call with this label went there: every record is read, and the log verified on the way.

    The answer says what it rests on: witnesses show that no record was taken
    away, a reconciled bill that no call went round the gateway. Exit 0 where
    absence is shown, 1 where it is not, with the reason.

    Examples:
      tierwise audit prove-absence --label restricted --tier frontier --since 2026-07-01
      tierwise audit prove-absence --label confidential --since 2026-07-01 --until 2026-08-01 --reconciled july.json
    """
    settings, span = config.load(file), _span(since, until)
    asked = Question(
        label=label,
        tiers=tuple(tier or ([] if endpoint else [Tier.FRONTIER])),
        endpoints=tuple(endpoint or ()),
        workflow=workflow,
        since=span[0],
        until=span[1],
    )
    (proof,) = asyncio.run(absences(settings, [asked], verifier_of(settings, keys, witness), reconciled or []))
    if as_json:
        print_json(proof)
    else:
        print("\n".join(absence_told(proof) + rests_told(proof) + unread(settings, witness)))
    if not proof["shown"]:
        raise typer.Exit(1)


@app.command()
def pack(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where it is written; made if it is not there.")],
    since: Annotated[str, typer.Option(help="What time it is about: 90d, or a date such as 2026-07-01.")] = "90d",
    until: Until = None,
    witness: Witnesses = None,
    reconciled: Bills = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Write what an auditor needs into a folder: two pages, the same for machines, and the means to check it.

    The policy in force with its ceilings, for each ceiling the proof that it
    was kept, incidents, retention, versions and digests. Exit 1 where a proof
    fails: the pack then says so.

    Examples:
      tierwise audit pack audit-2026-q3 --since 2026-07-01
      tierwise audit pack audit --since 2026-07-01 --until 2026-08-01 --reconciled july.json
    """
    from tierwise.cli.pack import written

    settings, span = config.load(file), _span(since, until)
    made = asyncio.run(written(settings, folder, span, verifier_of(settings, None, witness), reconciled or []))
    if as_json:
        print_json(made)
    else:
        print(f"{folder}: pack.md, pack.json, log.keys, checkpoint, verifier.py")
        print("every ceiling was kept" if made["shown"] else "NOT every ceiling is shown to be kept: see pack.md")
    if not made["shown"]:
        raise typer.Exit(1)


def _span(since: str, until: str | None) -> tuple[float, float]:
    begin, end = since_ts(since), time.time() if until is None else moment_ts(until, "--until", ago=True)
    now = time.time()
    for option, moment in (("--since", begin), ("--until", end)):
        if moment > now:
            raise InvalidCall(f"{option}: it lies in the future, of which nothing is recorded yet", param=option)
    if end <= begin:
        raise InvalidCall("--until: it lies before --since", param="--until")
    return begin, end


async def _prove(settings: config.Settings, ident: str) -> dict[str, Any]:
    async with bootstrap.reading(settings) as history:
        decision = await found_in(history, ident)
    if decision.seq is None:
        raise InvalidCall(f"call {decision.id} is still open: it has no record yet", param="ID")
    signer = bootstrap.signer(settings, make=False)
    inclusion = Inclusion(decision.seq)
    checkpoints = await read(settings, inclusion)
    newest = opened(checkpoints[-1], signer.keys) if checkpoints else None
    if newest is None or newest.size < decision.seq:
        raise InvalidCall(f"record {decision.seq} is not signed yet: ask again in some seconds", param="ID")
    return inclusion.proof(newest.size) | {"checkpoint": checkpoints[-1], "keys": [str(one) for one in signer.keys]}
