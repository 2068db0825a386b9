"""The commands `tierwise rollout …` and `tierwise rollback`: a workflow as releases, and a model on trial in one."""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tierwise import bootstrap, config, surroundings
from tierwise.cli.keys import person
from tierwise.cli.options import ConfigFile, Json, plain, print_json, say, utc
from tierwise.core.errors import ConfigError, InvalidCall, StoreError
from tierwise.core.label import Label
from tierwise.gateway.arms import Conclusion
from tierwise.gateway.overlay import Canary, Limits, Overlay, Shadow, canonical, overlay_of, parse
from tierwise.gateway.rules import Rules
from tierwise.gateway.shadowed import Shadowed, shadowed
from tierwise.gateway.trials import MOST_WHY_CHARS, Reading
from tierwise.gateway.workflow import Workflow
from tierwise.ledger.releases import POLICY, Release, checked, of_workflow
from tierwise.policy.judge import Target
from tierwise.registry.load import nearest

app = typer.Typer(add_completion=False, no_args_is_help=True, help="A model on trial in a workflow.")
Flow = Annotated[str, typer.Argument(metavar="WORKFLOW", help="The workflow's name.")]
Why = Annotated[str, typer.Option("--why", help="The reason, for those who read the list later.")]
By = Annotated[str | None, typer.Option("--by", help="Who decided it; your login is recorded in any case.")]
SALT_BYTES = 8


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow as a command finds it. `releases` are newest first; `trial` is what is shown of a canary by now."""

    settings: config.Settings
    rules: Rules
    workflow: Workflow
    releases: tuple[Release, ...]
    trial: Conclusion | None = None
    copies: Shadowed | None = None

    @property
    def name(self) -> str:
        """Return the workflow's name."""
        return self.workflow.name

    @property
    def newest(self) -> int:
        """Return the number of the newest release, 0 for none."""
        return self.releases[0].number if self.releases else 0

    @property
    def overlay(self) -> Overlay:
        """Return what is in force."""
        rollout = self.rules.rollouts.get(self.name)
        return self.file if rollout is None else rollout.overlay

    @property
    def file(self) -> Overlay:
        """Return what the configuration file says."""
        rollout = self.rules.rollouts.get(self.name)
        workflow = self.workflow if rollout is None else rollout.file
        return overlay_of(workflow, _prompt_digest(self.settings, workflow))

    def at(self, release: Release) -> Overlay:
        """Return what a release put in force. StoreError for a damaged one."""
        body = checked(release).body
        return self.file if body is None else parse(body)


