"""The command `tierwise demo`: the main job, end to end, on the models that ship with the package.

Knows how to ask and how to say; what is done is in `demo_run`, how it is told in `demo_report`.
"""

import asyncio
import contextlib
import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tierwise import config
from tierwise.cli.options import say
from tierwise.core.errors import ConfigError
from tierwise.economics.price import expected_cost_usd
from tierwise.evals.dataset import Dataset, read
from tierwise.registry.demonstration import demonstration
from tierwise.registry.kinds import kinds, known_models, priced
from tierwise.wires.tokens import tokens_upper

# What a message costs beyond its text where the list of intents is sent along as a schema.
INTENT_TOKENS = 16


def demo(
    data: Annotated[Path | None, typer.Option(help="CSV or JSONL with text and label (or category).")] = None,
    limit: Annotated[int | None, typer.Option(min=2, help="Take only so many messages, by a fixed hash.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write one JSON line a message, to recount.")] = None,
    frontier: Annotated[
        bool, typer.Option("--frontier", help="Let what is left go to an outside API, for money.")
    ] = False,
    frontier_model: Annotated[str, typer.Option(help="Whose price is named, and who is asked.")] = "gpt-6.1-sol",
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the estimated cost beforehand.")] = False,
    file: Annotated[Path | None, typer.Option("--config", help="Checked; the demo has rules of its own.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Route real messages to the right tier, and show why.

    Starts two small shipped models, sends each message to the smaller one first,
    and passes it on where the answer is not sure enough. Nothing leaves this
    machine unless you say --frontier.

    Examples:
      tierwise demo
      tierwise demo --data messages.csv --out rows.jsonl
      tierwise demo --json
    """
    settings = config.load(file)
    dataset = _dataset(data, limit)
    if priced(frontier_model) is None:
        known = ", ".join(row.served_name for row in known_models())
        raise ConfigError(f"no price is known for {frontier_model!r}; there are {known}", key="--frontier-model")
    if frontier:
        _agree(settings, dataset, frontier_model, yes=yes)
    if out is not None:
        _check_writable(out)
    from tierwise.cli import demo_report, demo_run

    with _progress() as progress:
        ran = asyncio.run(
            demo_run.run(settings, dataset, frontier=frontier_model, frontier_on=frontier, progress=progress)
        )
    if out is not None:
        demo_report.write_rows(ran, out)
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(demo_report.as_json(ran)), indent=1).decode() + "\n")
        return
    from rich.console import Console

    # Rendered whole first: rich ends the process by itself where the reader of a pipe has gone.
    page, terminal = io.StringIO(), sys.stdout.isatty()
    width = min(demo_report.WIDTH, Console().width) if terminal else demo_report.WIDTH
    demo_report.show(ran, Console(file=page, width=width, force_terminal=terminal))
    sys.stdout.write(page.getvalue())


def _check_writable(out: Path) -> None:
    """Find out before the work whether its rows can be written."""
    try:
        with out.open("ab"):
            pass
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}; name another file", key="--out") from error


def _dataset(data: Path | None, limit: int | None) -> Dataset:
    shipped = demonstration()
    try:
        dataset = read(data or shipped.messages, shipped.labels)
    except csv.Error as error:
        raise ConfigError(f"{data} is not readable as CSV: {error}; is a quote left open?", file=str(data)) from error
    if data is None:
        dataset = msgspec.structs.replace(dataset, name="the package's own example messages")
    if limit is not None and limit < len(dataset.rows):
        chosen = tuple(sorted(dataset.rows, key=lambda row: row.key)[:limit])
        repeated = len(chosen) - len({row.key for row in chosen})
        dataset = msgspec.structs.replace(dataset, rows=chosen, duplicates=repeated)
    return dataset


def _agree(settings: config.Settings, dataset: Dataset, model: str, *, yes: bool) -> None:
    """Estimate what an outside model could cost, and ask. Raises ConfigError where no key is set or nobody agrees."""
    known = priced(model)
    if known is None:
        raise ConfigError(f"no price is known for {model!r}", key="--frontier-model")
    variable = kinds()[known.kinds[0]].key_env
    if settings.secret(f"env:{variable}") is None:
        raise ConfigError(f"--frontier needs a key: set {variable}, or leave the option out", key="--frontier")
    schema = tokens_upper(" ".join(demonstration().labels))
    tokens = sum(tokens_upper(row.text) + schema for row in dataset.rows)
    most = expected_cost_usd(known, tokens, INTENT_TOKENS * len(dataset.rows))
    print(
        f"Up to {len(dataset.rows):,} messages may go to {model}: at most about ${most:.2f}"
        f" (price of {known.as_of}); usually a fifth of that.",
        file=sys.stderr,
    )
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty() or not typer.confirm("Send them?", err=True):
        raise ConfigError("nothing was sent: agree at the prompt, or say --yes", key="--frontier")


@contextlib.contextmanager
def _progress() -> Iterator["Progressing"]:
    """Show one bar for each pass, on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield Progressing(bars)


class Progressing:
    """Turns `(what, done, total)` into bars; off a terminal, into one line when each begins."""

    def __init__(self, bars: object) -> None:
        self._bars, self._tasks = bars, dict[str, int]()

    def __call__(self, what: str, done: int, total: int) -> None:
        from rich.progress import Progress, TaskID

        if not isinstance(self._bars, Progress):
            return
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
            if self._bars.disable:
                say(f"  {what}: {total:,} messages")
        self._bars.update(TaskID(self._tasks[what]), completed=done)
