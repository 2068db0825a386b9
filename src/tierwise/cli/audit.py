"""The commands `tierwise audit …`: is the log whole, and what can be shown with it?"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tierwise import bootstrap, config
from tierwise.audit.absence import Absence, Counted, Question, doubts
from tierwise.audit.checkpoint import opened
from tierwise.audit.inclusion import Inclusion
from tierwise.audit.notes import VerifierKey
from tierwise.cli.finding import found_in
from tierwise.cli.options import ConfigFile, Json, moment_ts, print_json, since_ts
from tierwise.cli.reading import Several, bar
from tierwise.core.errors import ConfigError, InvalidCall, StoreError
from tierwise.core.label import Label, Tier
from tierwise.ledger.audit_key import rotated
from tierwise.ledger.notary import SEPARATOR
from tierwise.verifier import Verifier

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Proof that the log is whole.")
Keys = Annotated[
    list[str] | None, typer.Option("--key", metavar="NAME+ID+KEY", help="The log's public key, kept elsewhere.")
]
Witnesses = Annotated[
    list[Path] | None, typer.Option("--witness", metavar="FILE", help="Checkpoints that were kept elsewhere.")
]
ALONE = "without a witness, an end that was cut off together with its checkpoints could not be seen"


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
    verifier = _verifier(settings, keys, witness)
    asyncio.run(_read(settings, verifier))
    report = _report(verifier)
    if as_json:
        print_json(report)
    else:
        print("\n".join(_told(report)))
    if report["findings"]:
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
    until: Annotated[str | None, typer.Option(help="Before then: a span ago, or a date; now if not given.")] = None,
    keys: Keys = None,
    witness: Witnesses = None,
    reconciled: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="What `tierwise reconcile --json` said of a bill.")
    ] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Show that no call with this label went there: every record is read, and the log verified on the way.

    The answer says what it rests on: witnesses show that no record was taken
    away, a reconciled bill that no call went round the gateway. Exit 0 where
    absence is shown, 1 where it is not, with the reason.

    Examples:
      tierwise audit prove-absence --label restricted --tier frontier --since 2026-07-01
      tierwise audit prove-absence --label confidential --since 90d --reconciled july.json --json
    """
    settings = config.load(file)
    asked = Question(
        label=label,
        tiers=tuple(tier or ([] if endpoint else [Tier.FRONTIER])),
        endpoints=tuple(endpoint or ()),
        workflow=workflow,
        since=since_ts(since),
        until=time.time() if until is None else moment_ts(until, "--until", ago=True),
    )
    if asked.until <= asked.since:
        raise InvalidCall("--until: it lies before --since", param="--until")
    proof = asyncio.run(absence(settings, asked, _verifier(settings, keys, witness), reconciled or []))
    if as_json:
        print_json(proof)
    else:
        print("\n".join(absence_told(proof)))
    if not proof["shown"]:
        raise typer.Exit(1)


async def absence(
    settings: config.Settings, asked: Question, verifier: Verifier, reconciled: Sequence[Path]
) -> dict[str, Any]:
    """Return the proof, or why there is none, as it is printed as JSON."""
    counting = Absence(asked)
    checkpoints = await _read(settings, verifier, counting)
    report, found = _report(verifier), counting.found
    why_not = [f"the log is not whole: {one}" for one in verifier.findings] + doubts(asked, found)
    if found.last_seq is not None and found.last_seq > verifier.signed:
        why_not.append(f"records {verifier.signed + 1} to {found.last_seq} are not signed yet")
    return {
        "shown": not why_not,
        "question": asked,
        "because": why_not,
        "found": found,
        "log": report,
        "checkpoint": checkpoints[-1] if checkpoints else None,
        "keys": list(verifier.keys),
        "rests_on": {"witnesses": verifier.witnessed, "reconciled": [_statement(path) for path in reconciled]},
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def absence_told(proof: dict[str, Any]) -> list[str]:
    """Say the proof in words."""
    asked: Question = proof["question"]
    found: Counted = proof["found"]
    where = " or ".join([*(f"tier {one}" for one in asked.tiers), *(f"endpoint {one}" for one in asked.endpoints)])
    went = ", ".join(f"{count:,} to {tier}" for tier, count in sorted(found.attempts.items())) or "none anywhere"
    said = [
        ("shown" if proof["shown"] else "NOT shown")
        + f": no call labelled {asked.label} or higher went to {where}, {_utc(asked.since)} to {_utc(asked.until)}",
        *(f"  because {one}" for one in proof["because"]),
        *(f"    {ident}" for ident in (*found.went, *found.unknown)),
        f"  {found.looked_at:,} calls in that time, {found.labelled:,} with such a label; their attempts: {went}",
        f"  {found.declassified:,} of the calls carried a label that a person had lowered",
        *(f"  {line}" for line in _told(proof["log"])),
    ]
    bills = proof["rests_on"]["reconciled"]
    said += [f"  no call went round the gateway, as the bill {one['file']} shows" for one in bills if one["agrees"]]
    said += [f"  the bill {one['file']} does NOT agree with the ledger" for one in bills if not one["agrees"]]
    if not bills:
        said.append("  that no call went round the gateway is not shown: reconcile a provider's bill (--reconciled)")
    return said


def _verifier(settings: config.Settings, keys: list[str] | None, witness: list[Path] | None) -> Verifier:
    known = [str(VerifierKey.parse(one)) for one in keys or ()]
    known = known or [str(one) for one in bootstrap.signer(settings, make=False).keys]
    files = witness or [path for one in bootstrap.witness_files(settings) if (path := one.path).exists()]
    try:
        texts = [path.read_text("utf-8") for path in files]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"a witness cannot be read: {error}", key="--witness") from None
    return Verifier(known, [f"{note}\n" for text in texts for note in text.split("\n" + SEPARATOR) if note.strip()])


