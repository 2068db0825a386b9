"""What does the playground show? Who can be asked, and what became of votes; asking is done by its script.

The script asks the gateway itself, under `/ui/v1/`, as any client does. An item goes into a data set by the command
that does the same, on its standard input.
"""

import time
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tierwise.core.errors import InvalidCall, TierwiseError
from tierwise.core.label import Label
from tierwise.web import words
from tierwise.web.commands import shown
from tierwise.web.site import Site
from tierwise.web.votes import VOTE, tally

MOST_COLUMNS = 4
VOTES_DAYS = 90
Status = dict[str, Any]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What a column may ask: `models` are those that may answer, None where the gateway chooses among all."""

    name: str
    told: str
    models: tuple[str, ...]


def routes(site: Site) -> list[Route]:
    """Return the page, the votes, and how an answer is kept as a test case."""

    async def page(request: Request) -> Response:
        status = await site.gateway(request).status()
        groups = choices(status or {})
        query = request.query_params
        return site.page(
            request, "playground", status=status, groups=groups, labels=[one.value for one in Label],
            workflows=[one["name"] for one in (status or {}).get("workflows", ())],
            known={
                "columns": columns(groups, query.getlist("with")), "most": MOST_COLUMNS, "vote": VOTE,
                "choices": {one.name: one.models for group in groups.values() for one in group},
                "abilities": {one["id"]: one["capabilities"] for one in (status or {}).get("models", ())},
                "tiers": words.TIERS, "most_bytes": site.configured.max_body_bytes,
            },
        )  # fmt: skip

    async def votes(request: Request) -> Response:
        async with site.reading() as ledger:
            found = None if ledger is None else await tally(ledger, time.time() - VOTES_DAYS * 86_400)
        return site.part("votes", tally=found, days=VOTES_DAYS)

    async def keep(request: Request) -> Response:
        fields = await site.form(request)
        command, given = keeping(fields.get("workflow", ""), fields.get("item", ""))
        gateway = site.gateway(request)
        try:
            _known(await gateway.status(), command[-1])
            made = await site.commands.answer(command, gateway.key, given=given)
            return site.part("kept", made=made, line=shown(command, given), problem="")
        except TierwiseError as error:
            return site.part("kept", made=None, line=shown(command, given), problem=str(error))

    return [
        Route("/ui/playground", page),
        Route("/ui/playground/votes", votes),
        Route("/ui/playground/keep", keep, methods=["POST"]),
    ]


def choices(status: Status) -> dict[str, list[Choice]]:
    """Return what a column may ask, in groups: not what makes embeddings only, nor `auto` where no model is general."""
    talking = [one for one in status.get("models", ()) if "embeddings" not in one["capabilities"]]
    every = tuple(one["id"] for one in talking)
    general = tuple(one["id"] for one in talking if not one["tasks"])
    tiers = [name for name in words.TIERS if any(one["tier"] == name for one in talking)]
    found = {
        "Tierwise chooses": [Choice(name="auto", told="auto", models=general)] if general or not every else [],
        "A workflow's route": [
            Choice(name=f"auto:{one['name']}", told=f"auto:{one['name']}", models=tuple(one["candidates"]) or every)
            for one in status.get("workflows", ())
        ],
        "A tier": [
            Choice(
                name=f"tier:{name}", told=f"tier:{name}",
                models=tuple(one["id"] for one in talking if one["tier"] == name),
            )
            for name in tiers
        ],
        "A model": [
            Choice(name=one["id"], told=f"{one['id']} ({words.TIERS[one['tier']]})", models=(one["id"],))
            for one in talking
        ],
    }  # fmt: skip
    return {title: group for title, group in found.items() if group}


def columns(groups: dict[str, list[Choice]], wanted: list[str]) -> list[str]:
    """Return what the columns ask at first: what the address wants, else the route beside one model."""
    known = [one.name for group in groups.values() for one in group]
    picked = [name for name in wanted if name in known][:MOST_COLUMNS]
    routes = [*groups.get("Tierwise chooses", ()), *groups.get("A workflow's route", ())]
    return picked or [one.name for one in (*routes[:1], *groups.get("A model", ())[:1])]


def _known(status: Status | None, workflow: str) -> None:
    """Raise InvalidCall for what is no workflow: the command would write to any file of that name."""
    if workflow not in [one["name"] for one in (status or {}).get("workflows", ())]:
        raise InvalidCall(f"there is no workflow {workflow[:80]!r} in the configuration", param="workflow", status=404)


def keeping(workflow: str, item: str) -> tuple[tuple[str, ...], str]:
    """Return the command that adds an item to a workflow's data, and what it reads. Raises InvalidCall for no item."""
    try:
        told = msgspec.json.decode(item)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidCall("the test case is no JSON; load the page again") from error
    if not workflow or not isinstance(told, dict):
        raise InvalidCall("say which workflow the test case is for")
    return ("dataset", "add", "--item", "-", "--", workflow), msgspec.json.encode(told).decode()
