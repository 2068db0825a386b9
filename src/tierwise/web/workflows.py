"""What do the pages of workflows show? How far each is, what was measured and decided, and the commands as buttons.

Reads what is kept; what only a command knows is asked of it, after the page is there.
Invariant: nothing is changed here but by a command, whose line was shown before.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tierwise.core.certificate import Certificate
from tierwise.core.criteria import Criteria
from tierwise.core.errors import InvalidCall, TierwiseError
from tierwise.evals import amounts, certificates, lines
from tierwise.evals.card import Card
from tierwise.ledger.releases import Release, of_workflow
from tierwise.web import actions, charts, comparisons, people
from tierwise.web.actions import ACTIONS, Action, Choices
from tierwise.web.charts import Band
from tierwise.web.commands import shown
from tierwise.web.comparisons import Comparison, Comparisons, Here
from tierwise.web.index import Index, Sums
from tierwise.web.runs import started
from tierwise.web.site import Site
from tierwise.web.stage import NAMES, Stage, stage

LOOKED_BACK_S = 30 * 86_400
MOST_RELEASES = 50
PLACE = "/ui/workflows"


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that is kept. `named` in the workflow; else `enter` are the lines that do so."""

    digest: str
    certificate: Certificate | None = None
    named: bool = False
    void: tuple[str, ...] = ()
    enter: tuple[str, ...] = ()
    problem: str = ""


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow. `now` is how the gateway has it; `found` are its comparisons, the newest first."""

    now: dict[str, Any]
    stage: Stage
    sums: Sums
    found: list[Comparison]
    proof: Proof | None = None
    releases: tuple[Release, ...] = ()

    @property
    def name(self) -> str:
        """Return the workflow's name."""
        return str(self.now["name"])

    @property
    def drifted(self) -> bool:
        """True where what answers no longer lies as it did when it was certified."""
        return any("drift" in why for why in self.now["void"])

    @property
    def awaited(self) -> int | None:
        """Return the release that the gateway has still to take up."""
        newest = next(iter(self.releases), None)
        if newest is None or (newest.number if newest.body is not None else None) == self.now["release"]:
            return None
        return newest.number

    @property
    def newest(self) -> Comparison | None:
        """Return the newest comparison."""
        return next(iter(self.found), None)

    @property
    def reported(self) -> bool:
        """True where a report is kept."""
        return any(one.report for one in self.found)

    @property
    def decided(self) -> Comparison | None:
        """Return the newest comparison on which a verdict is kept."""
        return comparisons.decided(self.found)


def routes(site: Site) -> list[Route]:
    """Return the list, one workflow, its parts, its commands, and its review."""
    kept = Comparisons(site.home)

    async def listed(request: Request) -> Response:
        status = await _status(site, request)
        flows = [
            await asyncio.to_thread(flow, site.index, kept, row, time.time(), most=3) for row in status["workflows"]
        ]
        return site.page(
            request, "workflows", flows=flows, models=status["models"], stages=NAMES, address=_address, lines=lines
        )

    async def one(request: Request) -> Response:
        status = await _status(site, request)
        row = _row(status, request)
        found = await asyncio.to_thread(flow, site.index, kept, row, time.time())
        proof = await asyncio.to_thread(proof_of, site, row)
        found = msgspec.structs.replace(found, proof=proof, releases=await _releases(site, found.name))
        return site.page(
            request, "workflow", flow=found, asked=asked(_criteria(row)), address=_address,
            runs=[run for run in site.commands.runs if run.back == _address(found.name)][:5],
            offered=_offered(found), forms=_forms(_choices(status, kept, found.name)),
            told=_verdict(found), amounts=amounts, lines=lines,
        )  # fmt: skip

    async def data(request: Request) -> Response:
        name = _row(await _status(site, request), request)["name"]  # the command would read any file of this name
        return _told(site, "workflow_data", "dataset", "report", "--", name)

    async def trial(request: Request) -> Response:
        name = _row(await _status(site, request), request)["name"]
        return _told(site, "workflow_trial", "rollout", "status", "--", name, plot=_arms)

    async def line(request: Request) -> Response:
        status = await _status(site, request)
        choices = _choices(status, kept, _row(status, request)["name"])
        try:
            told = {"line": shown(actions.words(_action(request), request.query_params, choices))}
        except InvalidCall as error:
            told = {"problem": str(error)}
        return JSONResponse(told, headers={"cache-control": "no-store"})

    async def act(request: Request) -> Response:
        fields = await site.form(request)
        status, action = await _status(site, request), _action(request)
        name = _row(status, request)["name"]
        words = actions.words(action, fields, _choices(status, kept, name))
        if action.warns and fields.get("sure") != "on":
            return site.page(
                request,
                "workflow_sure",
                action=action,
                workflow=name,
                fields=fields,
                line=shown(words),
                address=_address,
            )
        return started(site, request, words, _address(name))

    return [
        Route(PLACE, listed),
        Route(f"{PLACE}/{{name:path}}/act/{{action}}/line", line),
        Route(f"{PLACE}/{{name:path}}/act/{{action}}", act, methods=["POST"]),
        Route(f"{PLACE}/{{name:path}}/data", data),
        Route(f"{PLACE}/{{name:path}}/trial", trial),
        *people.routes(site),
        Route(f"{PLACE}/{{name:path}}", one),
    ]


