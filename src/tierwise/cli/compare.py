"""The command `tierwise compare`: candidates and the baseline on the same items, through the gateway."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from tierwise import bootstrap, config
from tierwise.cli import compare_report
from tierwise.cli.comparing import Wanted, compared
from tierwise.cli.options import ConfigFile, Frontier, Json, print_json, say
from tierwise.evals import evidence, runs
from tierwise.evals.calls import Progress


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
    """Show one bar, with the time that is left, on stderr; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
