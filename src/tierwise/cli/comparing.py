"""How is a comparison begun, or gone on with? From what was said and what is configured to a run's folder.

Decides what is asked; asking is `evals.run`. Invariant: criteria are sealed and stand in the evidence before the first
call; a run goes on only with what it began with.
"""

import contextlib
import json
import platform
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from importlib.metadata import version
from pathlib import Path

import msgspec
import typer

from tierwise import bootstrap, running, surroundings
from tierwise.cli import compare_report
from tierwise.cli.options import plain, say
from tierwise.cli.released import in_force
from tierwise.config import Settings
from tierwise.core.call import Hints
from tierwise.core.criteria import Criteria
from tierwise.core.decision import Decision
from tierwise.core.errors import ConfigError, StoreError
from tierwise.evals import answers, evidence, judging, runs, subjects, weights
from tierwise.evals.asking import Ask, in_process
from tierwise.evals.bundles import bundle_now
from tierwise.evals.calls import Making, Progress
from tierwise.evals.data.read import Dataset, read
from tierwise.evals.data.report import one_class
from tierwise.evals.estimate import Estimate, estimated, with_judge
from tierwise.evals.evidence import Evidence, Header, Resealed, Subject, Writer
from tierwise.evals.item import Item
from tierwise.evals.order import chosen, session_of
from tierwise.evals.outcome import Heard
from tierwise.evals.prompt import Prompt, render
from tierwise.evals.prompts import Prompts
from tierwise.evals.run import Plan, rescored, run
from tierwise.evals.scorers.score import Scorer
from tierwise.evals.scorers.spec import DEFAULT, scorer
from tierwise.evals.seal import seal
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow
from tierwise.ledger.queries import Filter
from tierwise.providers.transport import Transport
from tierwise.registry.load import nearest
from tierwise.wires import chat

ASK_ABOVE_USD = Decimal("0.50")
"""What is estimated to cost more is agreed to first."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What was said on the command line. `run` names one to go on with, "" is the newest, None begins one."""

    workflow: str
    candidates: tuple[str, ...] = ()
    baseline: str | None = None
    data: Path | None = None
    scorer: str | None = None
    judge: str | None = None
    limit: int | None = None
    repeats: int = 1
    run: str | None = None
    rescore: bool = False
    yes: bool = False


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is about: the workflow as it is measured, its rules, its items and its prompt."""

    settings: Settings
    rules: Rules
    workflow: Workflow
    dataset: Dataset
    prompt: Prompt | None
    known: Evidence | None


async def compared(
    settings: Settings, wanted: Wanted, progress: Callable[[str], "contextlib.AbstractContextManager[Progress]"]
) -> Path:
    """Begin a run or go on with one; return its folder."""
    scene = await _scene(settings, wanted)
    home, name = scene.settings.home, scene.workflow.name
    by = scorer(scene.workflow.scorer or DEFAULT, scene.settings.base)
    try:
        going_on = scene.known is not None and not wanted.rescore
        header = await (_again(scene) if going_on else _new(scene, by, wanted))
        plan = Plan(header=header, items=_items(scene, header, by), body=partial(_body, scene), scorer=by)
        folder = runs.folder(home, name) / header.run
        if wanted.rescore and scene.known is not None:
            before = runs.folder(home, name) / scene.known.header.run
            rescored(scene.known, header, before, folder, {one.id: one for one in scene.dataset.items}, by)
            if (before / runs.LOOKED).exists():
                (folder / runs.LOOKED).touch(mode=0o600)
            return folder
        judge = wanted.judge or scene.workflow.judge
        if judge is not None:
            judging.refuse_relatives(judge, _family(scene.rules, judge), header.subjects)
        _doubts(plan)
        with runs.held(folder):
            _agree(_expected(scene, plan, folder, judge), yes=wanted.yes)
            _begin(folder, scene, header, going_on=going_on)
            await _asked(scene, plan, folder, judge, progress)
        return folder
    finally:
        by.close()


async def _scene(settings: Settings, wanted: Wanted) -> Scene:
    found = await in_force(await surroundings.looked_around(settings))
    rules = bootstrap.rules_from(found)
    workflow = rules.workflows.get(wanted.workflow)
    if workflow is None:
        raise ConfigError(f"there is no workflow {wanted.workflow!r}{nearest(wanted.workflow, rules.workflows)}")
    known = None
    if wanted.run is not None or wanted.rescore:
        known = evidence.read(runs.named(found.home, workflow.name, wanted.run or None) / runs.EVIDENCE)
    if known is not None and not wanted.rescore:
        workflow = msgspec.structs.replace(workflow, scorer=_same_scorer(known.header, workflow, wanted))
    elif wanted.scorer is not None:
        workflow = msgspec.structs.replace(workflow, scorer=wanted.scorer)
    prompt = None if workflow.prompt is None else Prompts(found.home).find(workflow.prompt, found.base)
    return Scene(
        settings=found,
        rules=rules,
        workflow=workflow,
        dataset=read(_data(found, workflow, wanted)),
        prompt=prompt,
        known=known,
    )


def _data(settings: Settings, workflow: Workflow, wanted: Wanted) -> Path:
    """Return the file of items: the one on the command line, else the workflow's."""
    if wanted.data is None and workflow.data is None:
        raise ConfigError(
            f"workflow {workflow.name!r} names no `data`: set it, or say --data FILE", key="workflow.data"
        )
    return wanted.data or settings.base / Path(workflow.data or "").expanduser()


