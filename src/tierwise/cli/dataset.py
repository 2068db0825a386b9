"""The commands `tierwise dataset …`: what a data set holds, and where one comes from."""

import asyncio
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tierwise import bootstrap, config
from tierwise.cli.options import ConfigFile, Json, Since, print_json, say, since_ts
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.core.extras import without
from tierwise.core.label import Label
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow
from tierwise.registry.load import nearest

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Data sets: what is asked, and what is right.")
Out = Annotated[Path, typer.Option("--out", help="The file to write: JSON lines, for its owner only.")]
MAX_ITEM_BYTES = 16 * 1024 * 1024
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]


@app.command()
def report(
    what: Annotated[str, typer.Argument(metavar="FILE|WORKFLOW", help="A file, or a workflow and its `data`.")],
    workflow: Annotated[str | None, typer.Option(help="Reckon for this workflow: models, criteria, prompt.")] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> int:
    """Say what a data set holds and what it would cost, before it is asked. Exit 1 where it would prove nothing.

    Counts and kinds only; of the content nothing but the names of classes: duplicates and
    near twins, leaks between splits, clusters, references, classes, kinds of personal data,
    lengths, tokens and money for each model of the workflow, and the sizes its criteria need.

    Examples:
      tierwise dataset report messages.csv
      tierwise dataset report messages.csv --workflow support
      tierwise dataset report support --json
    """
    from tierwise.cli.app import DONE, NEGATIVE

    dataset_report = _reporting()

    settings = config.load(file)
    rules = bootstrap.rules_from(settings)
    path, row = _meant(settings, rules, what, workflow)
    found = dataset_report.looked_at(settings, rules, path, row, datetime.now(UTC).date())
    if as_json:
        print_json(found)
    else:
        print(dataset_report.in_words(found))
    return DONE if found.data.sound else NEGATIVE


@app.command("from-log")
def from_log(
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="Whose recorded traffic.")],
    out: Out,
    n: Annotated[int, typer.Option("--n", min=1, max=100_000, help="How many calls, about.")] = 500,
    since: Since = None,
    label: Annotated[str, typer.Option(help="The highest label whose content may go into the file.")] = "internal",
    force: Force = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Make a data set of recorded traffic whose content was kept: a sample by label, answering model and length.

    Content above --label, or whose label is no longer to be kept, is left out, and how many
    that are is said. Items carry the label of their call; calls of one session are one
    cluster. There are no references: `tierwise review` or a judge gives them.

    Examples:
      tierwise dataset from-log support --n 500 --since 30d --out support.jsonl
      tierwise dataset from-log support --label confidential --out support.jsonl
    """
    from tierwise.evals.data.recorded import sample
    from tierwise.ledger.queries import Filter

    if label not in tuple(Label):
        raise InvalidCall(f"--label {label!r}: one of {', '.join(Label)}", param="--label")
    settings = config.load(file)
    _named(bootstrap.rules_from(settings), workflow)
    _free(out, force)
    which = Filter(since_ts=since_ts(since), workflow=workflow)

    async def taken() -> Any:
        async with bootstrap.reading(settings) as history:
            if history is None:
                raise ConfigError(f"{settings.ledger_name}: nothing is recorded there yet")
            return await sample(history, which, settings.document.ledger, Label(label), n)

    found = asyncio.run(taken())
    if found.items:
        write(out, found.items)
    told = {"file": str(out) if found.items else None, "items": len(found.items), "calls": found.calls}
    told |= {"left_out": found.left_out, "strata": found.strata}
    if as_json:
        print_json(told)
    else:
        say(f"{len(found.items)} items of {found.calls} calls" + (f" written to {out}" if found.items else ""))
        for why, count in found.left_out.items():
            say(f"  left out  {count}: {why}")
    if not found.items:
        raise ConfigError(
            f"workflow {workflow!r}: no recorded call could be taken; content is kept where "
            '`store_content = "full"` (or "redacted") stands in [ledger]'
        )


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Results; of one model each, or of several.")],
    out: Out,
    workflow: Annotated[str | None, typer.Option(help="Keep the results as a run of this workflow.")] = None,
    baseline: Annotated[str | None, typer.Option(help="The model that the others are compared with.")] = None,
    force: Force = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Turn the results of promptfoo, Inspect or lm-evaluation-harness into items, and into evidence.

    Reads promptfoo's JSON output, an Inspect log (.json, or .eval), or the samples_*.jsonl of
    lm-evaluation-harness. With --workflow the scores become a run that `tierwise decide` reads.

    Examples:
      tierwise dataset import results.json --out items.jsonl
      tierwise dataset import small.eval large.eval --workflow support --baseline large --out items.jsonl
    """
    from tierwise.cli.imports import results

    settings = config.load(file)
    _free(out, force)
    found = results.gathered(files)
    items = results.items_of(found, files[0])
    run = None
    if workflow is not None:
        row = _named(bootstrap.rules_from(settings), workflow)
        run = results.keep(settings.home, row, found, items, baseline)
    write(out, (msgspec.to_builtins(item) for item in items))
    told = {"file": str(out), "items": len(items), "from": found.tool, "run": None if run is None else str(run)}
    told |= {"subjects": found.subjects, "results": len(found.results), "notes": found.notes}
    if as_json:
        print_json(told)
        return
    say(f"{len(items)} items from {found.tool} written to {out}")
    say(f"{len(found.results)} results of {', '.join(found.subjects)}" + (f" kept in {run}" if run else ""))
    for note in found.notes:
        say(f"  {note}")


