"""The command `tierwise serve`: the gateway."""

import gc
import os
import sys
from typing import Annotated

import typer

from tierwise import bootstrap, config, installation, surroundings
from tierwise.cli.options import ConfigFile, Frontier, Json, print_json, say
from tierwise.cli.released import overruled
from tierwise.core.label import Tier
from tierwise.registry.catalog import unpriced


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = None,
    file: ConfigFile = None,
    frontier: Frontier = False,
    as_json: Json = False,
) -> None:
    """Start the gateway. Ctrl-C stops it after what is under way; a second Ctrl-C at once.

    With --json its address, process id and ledger stand on stdout as soon as it listens.

    Examples:
      tierwise serve
      tierwise serve --port 7474 --config tierwise.toml
    """
    settings = config.load(file, flags={"server.host": host, "server.port": port, "frontier": frontier})
    if settings.document.server.refuse_unknown_pth:
        installation.refuse_strays(settings.document.server.known_pth)
    bootstrap.run(_serve(settings, as_json=as_json))


async def _serve(settings: config.Settings, *, as_json: bool) -> None:
    from tierwise.server.run import serve as listen

    found, words = await surroundings.looked_around_told(settings)
    for line in words:
        say(f"  found  {line}")
    async with bootstrap.opened(found) as wired:
        server = found.document.server

        def ready(host: str, port: int) -> None:
            _hello(wired, host, port, keyed=keyed)
            if as_json:
                print_json({"url": f"http://{host}:{port}/v1", "pid": os.getpid(), "ledger": found.ledger_name})
                sys.stdout.flush()
            # What is wired lives as long as the process; looking at it again and again costs each request.
            gc.collect()
            gc.freeze()
            gc.set_threshold(20_000, 20, 20)

        app = bootstrap.application(wired)
        keyed = await app.keyed()
        await listen(app, server, keyed=keyed, ready=ready)
    say("stopped")


def _hello(wired: bootstrap.Wired, host: str, port: int, *, keyed: bool) -> None:
    catalog = wired.rules.catalog
    say(f"Tierwise listens on http://{host}:{port}, ledger {wired.settings.ledger_name}")
    refused = {model.id for model in unpriced(catalog)}
    usable = [m for m in catalog.models.values() if m.endpoint not in catalog.unusable and m.id not in refused]
    for tier in Tier:
        there = [m.id for m in usable if catalog.endpoints[m.endpoint].tier is tier]
        say(f"  {tier:12} {', '.join(there) or 'nothing'}")
    if told := overruled(wired.settings):
        say(f"  policy       {told}")
    for name, why in catalog.unusable.items():
        if "switched off" not in why:
            say(f"  not usable   endpoint {name}: {why}")
    if refused:
        say(f"  not usable   {', '.join(sorted(refused))}: outside, and refused as long as no price is known")
    if all(m.tasks for m in usable):
        say("  No general model yet: `auto` needs Ollama or LM Studio running, a GGUF, or a key (`tierwise init`).")
    say("Point a client here:")
    say(f"  export OPENAI_BASE_URL=http://{host}:{port}/v1")
    say(f"  export OPENAI_API_KEY={'YOUR_KEY' if keyed else 'unused'}")
    say("Or a tool: `tierwise launch claude`; codex, opencode, llm and others alike")
    say(f"In a browser: http://{host}:{port}/")
    say("Stop with Ctrl-C.")