def _same_scorer(header: Header, workflow: Workflow, wanted: Wanted) -> str | None:
    """Return the scorer that a run began with, as the workflow says it where it does."""
    if wanted.scorer not in (None, header.scorer):
        raise ConfigError(
            f"run {header.run} is scored by {header.scorer!r}: another one needs --rescore", key="--scorer"
        )
    return workflow.scorer if (workflow.scorer or DEFAULT) == header.scorer else header.scorer


async def _new(scene: Scene, by: Scorer, wanted: Wanted) -> Header:
    """Return the header of a run that begins now, with its criteria sealed; a rescored one has the old one's items."""
    now, workflow, old = time.time(), scene.workflow, scene.known
    criteria = workflow.criteria or Criteria()
    items = _fitting(scene, 0, by)[: wanted.limit]
    if old is not None:
        _check_data(old.header, scene)
    elif not items:
        raise ConfigError(
            f"{scene.dataset.name}: no item outside of `train` that has a reference to score by: "
            f"`tierwise dataset report {workflow.name}` says what it holds"
        )
    who = [one.name for one in old.header.subjects] if old is not None else []
    named = subjects.names(scene.rules, workflow, who[:-1] or wanted.candidates, who[-1] if who else wanted.baseline)
    found = {"tierwise": version("tierwise"), "python": platform.python_version(), "machine": platform.platform()}
    folder = runs.folder(scene.settings.home, workflow.name)
    return Header(
        run=runs.new_id(now),
        workflow=workflow.name,
        began=now,
        baseline=named[-1],
        subjects=await _subjects(scene, named),
        dataset=scene.dataset.digest,
        items=_counted(items) if old is None else old.header.items,
        criteria=criteria,
        seal=seal(folder, criteria, now),
        scorer=by.spec,
        metric=by.metric,
        repeats=old.header.repeats if old is not None else wanted.repeats,
        environment=found,
        earlier=_earlier(scene) if old is None else old.header.earlier,
        rescored="" if old is None else old.header.rescored or old.header.run,
    )


def _counted(items: Sequence[Item]) -> dict[str, int]:
    return {split: count for split in ("tune", "prove") if (count := sum(one.split == split for one in items))}


def _earlier(scene: Scene) -> int:
    """Count the comparisons of the same items that have answers; one that cannot be read is none."""
    count = 0
    for place in runs.runs(scene.settings.home, scene.workflow.name):
        with contextlib.suppress(ConfigError):
            known = evidence.read(place / runs.EVIDENCE)
            same = known.header.dataset == scene.dataset.digest and not known.header.rescored
            count += same and bool(known.observations)
    return count