async def _read(settings: config.Settings, *readings: Any) -> list[str]:
    """Have the log read by all of them at once; return its checkpoints."""
    async with bootstrap.reading(settings) as history:
        if history is None:
            raise StoreError(f"{settings.ledger_name}: nothing is recorded there yet")
        with bar(await history.count()) as tell:
            several = Several(readings, tell)
            await history.read_log(several)
        return several.checkpoints


async def _prove(settings: config.Settings, ident: str) -> dict[str, Any]:
    async with bootstrap.reading(settings) as history:
        decision = await found_in(history, ident)
    if decision.seq is None:
        raise InvalidCall(f"call {decision.id} is still open: it has no record yet", param="ID")
    signer = bootstrap.signer(settings, make=False)
    inclusion = Inclusion(decision.seq)
    checkpoints = await _read(settings, inclusion)
    newest = opened(checkpoints[-1], signer.keys) if checkpoints else None
    if newest is None or newest.size < decision.seq:
        raise InvalidCall(f"record {decision.seq} is not signed yet: ask again in some seconds", param="ID")
    return inclusion.proof(newest.size) | {"checkpoint": checkpoints[-1], "keys": [str(one) for one in signer.keys]}


def _report(verifier: Verifier) -> dict[str, Any]:
    findings = verifier.end()
    return {
        "whole": not findings,
        "findings": findings,
        "records": verifier.records,
        "removed": verifier.removed,
        "signed": verifier.signed,
        "unsigned": max(verifier.rows - verifier.signed, 0),
        "checkpoints": verifier.checkpoints,
        "witnessed": verifier.witnessed,
    }


def _told(report: dict[str, Any]) -> list[str]:
    whole = "whole" if report["whole"] else "NOT whole"
    said = [
        *report["findings"],
        f"the log is {whole}: {report['records']:,} records, {report['removed']:,} removed by age",
    ]
    said.append(
        f"{report['signed']:,} are signed, in {report['checkpoints']:,} checkpoints; {report['unsigned']:,} not yet"
    )
    if not report["witnessed"]:
        said.append(ALONE)
    elif report["whole"]:
        said.append(f"it agrees with {report['witnessed']:,} checkpoints that were kept elsewhere")
    return said


def _statement(path: Path) -> dict[str, Any]:
    """Return what a reconciliation says, and its digest, so that it can be told from another."""
    import hashlib

    try:
        data = path.read_bytes()
        said = msgspec.json.decode(data, type=dict[str, Any])
    except (OSError, msgspec.MsgspecError) as error:
        raise InvalidCall(f"--reconciled {path}: {error}", param="--reconciled") from None
    if not isinstance(said.get("agrees"), bool):
        raise InvalidCall(
            f"--reconciled {path}: this is not what `tierwise reconcile --json` wrote", param="--reconciled"
        )
    return {"file": path.name, "sha256": hashlib.sha256(data).hexdigest(), **said}


def _utc(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M")