def flow(index: Index, kept: Comparisons, row: dict[str, Any], now: float, most: int = comparisons.MOST) -> Flow:
    """Look at a workflow, of which `row` is what the gateway says."""
    name = row["name"]
    found = kept.of(name, most)
    decided = comparisons.decided(found)
    sums = next(iter(index.sums("all", now - LOOKED_BACK_S, name)), Sums(name=name))
    return Flow(
        now=row, found=found, sums=sums,
        stage=stage(
            verdict=decided.card.verdict if decided is not None and decided.card is not None else None,
            certificate=row["certificate"], void=row["void"], trial=bool(row["canary"] or row["shadow"]),
            used=in_use(row, None if decided is None else decided.card), calls=sums.calls,
        ),
    )  # fmt: skip


def in_use(row: Mapping[str, Any], card: Card | None) -> bool:
    """Say whether the choice of a verdict answers: first, alone, or declared sufficient. One with a threshold needs a
    certificate."""
    choice = None if card is None else next((one for one in card.options if one.name == card.choice), None)
    if choice is None or choice.behind is not None:
        return False
    answering = (f"auto:{row['name']}", row["first"], *row["trusted"])
    return choice.model in answering or list(row["candidates"]) == [choice.model]


def proof_of(site: Site, row: Mapping[str, Any]) -> Proof | None:
    """Return the certificate that the workflow names, else the newest that is kept for it."""
    digest = row["certificate"] or comparisons.certified(site.home, row["name"])
    if digest is None:
        return None
    named = row["certificate"] is not None
    try:
        found = certificates.read(Here(home=site.home), digest)
    except TierwiseError as error:
        return Proof(digest=digest, named=named, problem=str(error))
    return Proof(
        digest=digest, certificate=found, named=named, void=tuple(row["void"]),
        enter=() if named else entered(digest, found, row["candidates"]),
    )  # fmt: skip


def entered(digest: str, found: Certificate, candidates: Sequence[str]) -> tuple[str, ...]:
    """Return the lines of `[[workflow]]` that put a certificate in force, and pass on what is not kept."""
    told = [f'certificate = "{digest}"']
    if candidates and found.baseline not in candidates:
        steps = [one.model for one in found.accepts if one.threshold is not None]
        wanted = dict.fromkeys((*steps, found.baseline))
        told.append(f"candidates = {msgspec.json.encode(list(wanted)).decode().replace(',', ', ')}")
    return tuple(told)


def asked(criteria: Criteria) -> list[tuple[str, str]]:
    """Say what is asked of a candidate, each gate with its limit."""
    points = f"{100 * criteria.margin:g} points"
    unset = "nothing is asked"
    latency, at_once = criteria.max_latency_ms_p95, f"{criteria.concurrency} at once"
    cost, minutes = criteria.max_cost_per_accepted_usd, criteria.max_review_minutes_per_100
    return [
        ("Quality", f"at most {points} below the baseline, {criteria.confidence:.0%} sure, on {criteria.min_items:,} "
                    "items or more"),
        ("Certificate", lines.promise(criteria)),
        ("Missing answers", f"at most {100 * criteria.max_missing:g} of 100 calls"),
        ("Latency", unset if latency is None else f"95 of 100 within {latency:,.0f} ms, {at_once}"),
        ("Cost of an accepted task", unset if cost is None else f"at most {amounts.usd(float(cost))}"),
        ("Review", unset if minutes is None else f"at most {minutes:g} minutes for 100 tasks"),
        ("A wrong answer that was accepted", f"costs {amounts.usd(float(criteria.error_cost_usd))}"),
    ]  # fmt: skip


def _verdict(one: Flow) -> dict[str, Any]:
    """Return what a verdict is drawn of, beside its card."""
    card = None if one.decided is None else one.decided.card
    if card is None:
        return {}
    lists = (
        ("Why", card.reasons), ("What to change", card.adjust),
        ("What would turn it", tuple(map(amounts.flip_line, card.flips))),
        ("What to measure next", tuple(map(lines.following, card.next))),
        ("To use it", tuple(lines.use(card))), ("To know", (*card.notes, *lines.edits(card))),
    )  # fmt: skip
    return {"plot": _differences(card), "lists": lists}