@app.command()
def start(
    workflow: Flow,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model on trial.")],
    share: Annotated[str, typer.Option(help="Of the calls that could go there, such as 0.05.")],
    shadow: Annotated[
        bool, typer.Option("--shadow", help="It gets copies of answered calls; callers see none.")
    ] = False,
    margin: Annotated[float | None, typer.Option(help="How much worse it may be, as a share of calls.")] = None,
    confidence: Annotated[float | None, typer.Option(help="With which it is to be shown.")] = None,
    latency_ms: Annotated[float | None, typer.Option(help="A call that takes longer counts as slow.")] = None,
    why: Why = "",
    by: By = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Put a model on trial in a share of a workflow's calls, as a release. Running gateways take it up within a second.

    A canary is asked first in its share, and who was asked first before comes next. It is stopped by itself once it is
    shown to do worse than the margin. Margin, confidence and limits are those of the workflow's criteria.

    Examples:
      tierwise rollout start intents small --share 0.05
      tierwise rollout start intents small --share 0.2 --shadow --why "first look"
    """
    state = _state(file, workflow)
    limits = _limits(state.workflow, margin, confidence, latency_ms)
    overlay = state.overlay
    _permitted(state, model)
    before: Canary | Shadow | None = overlay.shadow if shadow else overlay.canary
    if before is not None and before.model != model:
        raise ConfigError(f"{before.model} is on trial in {workflow!r} already: tierwise rollout stop {workflow}")
    if shadow:
        overlay = msgspec.structs.replace(overlay, shadow=Shadow(model=model, share=_share(share)))
    else:
        if model == overlay.first or overlay.candidates == (model,):
            raise ConfigError(
                f"{model} answers every call of {workflow!r} already: on trial it would be compared with itself. "
                "`candidates` must name who answers now",
                key="MODEL",
            )
        # The same salt, so that who was drawn for a small share stays drawn for a larger one.
        salt = before.salt if isinstance(before, Canary) else os.urandom(SALT_BYTES).hex()
        overlay = msgspec.structs.replace(
            overlay, canary=Canary(model=model, share=_share(share), salt=salt, limits=limits)
        )
    _release(state, overlay, why or f"{'shadow' if shadow else 'canary'} {model} at {share}", by, as_json=as_json)


@app.command()
def status(
    workflow: Annotated[str | None, typer.Argument(metavar="[WORKFLOW]", help="Without, all.")] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Tell what is in force and on trial, what is shown of it by now, and how it came to that.

    One may look as often as one likes: the bounds hold at every look.

    Examples:
      tierwise rollout status
      tierwise rollout status intents --json
    """
    settings = asyncio.run(_found(config.load(file)))
    names = [workflow] if workflow is not None else list(bootstrap.rules_from(settings).workflows)
    states = asyncio.run(_looked(settings, names, tried=True))
    if workflow is None:
        states = [one for one in states if one.releases] or states
    if as_json:
        print_json([_row(state) for state in states])
    elif not states:
        print("There is no workflow here.")
    else:
        print("\n".join(plain(line) for state in states for line in _lines(state)))


@app.command()
def stop(workflow: Flow, why: Why = "", by: By = None, file: ConfigFile = None, as_json: Json = False) -> None:
    """End what is on trial in a workflow, the canary and the shadow: its bundle stays.

    Example:
      tierwise rollout stop intents --why "the prompt changes first"
    """
    state = _state(file, workflow)
    if state.overlay.bundle == state.overlay:
        raise InvalidCall(f"nothing is on trial in {workflow!r}", param="WORKFLOW")
    _release(state, state.overlay.bundle, why or "the trial ends", by, as_json=as_json)


@app.command()
def promote(
    workflow: Flow,
    why: Why = "",
    unproven: Annotated[bool, typer.Option("--unproven", help="Also where it is not shown to be good enough.")] = False,
    by: By = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> int:
    """Ask the canary first in every call, as it was in its share. Exit 1 where it is not shown to be good enough yet.

    Example:
      tierwise rollout promote intents --why "as good, at a tenth of the price"
    """
    state = _state(file, workflow, tried=True)
    overlay = state.overlay.promoted()
    found = state.trial
    if (found is None or found.state != "proven") and not unproven:
        if as_json:
            print_json(_row(state) | {"refused": True})
        else:
            print("\n".join(plain(line) for line in _lines(state)))
            print("nothing was released: it is not shown to be good enough. If you decide without that: --unproven")
        return 1
    _release(state, overlay, why or "promoted", by, as_json=as_json)
    return 0


def rollback(
    workflow: Flow,
    number: Annotated[int | None, typer.Argument(metavar="[N]", help="A release, 0 for the file's word.")] = None,
    why: Annotated[str, typer.Option("--why", help="The reason, for those who read the list later.")] = ...,  # type: ignore[assignment]
    by: By = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Put the whole bundle of an earlier release in force again, as a new release; what was on trial ends.

    Without a number: the bundle that was in force before the present one.

    Examples:
      tierwise rollback intents --why "answers in the wrong language"
      tierwise rollback intents 3 --why "as in May"
    """
    state = _state(file, workflow)
    if not state.releases:
        raise InvalidCall(f"there is no release of {workflow!r} to roll back", param="WORKFLOW")
    target = _before(state) if number is None else number
    wanted = next((one for one in state.releases if one.number == target), None)
    if wanted is None and target != 0:
        raise InvalidCall(
            f"there is no release {target} of {workflow!r}; `tierwise rollout status` lists them", param="N"
        )
    overlay = None if wanted is None or wanted.body is None else state.at(wanted).bundle
    if overlay is not None:
        _known(state, overlay)
    _release(state, overlay, why, by, as_json=as_json)


def _before(state: State) -> int:
    """Return the newest release with another bundle than is in force, 0 for the file."""
    now = state.overlay.bundle
    return next((one.number for one in state.releases if _readable(one) and state.at(one).bundle != now), 0)


def _known(state: State, overlay: Overlay) -> None:
    models = state.rules.catalog.models
    for model in overlay.models:
        if model not in models:
            raise ConfigError(f"that release names the model {model!r}, which does not exist{nearest(model, models)}")


def _permitted(state: State, model: str) -> None:
    """Refuse a model that policy keeps from every call of the workflow; say which labels it keeps it from."""
    catalog = state.rules.catalog
    if model not in catalog.models:
        raise ConfigError(f"there is no model {model!r}{nearest(model, catalog.models)}", key="MODEL")
    found = catalog.models[model]
    target = Target(catalog.endpoints[found.endpoint], found)
    label = state.workflow.label or Label.PUBLIC
    (verdict,) = state.rules.policy.judge(label, state.name, None, [target])
    if not verdict.allowed:
        raise ConfigError(
            f"policy keeps {model} from every call of {state.name!r}, labelled {label} and above: {verdict.reason} "
            f"[{verdict.rule}]",
            key="MODEL",
        )


def _share(text: str) -> Decimal:
    try:
        return Shadow(model="", share=Decimal(text)).share
    except (InvalidOperation, ValueError):
        raise InvalidCall(f"--share {text!r}: more than 0 and at most 1, such as 0.05", param="--share") from None


def _limits(workflow: Workflow, margin: float | None, confidence: float | None, latency_ms: float | None) -> Limits:
    criteria = workflow.criteria
    own = Limits() if criteria is None else Limits(
        margin=criteria.margin,
        confidence=criteria.confidence,
        latency_ms=criteria.max_latency_ms_p95,
        cost_usd=criteria.max_cost_per_accepted_usd,
    )  # fmt: skip
    given = {"margin": margin, "confidence": confidence, "latency_ms": latency_ms}
    wanted = msgspec.to_builtins(own) | {name: value for name, value in given.items() if value is not None}
    try:
        return msgspec.convert(wanted, Limits)
    except msgspec.ValidationError as error:
        raise InvalidCall(str(error), param="--margin") from None


def _prompt_digest(settings: config.Settings, workflow: Workflow) -> str | None:
    if workflow.prompt is None:
        return None
    path = (settings.file.parent if settings.file else Path()) / Path(workflow.prompt).expanduser()
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _release(state: State, overlay: Overlay | None, why: str, by: str | None, *, as_json: bool) -> None:
    if not why.strip() or len(why) > MOST_WHY_CHARS:
        raise InvalidCall(f"--why: say it in 1 to {MOST_WHY_CHARS} characters", param="--why")
    body = None if overlay is None else canonical(overlay)
    who = person() if by is None else f"{by}, by {person()}"
    book = bootstrap.release_book(state.settings, who)
    made = book.add(body, why, after=state.newest, subject=of_workflow(state.name))
    if as_json:
        print_json(_release_row(made))
        return
    print(plain(f"{made} is in force: {why}"))
    print(f"to undo it: tierwise rollback {state.name} {made.replaces or 0} --why …")


def _state(file: Path | None, workflow: str, *, tried: bool = False) -> State:
    settings = asyncio.run(_found(config.load(file)))
    (state,) = asyncio.run(_looked(settings, [workflow], tried=tried))
    return state


async def _found(settings: config.Settings) -> config.Settings:
    """Return the settings with what is in force; of a workflow whose newest release is damaged, the one before it."""
    settings = await surroundings.looked_around(settings)
    async with bootstrap.reading(settings) as history:
        if history is None:
            return settings
        settings, rollouts = settings.under(await history.release()), []
        for subject in await history.release_heads():
            releases = [] if subject == POLICY else await history.releases(subject)
            rollouts += list(islice(filter(_readable, releases), 1))
        return msgspec.structs.replace(settings, rollouts=tuple(rollouts))


def _readable(release: Release) -> bool:
    try:
        body = checked(release).body
        return body is None or bool(parse(body))
    except (StoreError, ConfigError) as error:
        say(f"{error}; running gateways keep what was in force before")
        return False


async def _looked(settings: config.Settings, names: list[str], *, tried: bool) -> list[State]:
    rules, found = bootstrap.rules_from(settings), []
    async with bootstrap.reading(settings) as history:
        for name in names:
            if name not in rules.workflows:
                raise InvalidCall(f"there is no workflow {name!r}{nearest(name, rules.workflows)}", param="WORKFLOW")
            releases = () if history is None else tuple(await history.releases(of_workflow(name)))
            state = State(settings=settings, rules=rules, workflow=rules.workflows[name], releases=releases)
            overlay, newest = state.overlay, releases[0] if releases else None
            if tried and history is not None and newest is not None:
                if overlay.canary is not None:
                    trial = await Reading(name, newest.number, overlay.canary, newest.ts).more(history)
                    state = msgspec.structs.replace(state, trial=trial)
                if overlay.shadow is not None:
                    state = msgspec.structs.replace(state, copies=await shadowed(history, name, newest))
            found.append(state)
    return found


def _release_row(release: Release) -> dict[str, Any]:
    names = ("number", "digest", "who", "why", "ts", "replaces")
    return {name: getattr(release, name) for name in names}


def _row(state: State) -> dict[str, Any]:
    overlay = state.overlay
    return {
        "workflow": state.name,
        "release": state.newest or None,
        "bundle": overlay.bundle,
        "canary": overlay.canary,
        "trial": state.trial,
        "shadow": overlay.shadow,
        "copies": state.copies,
        "releases": [_release_row(one) for one in state.releases],
    }


def _lines(state: State) -> Iterator[str]:
    overlay = state.overlay
    where = f"release {state.newest}" if state.newest else str(state.settings.file or "the built-in default")
    first = f", {overlay.first} first" if overlay.first else ""
    named = ", ".join(overlay.candidates) or "every model that fits"
    yield f"{state.name}: {where}, {overlay.strategy}{first}, {named}"
    if overlay.canary is not None and state.trial is not None:
        yield f"  canary {overlay.canary.model}, a share of {overlay.canary.share}: {_word(state.trial)}"
        for one in state.trial.compared:
            if one.canary.n or one.stable.n:
                arms = (f"{mean.total:g} of {mean.n}" for mean in (one.canary, one.stable))
                yield f"    {one.measure:7} {' against '.join(arms)}, difference {one.low:+.3f} to {one.high:+.3f}"
    if overlay.shadow is not None and state.copies is not None:
        yield f"  shadow {overlay.shadow.model}, a share of {overlay.shadow.share}: {state.copies}"
    for release in state.releases:
        yield f"  {release.number}  {utc(release.ts)} UTC by {release.who}: {release.why}"


def _word(found: Conclusion) -> str:
    match found.state:
        case "harmful":
            return f"it does harm ({found.why}); gateways that run stop it"
        case "proven":
            return "shown to be good enough: tierwise rollout promote"
        case "open":
            return "nothing is shown yet"