async def _again(scene: Scene) -> Header:
    """Return the header of a run that goes on. ConfigError where it would measure something else by now."""
    if scene.known is None:
        raise TypeError("nothing to go on with")
    header = scene.known.header
    _check_data(header, scene)
    now = await _subjects(scene, [one.name for one in header.subjects])
    for before, after in zip(header.subjects, now, strict=True):
        if before.bundle.digest != after.bundle.digest:
            parts = ", ".join(before.bundle.changed(after.bundle))
            raise ConfigError(f"run {header.run}: {before.name} is not what it was ({parts}); begin a new run")
    return header


def _check_data(header: Header, scene: Scene) -> None:
    if scene.dataset.digest != header.dataset:
        raise ConfigError(
            f"run {header.run}: the data are not what they were; begin a new run", file=scene.dataset.name
        )


async def _subjects(scene: Scene, named: Sequence[str]) -> tuple[Subject, ...]:
    rules, settings = scene.rules, scene.settings
    subjects.names(rules, scene.workflow, named[:-1], named[-1])
    models = sorted({one for name in named for one in subjects.models_of(rules, scene.workflow, name)})
    transport = Transport()
    try:
        await weights.ask(rules.catalog, models, transport, settings.home / weights.FILE)
    finally:
        await transport.aclose()
    return subjects.subjects(
        rules, scene.workflow, named, lambda some: bundle_now(rules, scene.workflow, some, settings)
    )


def _items(scene: Scene, header: Header, by: Scorer) -> dict[str, Item]:
    return {one.id: one for one in _fitting(scene, header.seed, by)[: sum(header.items.values())]}


def _fitting(scene: Scene, seed: int, by: Scorer) -> list[Item]:
    """Return the items that can be asked and scored, in the order of asking."""
    found = chosen(scene.dataset.items, None, seed)
    return [one for one in found if one.reference is not None or not by.needs_reference]


