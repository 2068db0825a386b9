"""The command `tierwise erase`, and what other commands say of the content that is kept beside records."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from tierwise import bootstrap, config
from tierwise.cli.finding import found_in
from tierwise.cli.keys import person
from tierwise.cli.options import ConfigFile, Json, print_json, say, table, utc
from tierwise.core.decision import Committed, Decision
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.core.label import Label
from tierwise.ledger.contents import Contents, Erasure, Which, agrees
from tierwise.policy.settings import ceilings

MOST_WHY_CHARS = 500
_TOLD = {
    "none": "nothing",
    "hash": "hashes",
    "redacted": "requests and answers without what detectors find",
    "full": "requests and answers as they are",
}


def erase(
    decision: Annotated[str | None, typer.Argument(metavar="[ID]", help="One decision's, by its id.")] = None,
    session: Annotated[str | None, typer.Option(help="Of all calls of this session.")] = None,
    key: Annotated[str | None, typer.Option(help="Of all calls with this key; with --session, of both.")] = None,
    why: Annotated[str | None, typer.Option(help="The reason, for the trace; needed to erase.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Agree beforehand.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List who erased what, and why.")] = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Destroy the kept content of calls and the salts of its hashes, for ever. The records stay, and stay whole.

    A running gateway need not stop. Copies are not reached: backups, exports, stored answers in a gateway's memory.

    Examples:
      tierwise erase --session case-4711 --dry-run
      tierwise erase --key alice --why "left the company" --yes
    """
    settings = config.load(file)
    if show:
        _list(asyncio.run(_erasures(settings)), as_json)
        return
    if decision is None and session is None and key is None:
        raise InvalidCall("say whose content: the id of a decision, --session or --key", param="ID")
    which, calls = asyncio.run(_found(settings, decision, session, key))
    if not dry_run:
        if why is None or not why.strip() or len(why) > MOST_WHY_CHARS:
            raise InvalidCall(f"--why: say why, in at most {MOST_WHY_CHARS} characters", param="--why")
        _agreed(f"{which}: destroy the content of {_calls(calls)} for ever?", yes=yes)
        calls = bootstrap.books(settings).eraser(person()).erase(which, why.strip())
    if as_json:
        print_json({"what": str(which), "calls": calls, "erased": not dry_run})
    else:
        print(f"{which}: content of {_calls(calls)} {'would be' if dry_run else 'was'} erased")


def kept(settings: config.Settings) -> str:
    """Say in a line what of calls is kept beside their records."""
    ledger, reach = settings.document.ledger, ceilings(settings.document.labels)
    if not ledger.keeps_content:
        return "nothing of requests and answers is kept, only records"
    told: dict[str, list[str]] = {}
    for label in Label:
        level = ledger.content_level(label)
        far = ledger.lies_on.rank > reach[label].rank
        what = f"only hashes, as the ledger is {ledger.lies_on}" if far and level != "none" else _TOLD[level]
        told.setdefault(what, []).append(label)
    life = ledger.content_keep or ledger.keep or (f"{ledger.retention_days}d" if ledger.retention_days else "ever")
    return "; ".join(f"{', '.join(labels)}: {what}" for what, labels in told.items()) + f"; for {life}"


def shown(decision: Decision, contents: Contents | None) -> Iterator[str]:
    """Tell the content of a call as far as it is kept, and whether it is what the record was made over."""
    record = decision.content or None
    if record is None:
        yield "Content: none was to be kept of this call"
        return
    request, answer = (None, None) if contents is None else (contents.request, contents.answer)
    for name, committed, data in (("request", record.request, request), ("answer", record.answer, answer)):
        yield f"Content, {name}: {_side(committed, contents, data)}"
        if data is not None:
            yield _printable(data.decode("utf-8", "replace"))


def _side(committed: Committed | None, contents: Contents | None, data: bytes | None) -> str:
    if committed is None:
        return "there was none"
    told = f"{committed.kept}, {committed.size_bytes} bytes" + (", cut" if committed.truncated else "")
    told += f" ({committed.why})" if committed.why else ""
    if committed.kept == "none":
        return told
    if contents is None:
        return f"{told}; it was erased, or is too old"
    if data is None:
        return f"{told}; sha256 {committed.sha256} of the salt {contents.salt.hex()} and the bytes"
    fits = agrees(committed, contents.salt, data)
    return f"{told}; {'it is what was recorded' if fits else 'IT IS NOT WHAT WAS RECORDED'}"


def _printable(text: str) -> str:
    """Return text that does nothing to a terminal."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in text
    )


async def _found(
    settings: config.Settings, decision: str | None, session: str | None, key: str | None
) -> tuple[Which, int]:
    """Return whose content is meant, with the decision's whole id, and of how many calls there is any."""
    async with bootstrap.reading(settings) as history:
        ident = None if decision is None else (await found_in(history, decision)).id
        which = Which(id=ident, session=session, key_id=key)
        return which, 0 if history is None else await history.kept(which)


async def _erasures(settings: config.Settings) -> list[Erasure]:
    async with bootstrap.reading(settings) as history:
        return [] if history is None else await history.erasures()


def _list(rows: list[Erasure], as_json: bool) -> None:
    if as_json:
        print_json(rows)
    elif not rows:
        say("Nothing was ever erased here.")
    else:
        told = [(utc(row.ts), row.who, row.what, str(row.calls), row.why) for row in rows]
        print(table(("when (UTC)", "by", "what", "calls", "why"), told))


def _agreed(question: str, *, yes: bool) -> None:
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty() or not typer.confirm(question, err=True):
        raise ConfigError("nothing was erased: agree at the prompt, or say --yes", key="--yes")


def _calls(number: int) -> str:
    return f"{number} call" if number == 1 else f"{number} calls"
