"""What does an auditor get? A folder with two pages, the same for machines, and the means to check the log alone."""

import platform
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from tierwise import bootstrap, config, verifier
from tierwise.audit.absence import Question
from tierwise.cli.clauses import CAVEAT, FRAMEWORKS, clauses
from tierwise.cli.proving import absence_told, absences, rests_told, utc
from tierwise.cli.released import in_force
from tierwise.core.label import Label, Tier
from tierwise.ledger.protocol import Reader
from tierwise.policy.compare import whole
from tierwise.policy.settings import ceilings

MOST_INCIDENTS = 20
_encoder = msgspec.json.Encoder(decimal_format="number")


async def written(
    settings: config.Settings,
    folder: Path,
    span: tuple[float, float],
    reading: verifier.Verifier,
    reconciled: Sequence[Path],
) -> dict[str, Any]:
    """Write the pack, and return what its machine twin says."""
    since, until = span
    settings = await in_force(settings)
    limits = ceilings(settings.document.labels)
    questions = [one for label, farthest in limits.items() if (one := _beyond(label, farthest, span)) is not None]
    proofs = await absences(settings, questions, reading, reconciled)
    rules = bootstrap.rules_from(settings)
    ledger = settings.document.ledger
    async with bootstrap.reading(settings) as history:
        trace = await _trace(history, span)
    made: dict[str, Any] = {
        # Where no label has a ceiling there is no proof, but there is still a log.
        "shown": not reading.findings and all(proof["shown"] for proof in proofs),
        "findings": reading.findings,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "since": since,
        "until": until,
        "versions": {"tierwise": version("tierwise"), "python": platform.python_version()},
        "digests": {
            "policy": rules.policy.digest,
            "prices": rules.catalog.price_digest,
            "registry": rules.catalog.digest,
        },
        "policy": {"release": settings.release, "text": msgspec.to_builtins(settings.policy)},
        "ceilings": limits,
        "keys": list(reading.keys),
        "proofs": proofs,
        "retention": {
            "records_kept_s": ledger.keep_s,
            "content": ledger.store_content,
            "content_by_label": ledger.store_content_by_label,
            "content_kept_s": ledger.content_keep_s,
        },
        **trace,
        "clauses": {"caveat": CAVEAT, "map": clauses()},
    }
    _write(folder, made, "\n".join(_pages(made, settings)) + "\n")
    return made


def _beyond(label: Label, farthest: Tier, span: tuple[float, float]) -> Question | None:
    tiers = tuple(tier for tier in Tier if tier.rank > farthest.rank)
    return Question(label=label, tiers=tiers, since=span[0], until=span[1]) if tiers else None


async def _trace(history: Reader | None, span: tuple[float, float]) -> dict[str, Any]:
    if history is None:
        return {"releases": [], "erasures": [], "key_changes": 0, "incidents": []}
    releases = [
        {"number": one.number, "digest": one.digest, "who": one.who, "why": one.why, "ts": one.ts}
        for one in await history.releases()
        if span[0] <= one.ts < span[1]
    ]
    erasures = [one for one in await history.erasures() if span[0] <= one.ts < span[1]]
    changes = [one for one in await history.key_changes() if span[0] <= one.ts < span[1]]
    incidents = [msgspec.to_builtins(one) for one in await history.incidents("all", span[0]) if one.opened < span[1]]
    return {"releases": releases, "erasures": erasures, "key_changes": len(changes), "incidents": incidents}


def _write(folder: Path, made: dict[str, Any], pages: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pack.md").write_text(pages, "utf-8")
    (folder / "pack.json").write_bytes(msgspec.json.format(_encoder.encode(made), indent=2) + b"\n")
    shutil.copyfile(verifier.__file__, folder / "verifier.py")
    first = made["proofs"][0] if made["proofs"] else {"checkpoint": None}
    (folder / "log.keys").write_text("".join(f"{key}\n" for key in made["keys"]), "utf-8")
    (folder / "checkpoint").write_text(first["checkpoint"] or "", "utf-8")


def _pages(made: dict[str, Any], settings: config.Settings) -> Iterator[str]:
    yield f"# Where data went: {utc(made['since'])} to {utc(made['until'])} UTC\n"
    yield "**Every ceiling was kept.**\n" if made["shown"] else "**NOT every ceiling is shown to have been kept.**\n"
    yield from (f"The log is not whole: {one}\n" for one in made["findings"])
    yield "Made by `tierwise audit pack`; `pack.json` says the same for machines. What each word means, and what is not"
    yield "protected, stands in docs/reference/audit.md and SECURITY.md of Tierwise.\n"
    yield "## What was to be kept\n"
    yield "| label | may go as far as |\n|---|---|"
    yield from (f"| {label} | {tier} |" for label, tier in made["ceilings"].items())
    source = f"release {made['policy']['release']}" if made["policy"]["release"] else "the configuration"
    yield f"\nPolicy in force: {source}, `{made['digests']['policy']}`.\n"
    yield "```text\n" + "\n".join(whole(settings.policy)) + "\n```\n"
    yield "## What is shown\n"
    for proof in made["proofs"]:
        yield "```text\n" + "\n".join(absence_told(proof)) + "\n```\n"
    if made["proofs"]:
        yield "It rests on this:\n\n```text\n" + "\n".join(rests_told(made["proofs"][-1])) + "\n```\n"
    yield "## Who changed what\n"
    yield f"{made['key_changes']} changes of keys, {len(made['erasures'])} erasures of content."
    yield f"{len(made['releases'])} releases of the policy.\n"
    yield from (f"- {one['number']}: {utc(one['ts'])} by {one['who']}: {one['why']}" for one in made["releases"])
    yield f"\n## Promises that were broken: {len(made['incidents']) or 'none'}\n"
    yield from (_incident(one) for one in made["incidents"][:MOST_INCIDENTS])
    if len(made["incidents"]) > MOST_INCIDENTS:
        yield f"- and {len(made['incidents']) - MOST_INCIDENTS} more, in `pack.json`"
    yield "\n## What is kept, and for how long\n"
    keeps = made["retention"]
    yield f"Records: {_span(keeps['records_kept_s'])}."
    yield f"Content of calls: {keeps['content']}, {_span(keeps['content_kept_s'])}.\n"
    yield "## Versions and digests\n"
    yield "| | |\n|---|---|"
    yield from (f"| {name} | {value} |" for name, value in (made["versions"] | made["digests"]).items())
    yield f"\n## Which clauses the records speak to\n\n{CAVEAT}\n"
    yield f"| fields | {' | '.join(FRAMEWORKS.values())} |\n|---|{'---|' * len(FRAMEWORKS)}"
    for one in made["clauses"]["map"]:
        yield f"| {one.group} | {' | '.join(', '.join(one.of(name)) for name in FRAMEWORKS)} |"
    yield "\n## How to check this without trusting the machine that made it\n"
    yield "Get a copy of the ledger, and the checkpoints that a witness kept; compare `log.keys` with the key that"
    yield "you were given at the beginning of the time. Then, with Python and the package `cryptography` alone:\n"
    yield "```sh\npython verifier.py ledger.sqlite --key NAME+ID+KEY --witness CHECKPOINTS\n```"


def _incident(one: dict[str, Any]) -> str:
    end = "open" if one["closed"] is None else f"closed {utc(one['closed'])}: {one['note']}"
    return f"- {utc(one['opened'])} {one['severity']} {one['kind']}, {one['subject']}, {end}"


def _span(seconds: int | None) -> str:
    return "for ever" if seconds is None else f"{seconds / 86_400:g} days"
