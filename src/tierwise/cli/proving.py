"""What do the commands of the audit have in common? A log read once by whoever wants it, and what it shows in words."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tierwise import bootstrap, config
from tierwise.audit.absence import Absence, Counted, Question, doubts
from tierwise.audit.notes import VerifierKey
from tierwise.cli.reading import Several, bar
from tierwise.cli.reconcile import Kept, kept
from tierwise.core.decision import Decision
from tierwise.core.errors import ConfigError, StoreError
from tierwise.economics.reconcile import covers
from tierwise.ledger.notary import SEPARATOR
from tierwise.verifier import Verifier

ALONE = "without a witness, an end that was cut off together with its checkpoints could not be seen"


async def absences(
    settings: config.Settings, questions: Sequence[Question], verifier: Verifier, reconciled: Sequence[Path]
) -> list[dict[str, Any]]:
    """Return for each question the proof, or why there is none, as it is printed as JSON; the log is read once."""
    counting = [Absence(asked) for asked in questions]
    # Before the log is read: what ends in between is in both.
    for call in await _open_calls(settings):
        for one in counting:
            one.still_open(call)
    checkpoints = await read(settings, verifier, *counting)
    told = report(verifier)
    bills = [(path.name, *kept(path)) for path in reconciled]
    agreeing = [bill.result for _, bill, _ in bills if bill.agrees]
    rests_on = {"witnesses": verifier.witnessed, "reconciled": [_statement(*bill) for bill in bills]}
    endpoints = bootstrap.rules_from(settings).catalog.endpoints.values()
    known = {*(one.name for one in endpoints), *(row.name for row in settings.document.workflow)}
    shared = {"log": told, "checkpoint": checkpoints[-1] if checkpoints else None, "keys": list(verifier.keys)}
    made = datetime.now(UTC).isoformat(timespec="seconds")
    proofs = []
    for asked, one in zip(questions, counting, strict=True):
        there = [e.name for e in endpoints if e.tier in asked.tiers or e.name in asked.endpoints]
        covered = [name for name in there if covers(agreeing, name, asked.since, asked.until)]
        doors = {"billed_whole": covered, "not_billed": [name for name in there if name not in covered]}
        proofs.append(
            _answer(asked, one.found, verifier, known) | shared | {"rests_on": rests_on | doors, "made": made}
        )
    return proofs


def _answer(asked: Question, found: Counted, verifier: Verifier, known: Collection[str]) -> dict[str, Any]:
    why_not = [f"the log is not whole: {one}" for one in verifier.findings] + doubts(asked, found, known)
    if found.last_seq is not None and found.last_seq > verifier.signed:
        why_not.append(f"records {verifier.signed + 1} to {found.last_seq} are not signed yet")
    return {"shown": not why_not, "question": asked, "because": why_not, "found": found}


def absence_told(proof: dict[str, Any]) -> list[str]:
    """Say in words what the records show."""
    asked: Question = proof["question"]
    found: Counted = proof["found"]
    where = " or ".join([*(f"tier {one}" for one in asked.tiers), *(f"endpoint {one}" for one in asked.endpoints)])
    went = ", ".join(f"{count:,} to {tier}" for tier, count in sorted(found.attempts.items())) or "none anywhere"
    said = "shown" if proof["shown"] else "NOT shown"
    return [
        f"{said}: no call labelled {asked.label} or higher went to {where},",
        f"  {utc(asked.since)} to {utc(asked.until)} (UTC)",
        *(f"  because {one}" for one in proof["because"]),
        *(f"    {ident}" for ident in (*found.went, *found.unknown)),
        f"  {_calls(found.looked_at)} in that time, {found.labelled:,} with such a label; attempts: {went}",
        f"  {_calls(found.declassified)} carried a label that a person had lowered",
        *_begins(asked, found),
    ]


def _begins(asked: Question, found: Counted) -> list[str]:
    """Say where a part of the time lies before all records; whoever asked for a whole quarter must know."""
    if found.oldest is None or found.oldest <= asked.since or found.oldest >= asked.until:
        return []
    return [f"  the records begin at {utc(found.oldest)}: of the time before they say nothing"]


def rests_told(proof: dict[str, Any]) -> list[str]:
    """Say in words what the proof rests on: a log that is whole, and complete."""
    said = report_told(proof["log"])
    bills: list[dict[str, Any]] = proof["rests_on"]["reconciled"]
    for one in bills:
        spans = ", ".join(f"{utc(start)} to {utc(end)}" for start, end in one["spans"])
        holds = "agrees with the ledger" if one["agrees"] else "does NOT agree with the ledger"
        said.append(f"the bill for {', '.join(one['endpoints'])}, {spans}, {holds} ({one['file']})")
    rest = proof["rests_on"]["not_billed"]
    if rest:
        part = " for the whole time" if any(set(rest) & set(one["endpoints"]) for one in bills) else ""
        said.append(
            f"that no call went to {', '.join(rest)} past the gateway is not shown{part}: reconcile their bills"
        )
    return said


def verifier_of(settings: config.Settings, keys: list[str] | None, witness: list[Path] | None) -> Verifier:
    """Return who verifies, with these keys and witnesses or those of the configuration."""
    known = [str(VerifierKey.parse(one)) for one in keys or ()]
    known = known or [str(one) for one in bootstrap.signer(settings, make=False).keys]
    files = witness or [path for one in bootstrap.witness_files(settings) if (path := one.path).exists()]
    if odd := next((path for path in files if path.exists() and not path.is_file()), None):
        raise ConfigError(f"a witness cannot be read: {odd} is no file", key="--witness")
    try:
        texts = [path.read_text("utf-8") for path in files]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"a witness cannot be read: {error}", key="--witness") from None
    return Verifier(known, [f"{note}\n" for text in texts for note in text.split("\n" + SEPARATOR) if note.strip()])


def unread(settings: config.Settings, given: list[Path] | None) -> list[str]:
    """Say which configured witnesses were not read: what they have seen is not in the answer."""
    if given:
        return []
    rows = settings.document.audit.witness
    said = [f"{one.path} is not there" for one in bootstrap.witness_files(settings) if not one.path.exists()]
    said += [
        f"{row.url} is only written to: fetch its newest object, give it with --witness" for row in rows if row.url
    ]
    return [f"a witness was not read: {one}" for one in said]


async def read(settings: config.Settings, *readings: Any) -> list[str]:
    """Have the log read by all of them at once; return its checkpoints."""
    async with bootstrap.reading(settings) as history:
        if history is None:
            raise StoreError(f"{settings.ledger_name}: nothing is recorded there yet")
        with bar(await history.count()) as tell:
            several = Several(readings, tell)
            await history.read_log(several)
        return several.checkpoints


async def _open_calls(settings: config.Settings) -> list[Decision]:
    async with bootstrap.reading(settings) as history:
        return [] if history is None else [call.decision("pending", "") for call in await history.open_calls()]


def report(verifier: Verifier) -> dict[str, Any]:
    """Return what the verifier found, once it has read all."""
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


def report_told(report: dict[str, Any]) -> list[str]:
    """Say it in words."""
    whole = "whole" if report["whole"] else "NOT whole"
    said = [
        *report["findings"],
        f"the log is {whole}: {_many(report['records'], 'record')} here, {report['removed']:,} removed by age",
    ]
    signed = f"{report['signed']:,}, in {_many(report['checkpoints'], 'checkpoint')}"
    said.append(f"signed: {signed}; not yet: {report['unsigned']:,}")
    if not report["witnessed"]:
        said.append(ALONE)
    elif report["whole"]:
        said.append(f"it agrees with {_many(report['witnessed'], 'checkpoint')} of witnesses")
    return said


def _statement(name: str, bill: Kept, digest: str) -> dict[str, Any]:
    """Return what a reconciliation says, and its digest, so that it can be told from another."""
    found = bill.result
    said = {"file": name, "sha256": digest, "agrees": bill.agrees}
    return said | {"endpoints": found.endpoints, "spans": found.spans}


def _calls(count: int) -> str:
    return _many(count, "call")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def utc(ts: float) -> str:
    """Write a time for people."""
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M")
