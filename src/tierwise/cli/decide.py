"""The commands `tierwise decide` and `tierwise report`: the verdict on a comparison, as a page, a file, or JSON.

Invariant: a verdict that was read before a comparison's end is marked beside the evidence, and from then on the bounds
are those that hold at every look.
"""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from tierwise import config
from tierwise.cli.options import ConfigFile, Json, print_json, say
from tierwise.cli.verdict_card import page
from tierwise.core.errors import ConfigError
from tierwise.core.extras import without
from tierwise.evals.card import Card, to_json
from tierwise.evals.evidence import Evidence, read
from tierwise.evals.runs import CARD, EVIDENCE, LOOKED, REPORT, folder, named
from tierwise.evals.seal import Stored, changed, seals
from tierwise.ledger.export import complete

NEGATIVE = 1
WIDTH = 110

Name = Annotated[str | None, typer.Argument(metavar="[WORKFLOW]", help="The workflow; --evidence names one itself.")]
Run = Annotated[str | None, typer.Option(help="Which comparison; by default the newest.")]
File = Annotated[Path | None, typer.Option(help="Decide on this evidence file alone.")]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence, where it lies, and what is known beside it."""

    evidence: Evidence
    place: Path
    looked: bool
    seals: tuple[Stored, ...] = ()


def decide(
    workflow: Name = None,
    run: Run = None,
    evidence: File = None,
    out: Annotated[Path | None, typer.Option(help="Write the card to this file, as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report to this file.")] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Say what follows from a comparison: expand, adjust, stop, or not enough evidence, and what would turn it.

    Exit 0 for expand, 1 for any other verdict. The same evidence always gives the same card.

    Examples:
      tierwise decide inbox
      tierwise decide inbox --run 20261121-180000-1a2b --out card.json --html report.html
      tierwise decide --evidence evidence.jsonl --json
    """
    found = _find(workflow, run, evidence, file)
    card = _card(found)
    data = to_json(card)
    if out is not None:
        _write(out, data)
    if html is not None:
        _write(html, _html(found, card))
    if evidence is None:
        _keep(found, card)
    if as_json:
        sys.stdout.write(data.decode() + "\n")
    else:
        Console(width=min(WIDTH, Console().width), highlight=False).print(page(card))
    if card.verdict != "expand":
        raise typer.Exit(NEGATIVE)


def report(
    workflow: Name = None,
    run: Run = None,
    evidence: File = None,
    out: Annotated[Path | None, typer.Option(help="The file; by default report.html beside the evidence.")] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Write a comparison as one HTML file that needs nothing else: the verdict, plots, and the tables behind them.

    Examples:
      tierwise report inbox
      tierwise report inbox --out inbox.html
      tierwise report --evidence evidence.jsonl --out inbox.html
    """
    found = _find(workflow, run, evidence, file)
    card = _card(found)
    made = _html(found, card)
    path = out or found.place.parent / REPORT
    _write(path, made)
    if evidence is None:
        _keep(found, card)
    if as_json:
        print_json({"file": str(path), "bytes": len(made), "verdict": card.verdict, "evidence": card.evidence})
    else:
        print(path)


def _find(workflow: str | None, run: str | None, evidence: Path | None, file: Path | None) -> Found:
    """Read the evidence that is meant, and mark it where somebody looks before its end."""
    if evidence is not None:
        if run is not None:
            raise ConfigError("give --run or --evidence, not both", key="--evidence")
        known = read(evidence)
        if workflow is not None and workflow != known.header.workflow:
            raise ConfigError(f"{evidence} is of workflow {known.header.workflow!r}", key="--evidence")
        return Found(evidence=known, place=evidence, looked=_looked(known, evidence))
    if workflow is None:
        raise ConfigError("name a workflow, or a file with --evidence")
    settings = config.load(file)
    place = named(settings.home, workflow, run) / EVIDENCE
    known = read(place)
    looked = _looked(known, place)
    _tell_changes(settings, known)
    return Found(evidence=known, place=place, looked=looked, seals=seals(folder(settings.home, workflow)))


def _looked(evidence: Evidence, place: Path) -> bool:
    """Say whether somebody looked before the end, and mark it where that is now."""
    mark = place.parent / LOOKED
    if _under_way(evidence):
        with contextlib.suppress(OSError):  # a copy, perhaps, in a folder of somebody else's
            mark.touch(mode=0o600)
    return mark.exists()


def _under_way(evidence: Evidence) -> bool:
    seen = {row.item for row in evidence.observations if row.split == "prove"}
    return len(seen) < evidence.header.items.get("prove", 0)


def _tell_changes(settings: config.Settings, evidence: Evidence) -> None:
    """Say where the configuration now asks otherwise than what was sealed."""
    now = next((one for one in settings.document.workflow if one.name == evidence.header.workflow), None)
    last = evidence.resealed[-1].criteria if evidence.resealed else evidence.header.criteria
    if now is not None and now.criteria is not None and (said := changed(last, now.criteria)):
        say(f"the configuration now asks otherwise, which holds from the next comparison on: {'; '.join(said)}")


def _card(found: Found) -> Card:
    verdict = _extra("tierwise.evals.verdict")
    made: Card = verdict.decide(found.evidence, looked=found.looked, seals=found.seals)
    return made


def _html(found: Found, card: Card) -> bytes:
    made: bytes = _extra("tierwise.evals.report.html").render(found.evidence, card)
    return made


def _keep(found: Found, card: Card) -> None:
    """Keep the card and the report beside the evidence, where a server shows them."""
    for name, data in ((CARD, to_json(card)), (REPORT, _html(found, card))):
        with complete(found.place.parent / name) as part:
            part.write_bytes(data)


def _extra(module: str) -> Any:
    """Import what reckons. ConfigError where the extra `evals` is missing."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise without(error, "evals", "verdicts") from error


def _write(path: Path, data: bytes) -> None:
    with complete(path) as part:
        part.write_bytes(data)
    say(f"written: {path}")
