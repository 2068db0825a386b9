"""The command `tierwise declassify`: a person answers for a wrong pin, for a session or a text, for a time."""

import asyncio
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tierwise import bootstrap, config
from tierwise.cli.finding import found_in
from tierwise.cli.options import ConfigFile, Json, print_json, span_s, table
from tierwise.core.decision import Decision
from tierwise.core.declassified import Declassified
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.core.label import Label, highest
from tierwise.ledger.declassified import Declassifications, Ended
from tierwise.policy.detect import text_hash

MAX_SPAN_S = 30 * 86_400
_DETECTOR = "detector:"


def declassify(
    decision: Annotated[str | None, typer.Argument(metavar="[ID]", help="A decision of the pinned session.")] = None,
    text: Annotated[Path | None, typer.Option(help="A file with the text or the one line instead; - is stdin.")] = None,
    detector: Annotated[
        list[str] | None, typer.Option(help="Only this detector of the decision's; again for more.")
    ] = None,
    who: Annotated[str | None, typer.Option(help="Who answers for it; needed.")] = None,
    why: Annotated[str | None, typer.Option(help="The reason, for the audit; needed to declassify.")] = None,
    span: Annotated[str | None, typer.Option("--for", help="How long: 30m, 8h, 7d; at most 30d.")] = None,
    end: Annotated[str | None, typer.Option(metavar="ID", help="End this declassification now.")] = None,
    show: Annotated[bool, typer.Option("--list", help="List all that there ever were.")] = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Take back what detectors said of a session, or of a text, for a time; every call that it touches records it.

    What caller, workflow, default and other detectors say stays in force. A running gateway heeds it at once.

    Examples:
      tierwise declassify 01m7y10kz5d0 --who ada --why "order numbers" --for 8h
      tierwise declassify --list
    """
    settings = config.load(file)
    store = Declassifications(settings.declassified_path)
    if show:
        _tell(store.all(), as_json)
        return
    if not who or not who.strip():
        raise InvalidCall("--who: say who answers for it", param="--who")
    if end is not None:
        store.end(end, time.time(), who)
        print(f"Ended {end}.")
        return
    if not why or not why.strip():
        raise InvalidCall("--why: say why, for the audit", param="--why")
    if (decision is None) == (text is None):
        raise InvalidCall("give the id of a decision, or a text with --text", param="ID")
    now = time.time()
    one = Declassified(id=secrets.token_hex(6), made=now, until=now + _for_s(span), who=who.strip(), why=why.strip())
    if text is not None:
        one = _of_text(one, text)
    else:
        one = asyncio.run(_of_session(settings, one, str(decision), detector or []))
    store.add(one)
    if as_json:
        print_json(one)
    else:
        print(_told(one))


def _for_s(given: str | None) -> float:
    if given is None:
        raise InvalidCall("--for: say how long: 30m, 8h or 7d; a declassification always ends", param="--for")
    found = span_s(given, "--for")
    if not 0 < found <= MAX_SPAN_S:
        raise InvalidCall(f"--for {given}: more than nothing, and at most {MAX_SPAN_S // 86_400}d", param="--for")
    return found


def _of_text(one: Declassified, path: Path) -> Declassified:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--text {path}: {error}", key="--text") from error
    if not text.strip():
        raise InvalidCall(f"--text {path}: it is empty", param="--text")
    return _with(one, text_sha256=text_hash(text))


async def _of_session(settings: config.Settings, one: Declassified, ident: str, only: list[str]) -> Declassified:
    """Return it for the decision's session: without these detectors, but with all else that the session has carried."""
    async with bootstrap.reading(settings) as history:
        found = await found_in(history, ident)
        if history is None or found.session is None:
            raise InvalidCall(f"decision {found.id} belongs to no session: declassify its text with --text", param="ID")
        same = [past async for past in history.iterate() if _same_session(past, found)]
    named = _detectors(same)
    if unknown := sorted(set(only) - named):
        raise InvalidCall(f"--detector {unknown[0]}: it found nothing in this session", param="--detector")
    forgiven = tuple(sorted(set(only) or named))
    if not forgiven:
        raise InvalidCall("no detector has pinned this session: nothing to take back", param="ID")
    rest = highest(
        source.label
        for past in same
        for source in past.label.sources
        if source.source != "session" and source.source.removeprefix(_DETECTOR) not in forgiven
    )
    return _with(one, to=rest, key_id=found.key_id, session=found.session, detectors=forgiven, decision=found.id)


def _same_session(past: Decision, found: Decision) -> bool:
    return past.session == found.session and past.key_id == found.key_id


def _detectors(decisions: list[Decision]) -> set[str]:
    """Return which detectors pinned; text that could not be scanned is nothing that can be taken back."""
    sources = (source.source for past in decisions for source in past.label.sources)
    return {name.removeprefix(_DETECTOR) for name in sources if name.startswith(_DETECTOR)} - {"scan"}


def _with(one: Declassified, **changes: object) -> Declassified:
    import msgspec

    return msgspec.structs.replace(one, **changes)


def _told(one: Declassified) -> str:
    until = datetime.fromtimestamp(one.until, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if one.session is None:
        return f"Declassified {one.id}: this text, until {until}."
    rest = "" if one.to is Label.PUBLIC else f"; what else it has carried still asks for {one.to}"
    return f"Declassified {one.id}: {', '.join(one.detectors)} in session {one.session}, until {until}{rest}."


def _tell(rows: list[Ended], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    if not rows:
        print("Nothing was ever declassified here.")
        return
    print(table(("id", "state", "what", "by", "why"), [_row(row) for row in rows]))


def _row(row: Ended) -> tuple[str, ...]:
    one = row.declassified
    until = datetime.fromtimestamp(one.until, UTC).strftime("%m-%d %H:%M")
    state = (
        f"ended by {row.ended_by}"
        if row.ended is not None
        else "over"
        if one.until <= time.time()
        else f"until {until}"
    )
    what = f"text {one.text_sha256[:12]}" if one.text_sha256 else f"{', '.join(one.detectors)} in {one.session}"
    return (one.id, state, what, one.who, one.why)