@app.command()
def add(
    what: Annotated[str, typer.Argument(metavar="FILE|WORKFLOW", help="A file, or a workflow and its `data`.")],
    words: Annotated[str | None, typer.Option("--input", help="What is asked: the file's one text field.")] = None,
    expected: Annotated[str | None, typer.Option(help="What is right.")] = None,
    item: Annotated[Path | None, typer.Option(help="The item as JSON instead; - reads standard input.")] = None,
    label: Annotated[str | None, typer.Option(help="public, internal, confidential or restricted.")] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Add an item to a data set, in the file's own format and columns; a file that is not there is begun.

    As JSON an item has `input`, or `fields` such as {"messages": […]}, and beside it
    `reference`, `cluster`, `split` and `label`. What is asked there already is refused. Other
    users of the machine see a command's words: what is not for them goes in by --item.

    Examples:
      tierwise dataset add support --input "my card was swallowed" --expected card_swallowed
      tierwise dataset add support --item - < item.json
    """
    from tierwise.evals.data.add import add as added

    if (words is None) == (item is None):
        raise InvalidCall("say either --input or --item", param="--input")
    if item is not None and (expected is not None or label is not None):
        raise InvalidCall("an --item says itself what is expected, and its label", param="--item")
    said = {"input": words, "reference": expected, "label": label}
    new = _item(msgspec.json.encode(said) if item is None else _read(item))
    settings = config.load(file)
    path, _ = _meant(settings, bootstrap.rules_from(settings), what, None)
    made = added(path, new, settings.home / "evals" / "adding")
    if as_json:
        print_json(made)
    else:
        print(f"{made.item.id} in {made.item.split}: one of {made.items:,} items in {made.file}")


def _read(path: Path) -> bytes:
    """Return the bytes of a file, or of standard input."""
    if str(path) != "-":
        with path.open("rb") as file:
            return file.read(MAX_ITEM_BYTES + 1)
    if sys.stdin is None:
        raise InvalidCall("--item -: there is no standard input", param="--item")
    return sys.stdin.buffer.read(MAX_ITEM_BYTES + 1)


def _item(data: bytes) -> Any:
    from tierwise.evals.data.add import New

    if len(data) > MAX_ITEM_BYTES:
        raise InvalidCall(f"an item is at most {MAX_ITEM_BYTES // 1024**2} MiB", param="--item")
    try:
        return msgspec.json.decode(data, type=New)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidCall(f"this is no item: {error}", param="--item") from error


def _reporting() -> Any:
    try:
        from tierwise.cli import dataset_report
    except ImportError as error:
        raise without(error, "evals", "reports on data sets") from error
    return dataset_report


def _meant(settings: config.Settings, rules: Rules, what: str, workflow: str | None) -> tuple[Path, Workflow | None]:
    """Return the file that is meant, and the workflow that it is for."""
    row = _named(rules, workflow) if workflow is not None else None
    path = Path(what).expanduser()
    if what in rules.workflows and not path.is_file():
        row = row or rules.workflows[what]
        return located(settings, rules.workflows[what]), row
    if not path.exists() and not path.suffix:
        raise ConfigError(f"there is no file and no workflow {what!r}{nearest(what, rules.workflows)}")
    return path, row


def located(settings: config.Settings, workflow: Workflow) -> Path:
    """Return the file of a workflow's items; what is relative lies beside the configuration."""
    if workflow.data is None:
        told = f"workflow {workflow.name!r} names no data: set `data`"
        raise ConfigError(told, key=f"workflow.{workflow.name}.data")
    return (settings.file.parent if settings.file else Path()) / Path(workflow.data).expanduser()


def _named(rules: Rules, name: str) -> Workflow:
    if name not in rules.workflows:
        raise ConfigError(f"there is no workflow {name!r}{nearest(name, rules.workflows)}", key="workflow")
    return rules.workflows[name]


def _free(out: Path, force: bool) -> None:
    if out.exists() and not force:
        raise ConfigError(f"{out} is there already; --force replaces it, --out writes elsewhere", file=str(out))


def write(out: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines, for their owner only: the whole file, or nothing."""
    from tierwise.ledger.export import complete

    with complete(out) as part, part.open("wb") as file:
        for row in rows:
            file.write(msgspec.json.encode(row) + b"\n")