def _body(scene: Scene, item: Item, subject: Subject) -> bytes:
    """Write a request. Log-probabilities are evidence: they are asked for where a model gives them."""
    request = render(scene.prompt, item, subject.model)
    model = scene.rules.catalog.models.get(subject.model)
    if model is not None and "logprobs" in model.capabilities:
        request.setdefault("logprobs", True)
    return json.dumps(request, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _family(rules: Rules, judge: str) -> str:
    if judge not in rules.catalog.models:
        raise ConfigError(f"there is no model {judge!r} to judge{nearest(judge, rules.catalog.models)}", key="judge")
    return subjects.family((rules.catalog.models[judge],))


def _left(plan: Plan, folder: Path) -> list[answers.Key]:
    done = {one.key for one in answers.read(folder / runs.ANSWERS)}
    return [key for key in plan.keys if key not in done]


def _expected(scene: Scene, plan: Plan, folder: Path, judge: str | None) -> Estimate:
    gateway = bootstrap.dry_gateway(scene.settings)

    def route(body: bytes, hints: Hints) -> Decision:
        return gateway.route(chat.decode_request(body, hints))

    def about(item: Item) -> bytes:
        asked = json.loads(plan.body(item, plan.header.subjects[0]))
        return judging.request(judge or "", asked, item, *[judging.ASSUMED_ANSWER] * 2)

    expected = estimated(plan, _left(plan, folder), route)
    if judge is None:
        return expected
    made = sum(1 for _ in answers.read(folder / judging.JUDGED))
    return with_judge(expected, plan, judge, about, made, route)


def _doubts(plan: Plan) -> None:
    """Say, before anything is spent, what would make the scores worthless."""
    items = list(plan.items.values())
    if (problem := one_class(items)) is not None:
        say(f"Warning: {problem.what}: {problem.mend}")
    first = next((one for one in items if one.reference is not None), None)
    if first is None:
        return
    right = first.reference if isinstance(first.reference, str) else json.dumps(first.reference, ensure_ascii=False)
    said = plan.scorer.score(right, first.reference, first)
    if said.problem == "scorer_failed":
        say(f"Warning: the scorer fails even on the reference of item {plain(first.id)!r}: {plain(said.why)}")


def _agree(expected: Estimate, *, yes: bool) -> None:
    """Say what is about to be asked, and ask back where that costs. ConfigError where nobody agrees."""
    say(compare_report.estimate(expected))
    nobody = next((one for one in expected.shares if one.denied and one.denied == one.calls), None)
    if nobody is not None:
        raise ConfigError(f"{nobody.subject} may answer none of the items: {nobody.why}", key="--candidates")
    if expected.judge is not None and expected.judge.denied and expected.judge.denied == expected.judge.calls:
        raise ConfigError(f"{expected.judge.subject} may judge none of the answers: {expected.judge.why}", key="judge")
    if expected.cost_usd <= ASK_ABOVE_USD or yes:
        return
    if sys.stdin is None or not sys.stdin.isatty() or not typer.confirm("Ask them?", err=True):
        raise ConfigError("nobody was asked: agree at the prompt, or say --yes", key="--yes")


def _begin(folder: Path, scene: Scene, header: Header, *, going_on: bool) -> None:
    """Write the header of a new run; where the criteria changed since a run began, write that."""
    if not going_on or scene.known is None:
        Writer.begin(folder / runs.EVIDENCE, header).close()
        return
    criteria, known = scene.workflow.criteria or Criteria(), scene.known
    if criteria != (known.resealed[-1].criteria if known.resealed else header.criteria):
        writer, _ = Writer.resume(folder / runs.EVIDENCE)
        writer.add(Resealed(criteria=criteria, seal=seal(folder.parent, criteria, time.time())))
        writer.close()


async def _asked(
    scene: Scene,
    plan: Plan,
    folder: Path,
    judge: str | None,
    progress: Callable[[str], "contextlib.AbstractContextManager[Progress]"],
) -> None:
    async with _gateway(scene) as ask:
        making = Making(ask=ask, at_once=plan.header.criteria.concurrency, cut=await _cut_short(scene, plan, folder))
        if making.cut:
            say(f"{len(making.cut)} calls were under way when the run was cut short; they are made again.")
        with progress("asking") as tell:
            await run(plan, folder, msgspec.structs.replace(making, progress=tell))
        if judge is not None:
            with progress("judging") as tell:
                await judging.judge(plan, folder, judge, msgspec.structs.replace(making, progress=tell))


@contextlib.asynccontextmanager
async def _gateway(scene: Scene) -> AsyncIterator[Ask]:
    """Give what asks: the gateway in this process, or the one that runs already, as the ledger has one writer."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            wired = await stack.enter_async_context(bootstrap.opened(scene.settings))
        except StoreError:
            served = await stack.enter_async_context(running.Served(scene.settings))
            if not await served.healthy():
                raise
            _hears_all(scene.workflow)
            yield _through(served)
        else:
            yield in_process(wired.gateway)


def _through(served: running.Served) -> Ask:
    """Ask the gateway that runs already."""

    async def ask(body: bytes, hints: Hints) -> Heard:
        answer, decision, failed = await served.ask(body, hints)
        if failed is not None and decision is None:
            raise served.explained(failed, None)
        return Heard(answer=answer, decision=decision, error=str(failed or ""))

    return ask


def _hears_all(workflow: Workflow) -> None:
    """Refuse to ask a server that would withhold answers which nobody could score then."""
    thresholds = workflow.gates.min_logprob is not None or workflow.certificate is not None
    if thresholds and workflow.on_gate_failure != "flag":
        raise ConfigError(
            f"a running server would withhold unsure answers of {workflow.name!r}, which could not be scored then: "
            'stop it for the comparison, or set on_gate_failure = "flag"',
            key=f"workflow.{workflow.name}.on_gate_failure",
        )


async def _cut_short(scene: Scene, plan: Plan, folder: Path) -> Mapping[str, str]:
    """Return the records, by session, of calls whose answer never reached this run."""
    if scene.known is None:
        return {}
    wanted, found = {session_of(plan.header.run, key) for key in _left(plan, folder)}, {}
    since = Filter(since_ts=plan.header.began - 1, workflow=plan.header.workflow)
    async with bootstrap.reading(scene.settings) as reader:
        if reader is not None:
            async for decision in reader.iterate(since):
                if decision.session in wanted and (decision.attempts or decision.outcome == "interrupted"):
                    found[decision.session] = decision.id
    return found