def _differences(card: Card) -> Markup:
    """Draw each way's difference to the baseline, beside the margin."""
    bands = []
    for one in card.options:
        seen = one.quality.difference
        state = next((gate.state for gate in one.gates if gate.name == "quality"), "open")
        kind = {"passed": "good", "failed": "bad"}.get(state, "")
        if seen is not None and seen.low is not None and seen.high is not None:
            bands.append(Band(name=one.name, low=seen.low, high=seen.high, value=seen.value, kind=kind))
    told = "; ".join(f"{one.name} {amounts.point_estimate(one.quality.difference)}" for one in card.options)
    rules = {"margin": -card.criteria.margin}
    title = "Points to the baseline"
    return charts.intervals(title, told, bands, rules, amounts.points) if bands else Markup("")


def _arms(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a trial's part is drawn of: its state, and the difference of both arms by each measure."""
    state = found[0]
    compared = [one for one in (state["trial"] or {}).get("compared", ()) if one["canary"]["n"] or one["stable"]["n"]]
    margin = ((state["canary"] or {}).get("limits") or {}).get("margin", 0.0)
    bands = [
        Band(
            name=one["measure"], low=one["low"], high=one["high"],
            kind="bad" if one["low"] > margin else "good" if one["high"] < margin else "",
        )
        for one in compared
    ]  # fmt: skip
    told = "; ".join(f"{one.name} {one.low:+.3f} to {one.high:+.3f}" for one in bands)
    title = "Share of bad calls, canary less the others"
    drawn = charts.intervals(title, told, bands, {"margin": margin}, lambda x: f"{x:+.2g}") if bands else ""
    return {"state": state, "compared": compared, "plot": drawn}


def _told(site: Site, part: str, *words: str, plot: Any = None) -> Response:
    """Draw a part of what a command answers; where it does not, its last words."""

    async def values() -> dict[str, Any]:
        found = await site.commands.answer(words)
        return {"line": shown(words)} | ({"found": found} if plot is None else plot(found))

    return site.slow(part, values(), line=shown(words))


async def _status(site: Site, request: Request) -> dict[str, Any]:
    found = await site.gateway(request).status()
    if found is None:
        raise InvalidCall("the gateway does not say how it is; load the page again", status=503)
    return found


def _row(status: Mapping[str, Any], request: Request) -> dict[str, Any]:
    name = request.path_params["name"]
    row: dict[str, Any] | None = next((one for one in status["workflows"] if one["name"] == name), None)
    if row is None:
        raise InvalidCall("there is no workflow of that name in the configuration", status=404)
    return row


def _criteria(row: Mapping[str, Any]) -> Criteria:
    return Criteria() if row["criteria"] is None else msgspec.convert(row["criteria"], Criteria)


def _action(request: Request) -> Action:
    action = ACTIONS.get(request.path_params["action"])
    if action is None:
        raise InvalidCall("there is no such command here", status=404)
    return action


def _choices(status: Mapping[str, Any], kept: Comparisons, name: str) -> Choices:
    return Choices(workflow=name, models=tuple(one["id"] for one in status["models"]), runs=kept.names(name))


def _forms(choices: Choices) -> dict[str, dict[str, Any]]:
    """Return for each action what its form is drawn of: the fields with what they can be, and the usual line."""
    found = {}
    for action in ACTIONS.values():
        usual = actions.usual(action, choices)
        needed = [field for field in action.fields if field.required and field.kind == "text"]
        line = shown(actions.words(action, usual | {field.name: "…" for field in needed}, choices))
        fields = [(field, choices.of(field), usual.get(field.name, "")) for field in action.fields]
        found[action.name] = {"action": action, "fields": fields, "line": line}
    return found


def _offered(one: Flow) -> set[str]:
    """Say which commands can do something now."""
    newest, now = one.newest, one.now
    found = {"compare", "start"}
    found |= {"resume"} if newest is not None and not newest.whole and not newest.problem else set()
    found |= {"decide", "certify"} if newest is not None and newest.done else set()
    found |= {"promote"} if now["canary"] else set()
    found |= {"stop"} if now["canary"] or now["shadow"] else set()
    return found | ({"rollback"} if one.releases else set())


async def _releases(site: Site, name: str) -> tuple[Release, ...]:
    async with site.reading() as ledger:
        return () if ledger is None else tuple((await ledger.releases(of_workflow(name)))[:MOST_RELEASES])


def _address(name: str) -> str:
    return f"{PLACE}/{quote(name, safe='')}"
