"""How does a user set each client up? docs/howto/clients.md, written from the very lines that are driven.

Invariant: every line of a set-up stands in the client's program or in a file that is copied into its home.
"""

import json
from collections.abc import Iterator
from itertools import groupby

from tests.clients.catalog import Catalog, Client

HEAD = """# Use your client with Tierwise

Written by `scripts/clients` from the lines that it runs; do not edit. What came of running them:
[Clients](../reference/clients.md).

Start the gateway, then set your client up as below. Ask for `auto`, or for a model by its id (`tierwise models`). The key is
not looked at unless `tierwise.toml` has `[[key]]` rows; then it is one of those.

```sh
tierwise serve
```

For Claude Code, Codex, opencode, llm and some others `tierwise launch claude` prints such lines with the address and the
key that are configured, and `tierwise launch claude --run` starts the tool so, leaving its own settings as they are.
What goes over the wire is on the page about [HTTP](../reference/http.md).
"""
SPOKEN = {
    "chat": "Chat Completions",
    "responses": "Responses",
    "messages": "Messages",
    "embeddings": "Embeddings",
}
# ```text is what no rule reads: another program's TOML is no tierwise.toml.
LANGUAGES = {".py": "python", ".mjs": "js", ".sh": "sh", ".yaml": "yaml", ".json": "json"}


def howto(rows: Catalog) -> str:
    """Write the page: a heading for each client, a block for each set-up; wires that share one stand together."""
    return "\n".join([HEAD, *(part for name, group in groupby(rows.client, _name) for part in _one(name, list(group)))])


def rows(rows: Catalog) -> str:
    """Write the same for the pages of the gateway, which fill in its own address: src/tierwise/web/rows/clients.json."""
    found = []
    for name, group in groupby(rows.client, _name):
        for _, alike in groupby(list(group), _written):
            same = list(alike)
            blocks = [{"file": "", "text": same[0].set_up}] if same[0].set_up else []
            blocks += [{"file": f"~/{target}", "text": text} for target, text in same[0].files.items()]
            found.append({"name": name, "wires": [SPOKEN[client.wire] for client in same], "blocks": blocks})
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _name(client: Client) -> str:
    return client.name


def _one(name: str, clients: list[Client]) -> Iterator[str]:
    yield f"## {name}\n"
    for _, group in groupby(clients, _written):
        same = list(group)
        yield f"{', '.join(SPOKEN[client.wire] for client in same)}:\n"
        yield from _blocks(same[0])


def _written(client: Client) -> tuple[str, dict[str, str]]:
    return client.set_up, dict(client.files)


def _blocks(client: Client) -> Iterator[str]:
    if client.set_up:
        yield _block(client.program, client.set_up)
    for target, text in client.files.items():
        yield f"`~/{target}`:\n"
        yield _block(target, text)


def _block(file: str, text: str) -> str:
    language = LANGUAGES.get(file[file.rindex(".") :], "text")
    return f"```{language}\n{text}```\n"
