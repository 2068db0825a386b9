"""How is the result told? One line for people who wait; docs/reference/clients.md for readers.

Invariant: a page says what stands in the catalog and in the findings, and nothing else.
"""

from collections.abc import Iterable, Iterator

from tests.clients.catalog import MORE, PLACES, Catalog, Client
from tests.clients.found import Finding

HEAD = """# Clients

Written by `scripts/clients` from what came of running them; do not edit. How each is set up:
[Use your client with Tierwise](../howto/clients.md).

Each client is installed at the version shown, set up as its users set it up, and driven against `tierwise serve` where it
listens for everybody. Behind the gateway stands one endpoint that speaks one wire: the scripted upstream of
[`tierwise.testing`](../howto/test-your-application.md) on one of its wires (`chat` … `ollama`); the embedded engine with the
shipped demonstration model (`engine`), or on each of its wires with a model made on the spot (`engine-chat` …); or
`mlx_lm.server` with such a model (`mlx-lm`). The weights of that model say `hello`, call the tool that is offered, and say `done`
to its result.
"""
READING = """**done**: every step gave the text that it had to give, and the tokens in the ledger are those that the upstream billed and
those that the client was told (opencode tells none). **–**: not possible, for the reason below.
"""
STEPS = {
    "plain": "one question, one answer",
    "stream": "the same, streamed",
    "tools": "the model calls a tool, the client carries it out, the model answers",
    "tools_stream": "the same, streamed",
    "stored": "the same over `previous_response_id`: only the tool's result is sent",
    "count": "the tokens of a request are counted",
    "models": "the models are listed, `auto` among them",
    "vectors": "one text twice, as numbers and as base64: the same vector",
}
WHY_NOT = """- **Tools at `engine`**: the shipped demonstration models classify and call no tools. They are asked what they can be
  asked, plain and streamed. Claude Code, Codex and opencode offer tools with every request, and longer ones than the 512
  tokens that these models read.
- **Embeddings** have one wire on both sides, and neither of those models makes vectors.
"""

# Why clients fail at a place through no fault of the gateway's; told where one does.
CAUSES = {
    "engine-responses": """llama.cpp streams Responses without `output_index` and `content_index`, which clients count on. Tierwise passes
an endpoint's events on as they are where the wire is the caller's own. So it asks the engine in Chat Completions and spells
Responses itself, unless an endpoint's `wires` says otherwise: columns `engine` and `engine-chat` show that.
""",
    "engine-messages": """llama.cpp ends a stream of Messages with the count of what was written, and LangChain looks there for what was read
too. Columns `engine` and `engine-chat` show how Tierwise asks the engine unless it is told otherwise.
""",
    "mlx-lm": """`mlx_lm.server` calls the chunk with the usage `chat.completion`, where the chunks of a stream are called
`chat.completion.chunk`. The `stream` of the OpenAI client for Python passes over it and knows no tokens; it knows none either
when it asks that server without Tierwise.
""",
}


def line(finding: Finding) -> str:
    """Say in one line what came of a client at a place."""
    did = finding.outcome
    failed = "".join(f"\n    {step}: {why};" for step, why in did.faults.items())
    dropped = f"; dropped {', '.join(did.dropped)}" if did.dropped else ""
    tokens = did.inexact or f"{did.read} + {did.written} tokens, exact"
    taken = f"{len(did.steps) - len(did.faults)}/{len(did.steps)} steps"
    return f"{finding.client:26} {finding.place:10} {taken}, {did.requests} requests, {tokens}{dropped}{failed}"


def page(rows: Catalog, findings: Iterable[Finding]) -> str:
    """Write the reference."""
    by_key = {(finding.client, finding.place): finding for finding in findings}
    open_ = sorted({finding.client for finding in by_key.values() if not finding.isolated})
    kept = (
        f"A network was there for: {', '.join(open_)}."
        if open_
        else "While they ran, no network but loopback was there."
    )
    parts = [HEAD, "\n".join(_table(rows, by_key)) + "\n", READING, f"{kept}\n"]
    parts += ["## Steps\n", "\n".join(_steps(rows)) + "\n", "## Not possible\n", WHY_NOT]
    parts += ["## What was dropped\n", "\n".join(_dropped(rows, by_key)) + "\n"]
    bad = [finding for finding in by_key.values() if not finding.outcome.good]
    if bad:
        parts += ["## What failed\n", "\n".join(map(_failure, bad)) + "\n"]
        parts += [CAUSES[place] for place in dict.fromkeys(finding.place for finding in bad) if place in CAUSES]
    return "\n".join(parts)


def _table(rows: Catalog, by_key: dict[tuple[str, str], Finding]) -> Iterator[str]:
    places = (*PLACES, *MORE)
    yield f"| client | version | speaks | {' | '.join(places)} | requests | tokens | run on |"
    yield "|" + "---|" * (len(places) + 6)
    for client in rows.client:
        own = [by_key[key] for place in places if (key := (client.id, place)) in by_key]
        versions = sorted({finding.version for finding in own})
        cells = [_cell(client, place, by_key.get((client.id, place))) for place in places]
        requests = sum(finding.outcome.requests for finding in own)
        tokens = sum((finding.outcome.read or 0) + (finding.outcome.written or 0) for finding in own)
        on = max((finding.as_of for finding in own), default="")
        words = (client.name, ", ".join(versions), client.wire, *cells, str(requests), str(tokens), on)
        yield f"| {' | '.join(words)} |"


def _cell(client: Client, place: str, finding: Finding | None) -> str:
    if finding is None:
        return "not run" if client.steps_at(place) else "–"
    return "done" if finding.outcome.good else "**failed**"


def _steps(rows: Catalog) -> Iterator[str]:
    yield from ("| step | what happens | taken by |", "|---|---|---|")
    for step, what in STEPS.items():
        takers, others = (
            list(dict.fromkeys(client.name for client in rows.client if (step in client.steps) == taken))
            for taken in (True, False)
        )
        others = [name for name in others if name not in takers]
        many = f"all but {', '.join(others)}" if others else "all"
        yield f"| {step} | {what} | {many if len(takers) > len(others) else ', '.join(takers)} |"


def _dropped(rows: Catalog, by_key: dict[tuple[str, str], Finding]) -> Iterator[str]:
    """List what the ledger says was left out, the places with the same list together."""
    yield from ("| client | speaks | behind | dropped, in the client's own words |", "|---|---|---|---|")
    for client in rows.client:
        lists: dict[tuple[str, ...], list[str]] = {}
        for place in (*PLACES, *MORE):
            finding = by_key.get((client.id, place))
            if finding is not None and finding.outcome.dropped:
                lists.setdefault(finding.outcome.dropped, []).append(place)
        for dropped, places in lists.items():
            yield f"| {client.name} | {client.wire} | {', '.join(places)} | {', '.join(f'`{d}`' for d in dropped)} |"


def _failure(finding: Finding) -> str:
    did = finding.outcome
    words = [*(f"{step}: {why}" for step, why in did.faults.items()), *([did.inexact] if did.inexact else [])]
    return f"- `{finding.client}` before `{finding.place}`: {' '.join('; '.join(words).split())}"
