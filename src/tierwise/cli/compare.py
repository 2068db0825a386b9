"""The command `tierwise compare`: candidates and the baseline on the same items, through the gateway."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from tierwise import bootstrap, config
from tierwise.cli import compare_report
from tierwise.cli.comparing import Wanted, compared
from tierwise.cli.options import ConfigFile, Frontier, Json, print_json, say
from tierwise.evals import evidence, runs
from tierwise.evals.calls import Progress

SPOKEN_S = 5.0


def compare(
    workflow: Annotated[str, typer.Argument(help="The workflow whose models are compared.")],
    candidates: Annotated[str | None, typer.Option(help="Models, or auto:WORKFLOW, with commas between.")] = None,
    baseline: Annotated[str | None, typer.Option(help="The model to compare with, if not the workflow's.")] = None,
    data: Annotated[Path | None, typer.Option(help="The items, if not the workflow's.")] = None,
    scorer: Annotated[str | None, typer.Option(help="What calls an answer right, if not the workflow's.")] = None,
    judge: Annotated[str | None, typer.Option(help="A model that compares answers, if not the workflow's.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only so many items, by a fixed hash.")] = None,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Ask everything so often.")] = 1,
    run: Annotated[str | None, typer.Option(help="Go on with the run of this name.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the newest run.")] = False,
    rescore: Annotated[bool, typer.Option("--rescore", help="Score a run's answers anew; asks nobody.")] = False,
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
      tierwise compare support --rescore --scorer token_f1
    """
    settings = config.load(file, flags={"frontier": frontier})
    wanted = Wanted(
        workflow=workflow,
        candidates=tuple(filter(None, (candidates or "").split(","))),
        baseline=baseline,
        data=data,
        scorer=scorer,
        judge=judge,
        limit=limit,
        repeats=repeats,
        run=run or ("" if resume else None),
        rescore=rescore,
        yes=yes,
    )
    try:
        folder = bootstrap.run(compared(settings, wanted, _progress))
    except KeyboardInterrupt:
        say(f"Stopped; every answer is kept. Go on: tierwise compare {workflow} --resume")
        raise
    found = evidence.read(folder / runs.EVIDENCE)
    if as_json:
        print_json(compare_report.as_json(found, folder))
        return
    print(compare_report.in_words(found, folder), end="")


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Progress]:
    """Show one bar, with the time that is left, on stderr; where that is no terminal, a line now and then."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _spoken(what, time.monotonic)
        return
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _spoken(what: str, clock: Callable[[], float]) -> Progress:
    """Return what says how far it is, at most every few seconds, and at the end."""
    said = -SPOKEN_S

    def tell(done: int, total: int) -> None:
        nonlocal said
        if done == total or clock() - said >= SPOKEN_S:
            said = clock()
            say(f"  {what:8}  {done:,} of {total:,}")

    return tell
