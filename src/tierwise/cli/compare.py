"""The command `tierwise compare`: candidates and the baseline on the same items, through the gateway.

Knows how to begin, to go on and to tell; what is done is in `evals.run`, how it is told in `compare_report`.
"""

import contextlib
import json
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tierwise import bootstrap, config, running, surroundings
from tierwise.cli import compare_report
from tierwise.cli.options import ConfigFile, Frontier, Json, print_json, say
from tierwise.core.call import Hints
from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError, StoreError
from tierwise.evals import answers, evidence, runs
from tierwise.evals import run as running_it
from tierwise.evals.asking import Ask, in_process
from tierwise.evals.data.read import Dataset, read
from tierwise.evals.estimate import Estimate, estimated
from tierwise.evals.evidence import Header, Resealed, Subject, Writer
from tierwise.evals.item import Item
from tierwise.evals.order import chosen, session_of
from tierwise.evals.outcome import Heard
from tierwise.evals.prompt import render
from tierwise.evals.run import Plan, Progress
from tierwise.evals.scorers.score import Scorer
from tierwise.evals.scorers.spec import DEFAULT, scorer
from tierwise.evals.seal import sealed
from tierwise.evals.subjects import subjects
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow
from tierwise.ledger.queries import Filter
from tierwise.registry.load import nearest
from tierwise.wires import chat

ASK_ABOVE_USD = Decimal("0.50")
"""What is estimated to cost more is agreed to first."""


def compare(
    workflow: Annotated[str, typer.Argument(help="The workflow whose models are compared.")],
    candidates: Annotated[str | None, typer.Option(help="Models, or auto:WORKFLOW, with commas between.")] = None,
    baseline: Annotated[str | None, typer.Option(help="The model to compare with, if not the workflow's.")] = None,
    data: Annotated[Path | None, typer.Option(help="The items, if not the workflow's.")] = None,
    score: Annotated[
        str | None, typer.Option("--scorer", help="What calls an answer right, if not the workflow's.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only so many items, by a fixed hash.")] = None,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Ask everything so often.")] = 1,
    run: Annotated[str | None, typer.Option(help="Go on with the run of this name.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the newest run.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the estimated cost beforehand.")] = False,
    file: ConfigFile = None,
    frontier: Frontier = False,
    as_json: Json = False,
) -> None:
    """Ask all candidates and the baseline the same items, and score the answers.

    Every call goes through the gateway, so that policy, budgets and the ledger
    hold. The criteria are sealed before the first call. A run that was killed
    goes on where it stood.

    Examples:
      tierwise compare support
      tierwise compare support --candidates small,auto:support --limit 200
      tierwise compare support --resume
    """
    settings = config.load(file, flags={"frontier": frontier})
    asked = _Asked(
        workflow=workflow,
        candidates=tuple(filter(None, (candidates or "").split(","))),
        baseline=baseline,
        data=data,
        scorer=score,
        limit=limit,
        repeats=repeats,
        run=run,
        resume=resume or run is not None,
        yes=yes,
    )
    try:
        folder = bootstrap.run(_compared(settings, asked))
    except KeyboardInterrupt:
        say(f"Stopped; every answer is kept. Go on: tierwise compare {workflow} --resume")
        raise
    found = evidence.read(folder / runs.EVIDENCE)
    if as_json:
        print_json(compare_report.as_json(found, folder))
        return
    print(compare_report.in_words(found, folder), end="")


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was said on the command line."""

    workflow: str
    candidates: tuple[str, ...]
    baseline: str | None
    data: Path | None
    scorer: str | None
    limit: int | None
    repeats: int
    run: str | None
    resume: bool
    yes: bool


async def _compared(settings: config.Settings, asked: _Asked) -> Path:
    """Begin a run or go on with one; return its folder."""
    found = await surroundings.looked_around(settings)
    rules = bootstrap.rules_from(found)
    workflow = rules.workflows.get(asked.workflow)
    if workflow is None:
        raise ConfigError(f"there is no workflow {asked.workflow!r}{nearest(asked.workflow, rules.workflows)}")
    dataset = read(_data(found, workflow, asked.data))
    known = evidence.read(runs.named(found.home, workflow.name, asked.run) / runs.EVIDENCE) if asked.resume else None
    judging = scorer(
        known.header.scorer if known else asked.scorer or workflow.scorer or DEFAULT,
        found.file.parent if found.file else Path(),
    )
    try:
        header = (
            _again(known.header, rules, workflow, dataset) if known else _new(rules, workflow, dataset, judging, asked)
        )
        items = _items(header, dataset, judging, asked)
        plan = Plan(header=header, items=items, body=_bodies(rules), scorer=judging)
        folder = runs.folder(found.home, workflow.name) / header.run
        with runs.held(folder):
            left = _left(plan, folder)
            gateway = bootstrap.dry_gateway(found)
            expected = estimated(plan, left, lambda body, hints: gateway.route(chat.decode_request(body, hints)))
            _agree(expected, asked)
            _begin(folder, header, known, workflow)
            await _asked_all(found, plan, folder)
        return folder
    finally:
        judging.close()


def _data(settings: config.Settings, workflow: Workflow, given: Path | None) -> Path:
    """Return the file of items: a path on the command line, else the workflow's, relative to the configuration."""
    if given is not None:
        return given
    if workflow.data is None:
        raise ConfigError(
            f"workflow {workflow.name!r} names no data: set `data`, or say --data FILE",
            key=f"workflow.{workflow.name}.data",
        )
    base = settings.file.parent if settings.file else Path()
    return base / Path(workflow.data).expanduser()


