"""The command `tierwise review`: people's verdicts on answers, one after another, without knowing whose they are."""

import asyncio
import getpass
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from tierwise import bootstrap, config
from tierwise.cli.keys import person
from tierwise.cli.options import ConfigFile, Json, plain, print_json, say
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.evals import answers, awaiting, runs
from tierwise.evals.answers import Answered
from tierwise.evals.awaiting import Awaiting
from tierwise.evals.data.read import read
from tierwise.evals.evidence import Evidence, Review, Writer
from tierwise.evals.item import Item
from tierwise.ledger.queries import Filter
from tierwise.ledger.remarks import Remark

Word = Literal["right", "wrong", "skip", "quit"]
WORDS: dict[str, Word] = {"r": "right", "w": "wrong", "s": "skip", "q": "quit"}


def review(
    workflow: Annotated[str | None, typer.Argument(help="The workflow; the only one where there is one.")] = None,
    run: Annotated[str | None, typer.Option(help="A run's name; else the newest.")] = None,
    data: Annotated[Path | None, typer.Option(help="The items, if not the workflow's.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask for so many verdicts at most.")] = None,
    who: Annotated[str | None, typer.Option(help="Who judges; else your name on this machine.")] = None,
    reference: Annotated[bool, typer.Option("--reference", help="Show what the data say is right.")] = False,
    calls: Annotated[bool, typer.Option("--calls", help="Answers of the service that wait for a person.")] = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Say of answers whether they are right: what was asked, what was answered, r, w, s or q.

    Answers come in random order and nameless. The seconds that each verdict
    takes are recorded: they are the review load. With --json each answer is a
    line of JSON and each verdict a line of input. With --calls they are those of
    the service that a rule or a gate kept for a person, of one workflow or of all;
    verdicts stand beside their records, as with `tierwise feedback ID --review`.

    Examples:
      tierwise review support
      tierwise review support --limit 50
      tierwise review --calls
    """
    settings = config.load(file)
    if calls:
        if run or data or reference:
            raise InvalidCall("--run, --data and --reference are of a comparison, --calls is not", param="--calls")
        _calls(settings, workflow, limit, who, as_json=as_json)
        return
    flow = next((one for one in settings.document.workflow if one.name == workflow), None)
    if workflow is None and len(settings.document.workflow) == 1:
        flow = settings.document.workflow[0]
    if flow is None:
        known = ", ".join(one.name for one in settings.document.workflow) or "none"
        told = "say which workflow" if workflow is None else f"there is no workflow {workflow!r}"
        raise ConfigError(f"{told}; there are {known}", key="WORKFLOW")
    folder = runs.named(settings.home, flow.name, run)
    place = data or (settings.base / Path(flow.data).expanduser() if flow.data else None)
    if place is None:
        raise ConfigError(f"workflow {flow.name!r} names no `data`: set it, or say --data FILE", key="workflow.data")
    with runs.held(folder):
        writer, known_evidence = Writer.resume(folder / runs.EVIDENCE)
        try:
            dataset = read(place)
            if dataset.digest != known_evidence.header.dataset:
                raise ConfigError(f"{place} is not what run {folder.name} asked: its digest differs", file=str(place))
            items = {one.id: one for one in dataset.items}
            waiting = queue(known_evidence, folder)[:limit]
            said = _asked(waiting, items, writer, who or getpass.getuser(), reference=reference, as_json=as_json)
        finally:
            writer.close()
    if as_json:
        print_json({"run": folder.name, "reviewed": said, "waiting": len(waiting) - said})
    else:
        say(f"{said} verdicts; {len(waiting) - said} answers wait. Next: tierwise decide {flow.name}")


def _calls(
    settings: config.Settings, workflow: str | None, limit: int | None, who: str | None, *, as_json: bool
) -> None:
    """Ask about what waits in the ledger."""
    waiting = asyncio.run(_waiting(settings, workflow, limit or awaiting.MOST_WAITING))
    ask = (lambda shown, place: _piped(shown)) if as_json else _typed
    said = _judged(settings, waiting, ask, person() if who is None else f"{who}, by {person()}")
    if as_json:
        print_json({"reviewed": said, "waiting": len(waiting) - said})
    else:
        say(f"{said} verdicts; {len(waiting) - said} answers wait.")


async def _waiting(settings: config.Settings, workflow: str | None, limit: int) -> list[Awaiting]:
    async with bootstrap.reading(settings) as history:
        return [] if history is None else await awaiting.awaiting(history, Filter(workflow=workflow), limit)


def _judged(
    settings: config.Settings, waiting: list[Awaiting], ask: Callable[[dict[str, Any], str], str], who: str
) -> int:
    """Ask for a verdict on each until somebody quits, and keep it beside the record; return how many there were."""
    book, said = bootstrap.books(settings).remarks(), 0
    for number, one in enumerate(waiting, 1):
        began = time.monotonic()
        word = ask(one.shown, f"{number} of {len(waiting)}")
        if word == "quit":
            break
        if word == "skip":
            continue
        seconds = round(min(time.monotonic() - began, awaiting.LONGEST_S), 3)
        book.add(
            Remark(decision=one.decision.id, score=float(word == "right"), who=who, what="review", seconds=seconds)
        )
        said += 1
    return said


def queue(found: Evidence, folder: Path) -> list[Answered]:
    """Return the answers that nobody has judged, in random order: first one answer of everybody for each item."""
    over = {(one.item, one.subject, one.repeat) for one in found.reviews}
    scored = {(one.item, one.subject, one.repeat) for one in found.observations if one.outcome == "answered"}
    waiting = [one for one in answers.read(folder / runs.ANSWERS) if one.key in scored and one.key not in over]
    shuffled = random.Random(found.header.run)
    shuffled.shuffle(waiting)
    place = {item: at for at, item in enumerate(dict.fromkeys(one.item for one in waiting))}
    return sorted(waiting, key=lambda one: (one.repeat, place[one.item]))


def _asked(
    waiting: list[Answered], items: dict[str, Item], writer: Writer, who: str, *, reference: bool, as_json: bool
) -> int:
    """Ask for verdicts until all are given or somebody quits; return how many there were."""
    said = 0
    for number, answered in enumerate(waiting, 1):
        item = items[answered.item]
        shown = {"item": item.id, "asked": item.fields, "answer": answered.text}
        shown |= {"reference": item.reference} if reference else {}
        began = time.monotonic()
        word = _piped(shown) if as_json else _typed(shown, f"{number} of {len(waiting)}")
        if word == "quit":
            break
        if word == "skip":
            continue
        observed = answered.observed
        writer.add(
            Review(
                item=answered.item,
                cluster=observed.cluster,
                split=observed.split,
                subject=answered.subject,
                repeat=answered.repeat,
                right=word == "right",
                seconds=min(time.monotonic() - began, awaiting.LONGEST_S),
                who=who,
                ts=time.time(),
            )
        )
        said += 1
    return said


def _piped(shown: dict[str, Any]) -> Word:
    """Write an answer as a line of JSON on stderr and read the verdict; the end of the input quits."""
    sys.stderr.write(json.dumps(shown) + "\n")
    sys.stderr.flush()
    return _word(sys.stdin.readline())


def _typed(shown: dict[str, Any], place: str) -> Word:
    """Show an answer and ask for a verdict until one is given."""
    for name, text in _lines(shown):
        say(f"{name}:")
        say("\n".join(f"  {plain(line)}" for line in text.splitlines() or [""]))
    while True:
        sys.stderr.write(f"[{place}] right, wrong, skip or quit? ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line or line.strip().lower() in WORDS or line.strip().lower() in WORDS.values():
            return _word(line)


def _lines(shown: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in shown["asked"].items():
        yield name, value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if "reference" in shown:
        yield "right by the data", json.dumps(shown["reference"], ensure_ascii=False)
    yield "the answer", shown["answer"]


def _word(line: str) -> Word:
    """Read a verdict; `InvalidCall` for a word that is none."""
    word = line.strip().lower()
    if not word:
        return "quit" if not line else "skip"
    if word[0] not in WORDS or word not in (word[0], WORDS[word[0]]):
        raise InvalidCall(f"{line.strip()!r} is no verdict: right, wrong, skip or quit")
    return WORDS[word[0]]
