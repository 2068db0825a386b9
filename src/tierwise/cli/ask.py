"""The command `tierwise ask`: one request through the gateway; the answer on stdout, the why on stderr."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tierwise import bootstrap, config, running, surroundings
from tierwise.cli import telling
from tierwise.cli.calls import decoded, hints, request
from tierwise.cli.options import ConfigFile, Frontier, Json, print_json, say
from tierwise.core.answer import Answer
from tierwise.core.call import Call
from tierwise.core.decision import Decision
from tierwise.core.errors import StoreError
from tierwise.wires import chat
from tierwise.wires.wire import Recipient


def ask(
    text: Annotated[str, typer.Argument(help="The message; - reads it from standard input.")],
    model: Annotated[str, typer.Option(help="auto, auto:WORKFLOW, tier:TIER or a model's id.")] = "auto",
    workflow: Annotated[str | None, typer.Option(help="The workflow that the call belongs to.")] = None,
    label: Annotated[str | None, typer.Option(help="public, internal, confidential or restricted.")] = None,
    session: Annotated[str | None, typer.Option(help="A session; it keeps its highest label.")] = None,
    schema: Annotated[Path | None, typer.Option(help="Ask for JSON that fits this schema.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Print the answer as it comes.")] = False,
    file: ConfigFile = None,
    frontier: Frontier = False,
    as_json: Json = False,
) -> None:
    """Send one request through the gateway.

    Beside a running server of the same ledger the request goes to that server;
    if that listens on a port of its own, set TIERWISE_SERVER_PORT.

    Examples:
      tierwise ask "my card was swallowed" --model auto:banking77
      tierwise ask - --label restricted < note
    """
    settings = config.load(file, flags={"frontier": frontier})
    body = request(text, model, schema=schema, stream=stream and not as_json)
    call = decoded(body, hints(workflow, label, session))
    answer, decision = bootstrap.run(_ask(settings, call))
    if as_json:
        print_json({"answer": answer, "decision": decision})
        return
    if not call.stream:
        print(answer)
    _why(decision)


async def _ask(settings: config.Settings, call: Call) -> tuple[str, Decision]:
    try:
        return await _ask_here(settings, call)
    except StoreError as error:
        if error.decision is not None:
            raise
        # The ledger has one writer: a server that runs already is asked instead.
        whole = chat.splice_request(call, Recipient(endpoint="", served_name=call.model, stream=False))
        served = await running.ask_server(settings, whole.body, call.hints)
        if served is None:
            raise
        text = _text(served[0])
        if call.stream:
            print(text)
        return text, served[1]


def _text(answer: Answer) -> str:
    choice = answer.choices[0]
    return choice.text or "\n".join(f"{tool.name}({tool.arguments})" for tool in choice.tool_calls)


async def _ask_here(settings: config.Settings, call: Call) -> tuple[str, Decision]:
    found = await surroundings.looked_around(settings)
    async with bootstrap.opened(found) as wired:
        reply = await wired.gateway.handle(call)
        if reply.answer is not None:
            return _text(reply.answer), reply.decision
        parts = []
        if reply.deltas is not None:
            async for delta in reply.deltas:
                for piece in delta.pieces:
                    parts.append(piece.text)
                    sys.stdout.write(piece.text)
                    sys.stdout.flush()
            sys.stdout.write("\n")
        await wired.gateway.aclose()
        recorded = await wired.ledger.get(reply.decision.id)
        return "".join(parts), recorded or reply.decision


def _why(decision: Decision) -> None:
    last = decision.attempts[-1]
    cost = "unmetered" if decision.total_cost_usd is None else f"${decision.total_cost_usd:f}"
    told = f"— {last.model} at {last.endpoint} ({last.tier}), label {decision.label.value}, cost {cost}"
    say(telling.wrapped(iter((told, f"  {decision.reason}", f"  tierwise show {decision.id}"))))