def _new(rules: Rules, workflow: Workflow, dataset: Dataset, judging: Scorer, asked: _Asked) -> Header:
    """Return the header of a run that begins now; its criteria are sealed with it."""
    now, criteria = time.time(), workflow.criteria or Criteria()
    items = _fitting(chosen(dataset.items, None, 0), judging)[: asked.limit]
    splits: dict[str, int] = {}
    for item in items:
        splits[item.split] = splits.get(item.split, 0) + 1
    if not items:
        raise ConfigError(f"{dataset.name}: no item that could be asked and scored", file=dataset.name)
    who = subjects(rules, workflow, asked.candidates, asked.baseline)
    return Header(
        run=runs.new_id(now),
        workflow=workflow.name,
        began=now,
        baseline=who[-1].name,
        subjects=who,
        dataset=dataset.digest,
        items=splits,
        criteria=criteria,
        seal=sealed(criteria, now),
        scorer=judging.spec,
        metric=judging.metric,
        repeats=asked.repeats,
        environment={
            "tierwise": version("tierwise"),
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
        },
    )


def _again(header: Header, rules: Rules, workflow: Workflow, dataset: Dataset) -> Header:
    """Return the header of a run that goes on. ConfigError where it would measure something else by now."""
    if dataset.digest != header.dataset:
        raise ConfigError(f"run {header.run}: the data have changed since; begin a new run", file=dataset.name)
    now = subjects(rules, workflow, [one.name for one in header.subjects[:-1]], header.baseline)
    for before, after in zip(header.subjects, now, strict=True):
        if before.bundle.digest != after.bundle.digest:
            parts = ", ".join(before.bundle.changed(after.bundle))
            raise ConfigError(f"run {header.run}: {before.name} is not what it was ({parts}); begin a new run")
    return header


def _items(header: Header, dataset: Dataset, judging: Scorer, asked: _Asked) -> dict[str, Item]:
    """Return the items of a run, in their order."""
    found = _fitting(chosen(dataset.items, None, header.seed), judging)[: sum(header.items.values())]
    return {one.id: one for one in found}


def _fitting(items: tuple[Item, ...], judging: Scorer) -> list[Item]:
    return [one for one in items if one.reference is not None or not judging.needs_reference]


def _bodies(rules: Rules) -> running_it.Bodies:
    """Return what writes the requests. Log-probabilities are evidence: they are asked for where a model gives them."""
    able = {name for name, model in rules.catalog.models.items() if "logprobs" in model.capabilities}

    def body(item: Item, subject: Subject) -> bytes:
        request = render(None, item, subject.model)
        if subject.model in able:
            request.setdefault("logprobs", True)
        return json.dumps(request, ensure_ascii=False).encode("utf-8", "surrogatepass")

    return body


