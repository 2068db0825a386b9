"""The command `tierwise route`: the decision without a model call."""

import asyncio
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from tierwise import config, running, surroundings
from tierwise.cli.calls import decoded, hints, request
from tierwise.cli.options import ConfigFile, Frontier, Json, print_json
from tierwise.core.call import Call
from tierwise.core.decision import Decision
from tierwise.core.errors import ConfigError


def route(
    text: Annotated[str | None, typer.Argument(help="The message; - reads it from standard input.")] = None,
    request_file: Annotated[Path | None, typer.Option("--request", help="A Chat Completions body as JSON.")] = None,
    model: Annotated[str, typer.Option(help="auto, auto:WORKFLOW, tier:TIER or a model's id.")] = "auto",
    workflow: Annotated[str | None, typer.Option(help="The workflow that the call belongs to.")] = None,
    label: Annotated[str | None, typer.Option(help="public, internal, confidential or restricted.")] = None,
    file: ConfigFile = None,
    frontier: Frontier = False,
    as_json: Json = False,
) -> int:
    """Say who would serve a call and why, without asking any model.

    Examples:
      tierwise route "my card was swallowed" --model auto:banking77
      tierwise route --request body.json
    """
    from tierwise.cli import telling
    from tierwise.cli.app import DONE, NOBODY

    if (text is None) == (request_file is None):
        raise ConfigError("give either a TEXT or --request FILE")
    settings = config.load(file, flags={"frontier": frontier})
    body = request_file.read_bytes() if request_file is not None else request(text or "", model)
    decision = asyncio.run(_decide(settings, decoded(body, hints(workflow, label))))
    if as_json:
        print_json(decision)
    else:
        print(telling.wrapped(telling.whole(decision)))
        print("No model was asked, and nothing was recorded.")
    return DONE if decision.chosen is not None else NOBODY


async def _decide(settings: config.Settings, call: Call) -> Decision:
    from tierwise import bootstrap
    from tierwise.cli.released import drifted, in_force

    found = await in_force(await surroundings.looked_around(settings))
    gateway = bootstrap.dry_gateway(found)
    gateway.facts.drifted = await drifted(found)
    if found.document.live.every_s:
        told = await running.capacities(found)
        for model, record in (told or {}).items():
            gateway.facts.live.heard(model, record, monotonic())
        if told is None:
            await bootstrap.looked(gateway)
    return gateway.route(call)
