"""The commands `tierwise policy …`: which policy is in force, what another would change, and who released it why."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tierwise import bootstrap, config, surroundings
from tierwise.cli.differing import Differing, compared
from tierwise.cli.keys import person
from tierwise.cli.options import ConfigFile, Json, print_json, say, since_ts, table, utc
from tierwise.cli.telling import wrapped
from tierwise.core.errors import ConfigError, InvalidCall, StoreError, TierwiseError
from tierwise.core.label import Label
from tierwise.gateway.reach import Reach, reaches
from tierwise.ledger.releases import Release, checked
from tierwise.policy.compare import whole
from tierwise.policy.released import Written, canonical, parse

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The policy as releases.")
Why = Annotated[str, typer.Option("--why", help="The reason, for those who read the list later.")]
By = Annotated[str | None, typer.Option("--by", help="Who decided it; your login is recorded in any case.")]
Widen = Annotated[bool, typer.Option("--widen", help="Agree that data may go where it could not go before.")]
Since = Annotated[str, typer.Option(help="Which recorded decisions are compared: 12h, 30d, or from a date on.")]
Compare = Annotated[str | None, typer.Option("--since", help="Compare recorded decisions too: 12h, 30d, or a date.")]
MOST_WHY_CHARS = 500


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a command begins with. `readable` is the newest release that can be taken up, None for the file's policy."""

    settings: config.Settings
    releases: tuple[Release, ...]
    readable: Release | None

    @property
    def newest(self) -> int:
        """Return the number of the newest release, 0 for none."""
        return self.releases[0].number if self.releases else 0

    @property
    def policy(self) -> Written:
        """Return the policy in force."""
        return self.of(self.readable)

    def of(self, release: Release | None) -> Written:
        """Return what a release puts in force."""
        return self.settings.written if release is None or release.body is None else parse(release.body)

    def named(self, release: Release | None) -> str:
        """Say where that policy comes from."""
        if release is None or release.body is None:
            return str(self.settings.file or "the built-in default")
        return f"release {release.number}"

    def release(self, number: int) -> Release:
        """Return the release of this number. InvalidCall where there is none, StoreError for a damaged one."""
        found = next((release for release in self.releases if release.number == number), None)
        if found is None:
            raise InvalidCall(f"there is no release {number}; `tierwise policy list` lists them", param="N")
        return checked(found)


