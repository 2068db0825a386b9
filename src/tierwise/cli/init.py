"""The command `tierwise init`: a starter configuration for this machine."""

import asyncio
import json
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tierwise import bootstrap, config, surroundings
from tierwise.cli.options import Frontier, Json, print_json, say
from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.registry.kinds import kinds, known_models
from tierwise.registry.settings import EndpointRow, ModelRow

_SERVER = (
    "[[endpoint]]",
    'name = "mine"',
    'kind = "openai_compatible"',
    'tier = "self_hosted"   # local: this machine; self_hosted: a server of yours; frontier: outside',
    'url = "http://127.0.0.1:8000/v1"',
    "",
    "[[model]]",
    'id = "my-model"',
    'endpoint = "mine"',
)


def init(
    file: Annotated[Path, typer.Option("--config", help="Where to write it.")] = Path(config.FILE),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    frontier: Frontier = False,
    as_json: Json = False,
) -> None:
    """Look at this machine and write a starter tierwise.toml with comments.

    Outside APIs are written as comments; with --frontier, those whose keys are
    set join.

    Example:
      tierwise init --config team.toml
    """
    if file.exists() and not force:
        raise ConfigError(f"{file} is there already; --force replaces it, --config writes elsewhere", file=str(file))
    empty = config.load_empty(frontier=frontier)
    found, words = asyncio.run(surroundings.looked_around_told(empty))
    for line in words:
        say(f"  found  {line}")
    text = starter(found.document.endpoint, found.document.model, joining=_joining(empty) if frontier else ())
    bootstrap.rules_from(msgspec.structs.replace(empty, document=config.parse(text, str(file))))
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}; --config writes elsewhere") from error
    say(f"wrote {file}; check it with: tierwise doctor --config {file}")
    if as_json:
        print_json({"file": str(file.absolute()), "found": words})


def _joining(settings: config.Settings) -> tuple[str, ...]:
    """Return the kinds of outside APIs that can join: those with a key that is set, and an address."""
    able = (kind for kind in kinds().values() if kind.key_env and kind.url)
    return tuple(kind.kind for kind in able if settings.secret(f"env:{kind.key_env}") is not None)


def starter(endpoints: tuple[EndpointRow, ...], models: tuple[ModelRow, ...], *, joining: Container[str] = ()) -> str:
    """Return the text of a configuration that names what was found; outside APIs not in `joining` are comments."""
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
    lines += ["", "# A server on this machine or another. The kinds: docs/reference/endpoints.md", *_comment(_SERVER)]
    lines += ["", "# Outside APIs. Keys are read from the environment, never written here."]
    for kind in kinds().values():
        if kind.key_env:
            outside = _outside(kind.kind, kind.key_env, needs_url=kind.url is None)
            lines += ["", *(outside if kind.kind in joining else _comment(outside))]
    lines += ["", "# [[budget]]", '# scope = "all"', '# limit_usd = "10"', '# window = "1d"', ""]
    return "\n".join(lines)


def _comment(lines: Sequence[str]) -> list[str]:
    return [f"# {line}".rstrip() for line in lines]


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
    _, _, workflow = surroundings.shipped_rows()
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


def _outside(kind: str, key_env: str, *, needs_url: bool) -> list[str]:
    lines = ["[[endpoint]]", f"name = {json.dumps(kind)}", f"kind = {json.dumps(kind)}", f'key = "env:{key_env}"']
    lines += ['url = "https://RESOURCE.example/v1"'] if needs_url else []
    for known in known_models():
        if kind in known.kinds:
            lines += ["", "[[model]]", f"id = {json.dumps(known.served_name)}", f"endpoint = {json.dumps(kind)}"]
    return lines
