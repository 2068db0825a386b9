"""What do people say of a workflow's answers, and which answers wait for them? Counts, and a page to judge them on.

What is shown of a call is what the ledger keeps of it. Invariant: a word is said through the gateway, by whoever looks;
the signed record stays as it is.
"""

import time
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tierwise.core.errors import InvalidCall
from tierwise.evals.awaiting import LONGEST_S, MOST_WAITING, awaiting
from tierwise.ledger.protocol import Reader
from tierwise.ledger.queries import Filter
from tierwise.web.site import Site

LOOKED_BACK_S = 30 * 86_400
MOST_SAID = 2_000


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of a workflow's answers in 30 days: how often, and how right they were, as the mean score.

    `most` is true where there was more than is read.
    """

    feedback: int = 0
    reviews: int = 0
    mean: float | None = None
    seconds: float | None = None
    most: bool = False


def routes(site: Site) -> list[Route]:
    """Return the counts and the page of judging."""
    place = "/ui/workflows/{name:path}"

    async def counted(request: Request) -> Response:
        name = request.path_params["name"]
        async with site.reading() as ledger:
            waiting = 0 if ledger is None else len(await awaiting(ledger, Filter(workflow=name)))
            heard = Said() if ledger is None else await said(ledger, name, time.time() - LOOKED_BACK_S)
        return site.part(
            "workflow_people", waiting=waiting, most=MOST_WAITING, said=heard, address=_address(name), workflow=name
        )

    async def judging(request: Request) -> Response:
        name, after = request.path_params["name"], request.query_params.get("after", "")
        which = Filter(workflow=name, after_seq=int(after) if after.isdecimal() and len(after) < 19 else 0)
        async with site.reading() as ledger:
            found = [] if ledger is None else await awaiting(ledger, which, 1)
        one = next(iter(found), None)
        closed = "" if one is None else await _closed(site, request, one.decision.id)
        return site.page(
            request, "workflow_review", one=one, closed=closed, workflow=name, address=_address(name),
            after=which.after_seq, began=time.time(),
        )  # fmt: skip

    async def judged(request: Request) -> Response:
        fields, name = await site.form(request), request.path_params["name"]
        word = {
            "decision": fields.get("decision", ""), "right": fields.get("word") == "right", "what": "review",
            "seconds": seconds(fields.get("began", ""), time.time()),
        }  # fmt: skip
        status, told = await site.gateway(request).post("/v1/feedback", word)
        if status != 200:
            why = told["error"]["message"] if told else "the gateway does not say why"
            raise InvalidCall(f"nothing is kept: {why}", status=status)
        after = fields.get("after", "0")
        return RedirectResponse(f"{_address(name)}/review?after={after if after.isdecimal() else 0}", 303)

    return [
        Route(f"{place}/people", counted),
        Route(f"{place}/review", judging),
        Route(f"{place}/review", judged, methods=["POST"]),
    ]


async def _closed(site: Site, request: Request, ident: str) -> str:
    """Say why whoever looks may not read what is kept of a call: the gateway knows up to which label a key may."""
    try:
        await site.gateway(request).decision(f"/v1/decisions/{ident}?content=1")
    except InvalidCall as refused:
        return str(refused)
    return ""


async def said(ledger: Reader, workflow: str, since_ts: float) -> Said:
    """Count what was said of a workflow since this time."""
    scores, seconds, seen, reviews = [], [], 0, 0
    after = 0
    while seen < MOST_SAID and (page := await ledger.remarks_after(after, since_ts)):
        after, seen = page[-1].seq, seen + len(page)
        for one in page:
            meant = await ledger.get(one.decision)
            if meant is not None and meant.workflow == workflow:
                scores.append(one.score)
                seconds += [] if one.seconds is None else [one.seconds]
                reviews += one.what == "review"
    return Said(
        feedback=len(scores) - reviews, reviews=reviews, mean=_mean(scores), seconds=_mean(seconds),
        most=seen >= MOST_SAID,
    )  # fmt: skip


def seconds(began: str, now: float) -> float:
    """Return how long judging took since the page was drawn; who takes very long was away."""
    try:
        took = now - float(began)
    except ValueError:
        return 0.0
    return round(min(took, LONGEST_S), 3) if took > 0 else 0.0


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _address(name: str) -> str:
    return f"/ui/workflows/{quote(name, safe='')}"
