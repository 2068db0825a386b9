"""What do the list of decisions and one decision show? Filters, rows, and a record told in the order of the call.

Invariant: nothing is told that the record does not say.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tierwise.core.decision import AttemptRecord, Decision, of_policy
from tierwise.core.errors import InvalidCall
from tierwise.core.label import Label
from tierwise.ledger.encode import encode_decision
from tierwise.web import replayed, way, words
from tierwise.web.index import FILTERS, CallRow, Index
from tierwise.web.site import Site

KEEP_ALIVE_S = 15.0
PAGE = 50
LONGEST = 200


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is narrowed to; `before` is a call's number, of the page before. `since` and `until` are UTC."""

    where: dict[str, str] = {}
    text: str = ""
    about: str = ""
    since: str = ""
    until: str = ""
    before: int | None = None

    @property
    def narrowed(self) -> bool:
        """Say whether it is narrowed at all."""
        return bool(self.where or self.text or self.about or self.since or self.until)

    @property
    def span(self) -> tuple[float | None, float | None]:
        """The Unix times between which calls came."""
        return _moment(self.since), _moment(self.until)

    def link(self, **changed: str | int | None) -> str:
        """Return the query of this list with something changed; None takes it away."""
        own = {name: getattr(self, name) for name in ("text", "about", "since", "until")}
        query: dict[str, Any] = {**self.where, **own, "before": None, **changed}
        return urlencode({name: value for name, value in query.items() if value not in (None, "")})


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a list. `older` is the query of the next page, empty where there is none."""

    rows: list[CallRow]
    older: str
    choices: dict[str, list[str]]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One station of a call's path, in words. `kind` is how it went: well, badly, or neither."""

    title: str
    value: str
    detail: str = ""
    kind: str = ""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as a bar: where it begins and how long it is, as shares of the whole in percent; how it went."""

    record: AttemptRecord
    begin: float
    long: float
    kind: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One decision, told."""

    decision: Decision
    path: list[Step]
    picture: Markup
    attempts: list[Tried]
    record: str
    curl: str


def routes(site: Site) -> list[Route]:
    """Return the list, what is new in it, one decision, and its record."""

    async def page(request: Request) -> Response:
        wanted = asked(request.query_params)
        found = await asyncio.to_thread(listed, site.index, wanted)
        return site.page(request, "decisions", listed=found, asked=wanted)

    async def live(request: Request) -> Response:
        events = _events(site, asked(request.query_params))
        return StreamingResponse(events, media_type="text/event-stream", headers={"cache-control": "no-store"})

    async def one(request: Request) -> Response:
        return site.page(request, "decision", told=told(await _found(site, request)))

    async def again(request: Request) -> Response:
        before = await _found(site, request)
        now = await site.gateway(request).decision(f"/v1/decisions/{before.id}?replay=1")
        return site.page(request, "replayed", before=before, now=now, found=replayed.compared(before, now))

    async def record(request: Request) -> Response:
        body = msgspec.json.format(msgspec.json.encode(await _found(site, request)), indent=2)
        return Response(body, media_type="application/json", headers={"cache-control": "no-store"})

    return [
        Route("/ui/decisions", page),
        Route("/ui/decisions/live", live),
        Route("/ui/decisions/{ident}", one),
        Route("/ui/decisions/{ident}/replay", again),
        Route("/ui/decisions/{ident}/record.json", record),
    ]


async def _events(site: Site, wanted: Asked) -> AsyncIterator[bytes]:
    with site.follower.watched() as queue:
        yield b": listening\n\n"
        while True:
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    row = await queue.get()
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if fits(row, wanted):
                html = site.shell.part("decision_row", row=row)
                yield b"id: %d\ndata: %b\n\n" % (row.seq, msgspec.json.encode(html))


async def _found(site: Site, request: Request) -> Decision:
    """Return the record that is asked for. Raises InvalidCall."""
    found = None
    async with site.reading() as ledger:
        with contextlib.suppress(InvalidCall):  # what is no id names no decision
            found = None if ledger is None else await ledger.get(request.path_params["ident"])
    if found is None:
        raise InvalidCall("there is no such decision", status=404)
    return found


def asked(query: Mapping[str, str]) -> Asked:
    """Read what is asked of a list; what cannot be read is left out."""
    where = {name: query[name][:LONGEST] for name in FILTERS if query.get(name)}
    before = query.get("before", "")
    said = {name: query.get(name, "").strip()[:LONGEST] for name in ("text", "about", "since", "until")}
    times = {name: said[name] if _moment(said[name]) is not None else "" for name in ("since", "until")}
    number = int(before) if before.isdecimal() and len(before) < 19 else None
    return Asked(where=where, text=said["text"].lower(), about=said["about"], before=number, **times)