@app.command()
def show(
    number: Annotated[int | None, typer.Argument(metavar="[N]", help="A release; without, what is in force.")] = None,
    workflow: Annotated[str | None, typer.Option(help="Where calls of this workflow may go; without, of none.")] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Show the policy in force, or that of a release: where it comes from, its digest, what it says, and where data
    with each label may go by it.

    The text that was released, defaults written out, is in --json.

    Examples:
      tierwise policy show
      tierwise policy show --workflow tickets
      tierwise policy show 3 --json
    """
    state = _state(file)
    release = state.release(number) if number is not None else state.readable
    written = state.of(release)
    rules = _rules(state).under(written)
    if workflow is not None and workflow not in rules.workflows:
        known = ", ".join(sorted(rules.workflows)) or "none"
        raise InvalidCall(f"there is no workflow {workflow!r}; configured: {known}", param="--workflow")
    compiled, reached = rules.policy.digest, list(reaches(rules, workflow))
    row = {
        "source": state.named(release),
        "release": _row(release) if release else None,
        "in_force": number is None or (state.readable is not None and number == state.readable.number),
        "policy_digest": compiled,
        "differs_from_file": written != state.settings.written,
        "policy": msgspec.to_builtins(written),
        "workflow": workflow,
        "reach": reached,
    }
    if as_json:
        print_json(row)
        return
    print(f"{'in force' if row['in_force'] else 'not in force'}: {row['source']}, in records {compiled}")
    if release is not None:
        print(wrapped(iter([_told(release)])))
    if row["differs_from_file"]:
        print(f"it is not what {state.settings.file or 'the built-in default'} says")
    print("\n".join(f"  {line}" for line in whole(written)))
    if reached:
        print(f"where {'calls of no workflow' if workflow is None else f'calls of {workflow}'} may go:")
        print(table(("endpoint", "tier", *Label), _reached(reached)))


@app.command("list")
def list_(file: ConfigFile = None, as_json: Json = False) -> None:
    """List the releases, newest first.

    Example:
      tierwise policy list
    """
    state = _state(file)
    if as_json:
        print_json([_row(release) for release in state.releases])
    elif not state.releases:
        print(
            f"No releases: the policy is that of {state.named(None)}. Make one: tierwise policy apply FILE --why TEXT"
        )
    else:
        rows = [
            (str(r.number), utc(r.ts), r.who, (r.digest or "(the file's own)")[:19], _health(r) + r.why)
            for r in state.releases
        ]
        print(table(("release", "when (UTC)", "by", "digest", "why"), rows))


@app.command()
def diff(
    new: Annotated[str, typer.Argument(metavar="NEW", help="A configuration file, or a release's number.")],
    since: Since = "30d",
    against: Annotated[int | None, typer.Option(help="Compare with this release, not with what is in force.")] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> int:
    """Say what another policy changes, and which recorded decisions flip. Nothing is sent, nothing is released.

    Labels of recorded calls follow the new table, as far as what was found is recorded; what a new pattern would find
    in them is not known. Exit 1 where data could go where it could not go before, or is found less.

    Examples:
      tierwise policy diff new.toml
      tierwise policy diff 3 --against 2 --since 7d
    """
    state = _state(file)
    before = state.release(against) if against is not None else state.readable
    name, after = _given(state, new)
    found = compared(state.settings, state.of(before), after, since_ts(since))
    if as_json:
        print_json({"before": state.named(before), "after": name} | found.report())
    else:
        print(f"{state.named(before)} → {name}")
        print(found.words(), end="")
    return 1 if found.widens else 0


@app.command()
def apply(
    new: Annotated[Path, typer.Argument(metavar="FILE", help="A configuration: its [labels] and [[rule]] count.")],
    why: Why,
    by: By = None,
    widen: Widen = False,
    since: Since = "30d",
    file: ConfigFile = None,
    as_json: Json = False,
) -> int:
    """Release the policy of a file: every gateway over this ledger takes it up within a second, and keeps it at start.

    Example:
      tierwise policy apply new.toml --why "claims stay inside" --by "privacy board"
    """
    state = _state(file)
    return _release(state, _read(new), (why, by), since_ts(since), widen=widen, as_json=as_json)


@app.command()
def rollback(
    why: Why,
    number: Annotated[int | None, typer.Argument(metavar="[N]", help="The release; without, the one before.")] = None,
    by: By = None,
    widen: Widen = False,
    since: Compare = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> int:
    """Put the policy of an earlier release in force again, as a new release. Before the first stands the file's own.
    Recorded decisions are compared only with --since, so that this takes a second.

    Examples:
      tierwise policy rollback --why "claims cannot be served"
      tierwise policy rollback 3 --why "as in May"
    """
    state = _state(file)
    if number is None and not state.releases:
        raise InvalidCall("there is no release to roll back; `tierwise policy apply` makes one", param="N")
    if number is None:
        number = state.releases[0].replaces
    policy = None if number is None else state.release(number).body
    return _release(state, policy, (why, by), since_ts(since) if since else None, widen=widen, as_json=as_json)


@app.command()
def detach(
    why: Why,
    by: By = None,
    widen: Widen = False,
    since: Compare = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> int:
    """Let the configuration file's own policy count again, at each gateway that of its own file.

    Example:
      tierwise policy detach --why "one gateway only: the file is enough"
    """
    state = _state(file)
    return _release(state, None, (why, by), since_ts(since) if since else None, widen=widen, as_json=as_json)


def _reached(reached: list[Reach]) -> list[tuple[str, ...]]:
    """Return a row for each endpoint: what policy says of each label."""
    rows: dict[str, list[str]] = {}
    for one in reached:
        row = rows.setdefault(one.endpoint, [one.endpoint, one.tier])
        duties = f" ({', '.join(one.duties)})" if one.duties else ""
        part = "" if one.allowed == one.models else f"{one.allowed} of {one.models} "
        row.append(f"{part}yes{duties}" if one.allowed else f"no: {', '.join(one.denied)}")
    return [tuple(row) for row in rows.values()]


def _release(
    state: State, policy: bytes | None, said: tuple[str, str | None], since: float | None, *, widen: bool, as_json: bool
) -> int:
    """Compare, then release, unless that widens what nobody agreed to."""
    why, by = said
    if not why.strip() or len(why) > MOST_WHY_CHARS:
        raise InvalidCall(f"--why: say it in 1 to {MOST_WHY_CHARS} characters", param="--why")
    readable = state.readable
    same = (readable.body if readable else None) == policy
    if same and state.newest == (readable.number if readable else 0):
        if as_json:
            print_json({"release": None, "unchanged": True, "refused": False})
        else:
            print(f"nothing to release: that is in force already, from {state.named(readable)}")
        return 0
    after = state.settings.written if policy is None else parse(policy)
    found = compared(state.settings, state.policy, after, since)
    refused = found.widens and not widen
    made = None
    if not refused:
        who = person() if by is None else f"{by}, by {person()}"
        made = bootstrap.release_book(state.settings, who).add(policy, why, after=state.newest)
    _say(found, made, as_json=as_json)
    if refused:
        say("nothing was released: data could go where it could not go before, or is found less. If that is meant, add")
        say("--widen")
    return 1 if refused else 0


def _say(found: Differing, made: Release | None, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {"release": _row(made) if made else None, "unchanged": False, "refused": made is None}
            | {"diff": found.report()}
        )
        return
    print(found.words(), end="")
    if made is not None:
        print(f"release {made.number} is in force: {made.digest or 'the policy of the file'}")
        print(f"to undo it: tierwise policy rollback{f' {made.replaces}' if made.replaces else ''} --why …")


def _state(file: Path | None) -> State:
    return asyncio.run(_look(config.load(file)))


async def _look(settings: config.Settings) -> State:
    settings = await surroundings.looked_around(settings)
    async with bootstrap.reading(settings) as history:
        releases = () if history is None else tuple(await history.releases())
    readable: Release | None = None
    for release in releases:
        try:
            parse(checked(release).body or canonical(settings.policy))
        except (StoreError, ConfigError) as error:
            say(f"{error}; running gateways keep what was in force before")
            continue
        readable = release
        break
    return State(settings=settings, releases=releases, readable=readable)


def _given(state: State, new: str) -> tuple[str, Written]:
    if new.isascii() and new.isdigit() and not Path(new).exists():
        release = state.release(int(new))
        return state.named(release), state.of(release)
    return new, parse(_read(Path(new)))


def _read(file: Path) -> bytes:
    """Return the policy of a file, as written: a variable that overrides it here is not part of it."""
    settings = config.load(file)
    own = {name: value for name, value in settings.environ.items() if not name.startswith("TIERWISE_LABELS_")}
    settings = config.load(file, environ=own)
    return canonical(settings.policy)


def _rules(state: State) -> Any:
    return bootstrap.rules_from(state.settings)


def _health(release: Release) -> str:
    try:
        checked(release)
    except TierwiseError:
        return "(DAMAGED) "
    return ""


def _row(release: Release) -> dict[str, Any]:
    row = {name: getattr(release, name) for name in ("number", "digest", "who", "why", "ts", "replaces")}
    return row | {"damaged": bool(_health(release)), "detached": release.body is None}


def _told(release: Release) -> str:
    return f"{utc(release.ts)} UTC by {release.who}: {release.why}; digest {release.digest or 'none, the file counts'}"