def _left(plan: Plan, folder: Path) -> list[answers.Key]:
    done = {one.key for one in answers.read(folder / runs.ANSWERS)}
    return [key for key in plan.calls if key not in done]


def _agree(expected: Estimate, asked: _Asked) -> None:
    """Say what is about to be asked, and ask back where that costs. ConfigError where nobody agrees."""
    say(compare_report.estimate(expected))
    if expected.cost_usd <= ASK_ABOVE_USD or asked.yes:
        return
    if sys.stdin is None or not sys.stdin.isatty() or not typer.confirm("Ask them?", err=True):
        raise ConfigError("nobody was asked: agree at the prompt, or say --yes", key="--yes")


def _begin(folder: Path, header: Header, known: evidence.Evidence | None, workflow: Workflow) -> None:
    """Write the header of a new run; where the criteria changed since a run began, write that."""
    if known is None:
        Writer.begin(folder / runs.EVIDENCE, header).close()
        return
    criteria = workflow.criteria or Criteria()
    before = known.resealed[-1].criteria if known.resealed else header.criteria
    if criteria != before:
        writer, _ = Writer.resume(folder / runs.EVIDENCE)
        writer.add(Resealed(criteria=criteria, seal=sealed(criteria, time.time())))
        writer.close()


async def _asked_all(settings: config.Settings, plan: Plan, folder: Path) -> None:
    """Make the calls in this process, or through the gateway that runs already, as the ledger has one writer."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            wired = await stack.enter_async_context(bootstrap.opened(settings))
        except StoreError:
            served = await stack.enter_async_context(running.Served(settings))
            if not await served.healthy():
                raise
            _hears_all(plan, settings)
            ask = _through(served)
        else:
            ask = in_process(wired.gateway)
        await _run(settings, plan, folder, ask)


def _through(served: running.Served) -> Ask:
    """Ask the gateway that runs already."""

    async def ask(body: bytes, hints: Hints) -> Heard:
        answer, decision, failed = await served.ask(body, hints)
        if failed is not None and decision is None:
            raise served.explained(failed, None)
        return Heard(answer=answer, decision=decision, error=str(failed or ""))

    return ask


def _hears_all(plan: Plan, settings: config.Settings) -> None:
    """Refuse to ask a server that would withhold answers which nobody could score then."""
    workflow = next(one for one in settings.document.workflow if one.name == plan.header.workflow)
    if workflow.gates.min_logprob is not None and workflow.on_gate_failure != "flag":
        raise ConfigError(
            f"a running server would withhold unsure answers of {workflow.name!r}, which could not be scored then: "
            'stop it for the comparison, or set on_gate_failure = "flag"',
            key=f"workflow.{workflow.name}.on_gate_failure",
        )


async def _run(settings: config.Settings, plan: Plan, folder: Path, ask: Ask) -> None:
    cut = await _cut_short(settings, plan, folder)
    if cut:
        say(f"{len(cut)} calls were under way when the run was cut short; they are made again.")
    with _progress() as progress:
        await running_it.run(msgspec.structs.replace(plan, cut=cut), folder, ask, progress)


async def _cut_short(settings: config.Settings, plan: Plan, folder: Path) -> Mapping[str, str]:
    """Return the records, by session, of calls whose answer never reached this run."""
    wanted = {session_of(plan.header.run, key) for key in _left(plan, folder)}
    if len(wanted) == len(plan.calls) and not (folder / runs.ANSWERS).exists():
        return {}
    found = {}
    since = Filter(since_ts=plan.header.began - 1, workflow=plan.header.workflow)
    async with bootstrap.reading(settings) as reader:
        if reader is not None:
            async for decision in reader.iterate(since):
                if decision.session in wanted and (decision.attempts or decision.outcome == "interrupted"):
                    found[decision.session] = decision.id
    return found


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """Show one bar, with the time that is left, on stderr; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("asking", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
