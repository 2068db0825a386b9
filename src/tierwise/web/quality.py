"""Did quality hold, where anybody looked? What people said of each workflow's answers, and what is certified.

Reads what was said beside the records, never content. Invariant: what nobody judged has no figure.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tierwise.ledger.protocol import Reader
from tierwise.ledger.remarks import Remark
from tierwise.web.site import Site

MOST_SAID = 5_000
MONTH_S = 30 * 86_400


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow: how many of its answers were judged, how right they were as a mean of 0 to 1, None where nobody
    judged; `certificate` is `in force`, `void` or empty, `void` why."""

    workflow: str
    judged: int = 0
    mean: float | None = None
    certificate: str = ""
    void: tuple[str, ...] = ()


def routes(site: Site) -> list[Route]:
    """Return the part of the overview."""

    async def part(request: Request) -> Response:
        given = request.query_params.get("seconds", "")
        seconds = min(int(given), MONTH_S) if given.isdecimal() and len(given) < 9 else MONTH_S
        wanted = request.query_params.get("workflow", "")

        async def values() -> dict[str, Any]:
            async with site.reading() as ledger:
                said = [] if ledger is None else await remarks(ledger, time.time() - seconds)
            flows = await asyncio.to_thread(site.index.workflows_of, [one.decision for one in said])
            status = await site.gateway(request).status() or {}
            rows = held(said, flows, status.get("workflows", ()))
            rows = [row for row in rows if wanted in ("", row.workflow)]
            return {"rows": rows, "more": len(said) >= MOST_SAID, "most": MOST_SAID}

        return site.slow("quality", values())

    return [Route("/ui/quality", part)]


def asked(seconds: int, workflow: str) -> str:
    """Return the part's address."""
    return f"/ui/quality?{urlencode({'seconds': seconds, 'workflow': workflow})}"


async def remarks(ledger: Reader, since_ts: float) -> list[Remark]:
    """Return what was said since then, at most so much."""
    found: list[Remark] = []
    while len(found) < MOST_SAID and (page := await ledger.remarks_after(found[-1].seq if found else 0, since_ts)):
        found += page
    return found[:MOST_SAID]


def held(said: Sequence[Remark], flows: Mapping[str, str], configured: Sequence[Mapping[str, Any]]) -> list[Held]:
    """Return a row for each workflow that was judged or has a certificate; of each who speaks the last word counts."""
    last = {(one.decision, one.what, one.who): one for one in said}
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in last.values():
        if one.decision in flows:
            scores[flows[one.decision]][one.decision].append(one.score)
    certified = {row["name"]: row for row in configured if row["certificate"]}
    return [
        _held(name, scores.get(name, {}), certified.get(name)) for name in sorted({*scores, *certified})
    ]  # fmt: skip


def _held(name: str, scores: Mapping[str, Sequence[float]], certified: Mapping[str, Any] | None) -> Held:
    means = [sum(one) / len(one) for one in scores.values()]
    void = tuple(certified["void"]) if certified else ()
    return Held(
        workflow=name,
        judged=len(means),
        mean=sum(means) / len(means) if means else None,
        certificate="" if certified is None else "void" if void else "in force",
        void=void,
    )