def _moment(text: str) -> float | None:
    """Read a date or a time of it, in UTC; None for what is neither."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def listed(index: Index, wanted: Asked) -> Listed:
    """Return a page of the list."""
    rows = index.calls(
        wanted.where, text=wanted.text, about=wanted.about, before=wanted.before, limit=PAGE + 1, span=wanted.span
    )
    more = len(rows) > PAGE
    rows = rows[:PAGE]
    return Listed(
        rows=rows,
        older=wanted.link(before=rows[-1].seq) if more else "",
        choices={
            "workflow": index.values("workflow"),
            "tier": [name for name in words.TIERS if name],
            "outcome": [name for name in words.OUTCOMES if name not in ("pending", "dry_run")],
            "model": index.values("model"),
            "label": [label.value for label in Label],
        },
    )


def fits(row: CallRow, wanted: Asked) -> bool:
    """Say whether a new call belongs into the list."""
    same = all(getattr(row, name) == value for name, value in wanted.where.items())
    begin, end = wanted.span
    then = (begin is None or row.ts >= begin) and (end is None or row.ts < end)
    said = wanted.about.lower() in row.reason.lower()
    return same and then and said and wanted.before is None and row.id.startswith(wanted.text)


def told(decision: Decision) -> Told:
    """Tell a decision."""
    record = msgspec.json.format(encode_decision(decision), indent=2).decode()
    path = _path(decision)
    spoken = ". ".join(f"{step.title}: {step.value}{f' ({step.detail})' if step.detail else ''}" for step in path)
    return Told(
        decision=decision, path=path, picture=way.picture(decision, spoken), attempts=_timed(decision), record=record,
        curl=_curl(decision),
    )  # fmt: skip


def _path(decision: Decision) -> list[Step]:
    features = decision.features
    stopped = [one for one in decision.candidates if not one.allowed]
    policy = [one for one in stopped if of_policy(one.excluded_by)]
    size = f"about {features.input_tokens_est:,} tokens" + (", streamed" if features.stream else "")
    found = [
        Step(title="Asked", value=decision.requested_model or "auto", detail=f"{decision.caller_wire}; {size}"),
        Step(
            title="Label", value=decision.label.value.value,
            detail=", ".join(dict.fromkeys(words.source(one.source) for one in decision.label.sources)) or "default",
        ),
        Step(
            title="Policy", value=f"{len(decision.candidates) - len(policy)} of {len(decision.candidates)} may",
            detail="; ".join(map(words.duty, decision.obligations)) or "nothing more is asked of who answers",
            kind="bad" if policy else "",
        ),
        Step(
            title="Router", value=decision.chosen or "nobody", detail=decision.strategy or "",
            kind="" if decision.chosen else "bad",
        ),
    ]  # fmt: skip
    found += [
        Step(
            title=f"Attempt {number}", value=one.model,
            detail=f"{words.verdict(one.verdict)}{f': {one.error}' if one.error else ''}", kind=way.kind_of(one),
        )
        for number, one in enumerate(decision.attempts, 1)
    ]  # fmt: skip
    kind = {"answered": "good", "refused": "bad", "failed": "bad", "broken": "bad"}.get(decision.outcome, "")
    cost = "–" if decision.total_cost_usd is None else f"${decision.total_cost_usd.normalize():f}"
    found.append(Step(title="Outcome", value=words.OUTCOMES[decision.outcome], detail=f"cost {cost}", kind=kind))
    return found


def _timed(decision: Decision) -> list[Tried]:
    if not decision.attempts:
        return []
    begin = min(one.started for one in decision.attempts)
    ends = [one.started + (one.duration_ms or 0) / 1000 for one in decision.attempts]
    whole = max(max(ends) - begin, 1e-6)
    return [
        Tried(
            record=one, begin=100 * (one.started - begin) / whole, kind=way.kind_of(one),
            long=max(0.5, 100 * ((one.duration_ms or 0) / 1000) / whole),
        )
        for one in decision.attempts
    ]  # fmt: skip


def _curl(decision: Decision) -> str:
    """Return a command that asks for the same route; the record holds no content, so the text is the reader's."""
    body = {"model": decision.requested_model or "auto", "messages": [{"role": "user", "content": "YOUR TEXT"}]}
    head = [f"x-tierwise-label: {decision.label.value.value}"]
    if decision.workflow:
        head.append(f"x-tierwise-workflow: {decision.workflow}")
    lines = ["curl $OPENAI_BASE_URL/route", "-H 'content-type: application/json'"]
    lines += [f"-H '{one}'" for one in head]
    text = msgspec.json.encode(body).decode().replace("'", "'\\''")
    lines.append(f"-d '{text}'")
    return " \\\n  ".join(lines)
