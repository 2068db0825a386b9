"""The command `tierwise init`: a starter configuration for this machine."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from tierwise import bootstrap, config
from tierwise.cli.options import Frontier, Json, print_json, say
from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.registry.kinds import kinds, known_models
from tierwise.registry.settings import EndpointRow, ModelRow


def init(
    file: Annotated[Path, typer.Option("--config", help="Where to write it.")] = Path(config.FILE),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    frontier: Frontier = False,
    as_json: Json = False,
) -> None:
    """Look at this machine and write a starter tierwise.toml with comments.

    Outside APIs are written as comments, unless you say --frontier.

    Example:
      tierwise init --config team.toml
    """
    if file.exists() and not force:
        raise ConfigError(f"{file} is there already; --force replaces it, --config writes elsewhere", file=str(file))
    empty = config.load_empty(frontier=frontier)
    found, words = asyncio.run(bootstrap.looked_around_told(empty))
    for line in words:
        say(f"  found  {line}")
    text = starter(found.document.endpoint, found.document.model, frontier=frontier)
    config.parse(text, str(file))
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}; --config writes elsewhere") from error
    say(f"wrote {file}; check it with: tierwise doctor --config {file}")
    if as_json:
        print_json({"file": str(file.absolute()), "found": words})


def starter(endpoints: tuple[EndpointRow, ...], models: tuple[ModelRow, ...], *, frontier: bool) -> str:
    """Return the text of a configuration that names what was found."""
    lines = [
        "# Tierwise: what exists, who may use it, and what is good enough. All keys: docs/reference/configuration.md",
        "# With this file only what it says exists. Remove it, and Tierwise looks at this machine again.",
        "",
        "[server]",
        'host = "127.0.0.1"   # other hosts need at least one [[key]]',
        "port = 7373",
        "",
        "[labels]",
        'default = "internal"   # where neither caller nor workflow says anything',
        'preset = "balanced"    # "private" keeps internal data inside too',
    ]
    inside = [row for row in endpoints if (row.tier or kinds()[row.kind].tier) is not Tier.FRONTIER]
    for row in inside:
        lines += ["", "[[endpoint]]", *_endpoint(row)]
        for model in models:
            if model.endpoint == row.name:
                lines += ["", "[[model]]", *_model(model)]
    lines += ["", "# The shipped demonstration models know one task; ask for auto:banking77.", *_workflow()]
    lines += ["", "# An outside API. Its key is read from the environment, never written here."]
    outside = [line for kind in kinds().values() if kind.key_env for line in _outside(kind.kind, kind.key_env)]
    lines += outside if frontier else [f"# {line}".rstrip() for line in outside]
    lines += ["", "# [[budget]]", '# scope = "all"', '# limit_usd = "10"', '# window = "1d"', ""]
    return "\n".join(lines)


def _endpoint(row: EndpointRow) -> list[str]:
    lines = [f"name = {json.dumps(row.name)}", f"kind = {json.dumps(row.kind)}"]
    lines += [f"tier = {json.dumps(str(row.tier))}"] if row.tier else []
    lines += [f"url = {json.dumps(row.url)}"] if row.url else []
    if row.file:
        lines += [f"file = {json.dumps(row.file)}", f"context_tokens = {row.context_tokens or 4096}", "threads = 1"]
    return lines


def _model(row: ModelRow) -> list[str]:
    lines = [f"id = {json.dumps(row.id)}", f"endpoint = {json.dumps(row.endpoint)}"]
    lines += [f"served_name = {json.dumps(row.served_name)}"] if row.served_name else []
    lines += [f"context_tokens = {row.context_tokens}"] if row.context_tokens else []
    lines += [f"capabilities = {json.dumps(list(row.capabilities))}"] if row.capabilities is not None else []
    lines += [f"tasks = {json.dumps(list(row.tasks))}"] if row.tasks else []
    return lines


def _workflow() -> list[str]:
    _, _, workflow = bootstrap.shipped_rows()
    least = workflow.gates.min_logprob
    kept = ", ".join(f"{name} = {value!r}" for name, value in least.items()) if isinstance(least, dict) else ""
    return [
        "[[workflow]]",
        f"name = {json.dumps(workflow.name)}",
        f"candidates = {json.dumps(list(workflow.candidates))}",
        'strategy = "cascade"',
        'on_gate_failure = "flag"',
        f"gates = {{ min_logprob = {{ {kept} }} }}",
    ]


def _outside(kind: str, key_env: str) -> list[str]:
    lines = ["[[endpoint]]", f"name = {json.dumps(kind)}", f"kind = {json.dumps(kind)}", f'key = "env:{key_env}"']
    for known in known_models():
        if kind in known.kinds:
            lines += ["", "[[model]]", f"id = {json.dumps(known.served_name)}", f"endpoint = {json.dumps(kind)}"]
    return lines
