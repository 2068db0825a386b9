"""The command `tierwise feedback`: what a person says of an answer, kept beside its decision."""

import asyncio
from typing import Annotated

import msgspec
import typer

from tierwise import bootstrap, config
from tierwise.cli.finding import found_in
from tierwise.cli.keys import person
from tierwise.cli.options import ConfigFile, Json, plain, print_json
from tierwise.core.decision import Decision
from tierwise.core.errors import InvalidCall
from tierwise.gateway.kept_content import kept_whole
from tierwise.ledger.remarks import MAX_NOTE_CHARS, Remark


def feedback(
    ident: Annotated[str, typer.Argument(metavar="ID", help="The decision's id, or its beginning.")],
    right: Annotated[bool | None, typer.Option("--right/--wrong", help="Whether the answer was right.")] = None,
    score: Annotated[float | None, typer.Option(min=0, max=1, help="How good it was, 0 to 1.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, max=86_400, help="How long it took to judge.")] = None,
    note: Annotated[str, typer.Option(help="Why; kept only where content is kept whole.")] = "",
    review: Annotated[bool, typer.Option("--review", help="It is the review that the answer waited for.")] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who says it; your login is recorded in any case.")] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Say of an answer whether it was right. The signed record stays as it is; this stands beside it.

    What you say last counts. A canary that gets worse judgements than it may is stopped by itself.

    Examples:
      tierwise feedback 01m7y10kz5d0 --right
      tierwise feedback 01m7y10kz5d0 --score 0.5 --seconds 40 --review
    """
    if (right is None) == (score is None):
        raise InvalidCall("say either --right, --wrong or --score", param="--right")
    if len(note) > MAX_NOTE_CHARS:
        raise InvalidCall(f"--note: at most {MAX_NOTE_CHARS} characters", param="--note")
    settings = config.load(file)
    decision = asyncio.run(_found(settings, ident))
    kept = bool(note) and kept_whole(decision, bootstrap.rules_from(settings))
    said = Remark(
        decision=decision.id,
        score=float(bool(right)) if score is None else score,
        who=person() if by is None else f"{by}, by {person()}",
        what="review" if review else "feedback",
        seconds=seconds,
        note=note if kept else "",
    )
    made = bootstrap.books(settings).remarks().add(said)
    if as_json:
        print_json(msgspec.to_builtins(made) | {"note_kept": kept})
        return
    print(plain(f"{made.decision}: {made.what} {made.score:g} by {made.who}"))
    if note and not kept:
        print("the note is not kept: it is content, and [ledger] store_content keeps none of this call")


async def _found(settings: config.Settings, ident: str) -> Decision:
    async with bootstrap.reading(settings) as history:
        return await found_in(history, ident)
