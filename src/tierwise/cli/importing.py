"""The command `tierwise import`: another gateway's configuration as a tierwise.toml, or a public list of prices."""

import importlib
import os
import sys
from collections.abc import Sequence, Sized
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tierwise import bootstrap, config
from tierwise.cli.imports import pricing
from tierwise.cli.imports.draft import Draft
from tierwise.cli.imports.place import gateways
from tierwise.cli.imports.source import MAX_BYTES
from tierwise.cli.imports.written import written
from tierwise.cli.options import ConfigFile, Json, print_json, say
from tierwise.core.errors import ConfigError
from tierwise.registry.load import nearest

PRICES = "prices"


def import_(
    gateway: Annotated[str, typer.Argument(help="Whose file: litellm, portkey, tensorzero, ollama; or prices.")],
    file: Annotated[Path, typer.Argument(help="The file; - reads it from standard input.")],
    out: Annotated[Path | None, typer.Option("--out", help="Where to write it, instead of standard output.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    model: Annotated[
        list[str] | None, typer.Option(help="With prices: of this model, by the name under which it is served.")
    ] = None,
    config_file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Turn another gateway's configuration into a tierwise.toml, with comments on what has no counterpart.

    Reads a LiteLLM config.yaml, a Portkey config (JSON), a tensorzero.toml, or a
    Modelfile or list of models of Ollama. Keys are never copied: a key that
    stands in the file becomes the name of a variable to set.

    `prices` reads the price list of LiteLLM, genai-prices or models.dev (JSON) and writes a
    [[price]] row for each --model, or for each model of the configuration.

    Examples:
      tierwise import litellm config.yaml --out tierwise.toml
      tierwise import ollama Modelfile
      tierwise import prices model_prices_and_context_window.json --model gpt-6.1-sol
    """
    if out is not None and out.exists() and not force:
        raise ConfigError(f"{out} is there already; --force replaces it, --out writes elsewhere", file=str(out))
    if gateway == PRICES:
        _prices(file, out, model or _served(config_file), as_json=as_json)
        return
    if gateway not in gateways():
        raise ConfigError(f"there is no import from {gateway!r}{nearest(gateway, (*gateways(), PRICES))}")
    name = "standard input" if str(file) == "-" else file.name
    draft = translated(gateway, _text(_bytes(file, MAX_BYTES), file), name)
    text = written(draft)
    _check(text)
    if out is not None:
        _write(out, text)
    elif not as_json:
        sys.stdout.write(text)
    _tell(draft, out)
    if as_json:
        told: dict[str, Any] = {"file": str(out.absolute()) if out else None, "toml": text if out is None else None}
        told |= {"models": list(draft.models), "set": list(draft.needed), "left_out": draft.left_out}
        print_json(told | {"notes": draft.notes})


def translated(gateway: str, text: str, file: str) -> Draft:
    """Return what a file of that gateway means here."""
    module: Any = importlib.import_module(f"tierwise.cli.imports.{gateway}")
    environ = config.load_empty(frontier=False).environ
    draft: Draft = module.draft(text, file, environ)
    return draft


def _prices(file: Path, out: Path | None, models: Sequence[str], *, as_json: bool) -> None:
    found = pricing.listed(_bytes(file, pricing.MAX_BYTES), file.name, models, datetime.now(UTC).date())
    text = pricing.written(found.rows)
    config.parse(text)
    if out is not None:
        _write(out, text)
    elif not as_json:
        sys.stdout.write(text.lstrip())
    say(f"{_count(found.rows, 'price')} from {found.title}")
    for what in found.left_out:
        say(f"  left out  {what}")
    for note in found.notes:
        say(f"  note      {note}")
    if as_json:
        told: dict[str, Any] = {"file": str(out.absolute()) if out else None, "toml": text if out is None else None}
        print_json(told | {"prices": found.rows, "left_out": found.left_out, "notes": found.notes})


def _served(file: Path | None) -> tuple[str, ...]:
    """Return the names under which the models of the configuration are served."""
    rows = config.load(file).document.model
    if not rows:
        raise ConfigError("no configuration names a model: say with --model whose price is wanted", key="--model")
    return tuple(dict.fromkeys(row.served_name or row.id for row in rows))


def _bytes(file: Path, most: int) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read(most + 1) if sys.stdin is not None else b""
    try:
        with file.open("rb") as opened:
            return opened.read(most + 1)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}", file=str(file)) from error


def _text(raw: bytes, file: Path) -> str:
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{file} is larger than {MAX_BYTES // 1024} KiB: no gateway's configuration is")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text (byte {error.start})", file=str(file)) from error


def _check(text: str) -> None:
    """Load what is to be written. That this refuses it is a fault of the import, never of its user."""
    try:
        document = config.parse(text)
        bootstrap.rules_from(msgspec.structs.replace(config.load_empty(frontier=False), document=document))
    except ConfigError as error:
        raise ConfigError(f"the import made a configuration that does not load: {error}. Please report this") from error


def _write(out: Path, text: str) -> None:
    """Write the file for its owner alone, whole or not at all; whatever was there is replaced, not written into."""
    half = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        half.touch(0o600, exist_ok=False)
        half.write_text(text, "utf-8")
        half.replace(out)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise ConfigError(
            f"{out} cannot be written: {error.strerror}; --out writes elsewhere", file=str(out)
        ) from error


def _count(rows: Sized, what: str) -> str:
    return f"{len(rows)} {what}{'' if len(rows) == 1 else 's'}"


def _tell(draft: Draft, out: Path | None) -> None:
    others = len(draft.notes) - len(draft.left_out)
    made = f"{_count(draft.models, 'model')} at {_count(draft.endpoints, 'endpoint')}"
    say(f"{made}; {others} key{'' if others == 1 else 's'} without a counterpart")
    for what in draft.left_out:
        say(f"  left out  {what}")
    for name, why in draft.needed.items():
        say(f"  set  {name}" + (f"  ({why})" if why else ""))
    if draft.unpriced:
        say(f"  add  price to {', '.join(draft.unpriced)}: an outside model without a price is refused")
    if out is not None:
        say(f"wrote {out}; check it with: tierwise doctor --config {out}")
        say(f"then: tierwise serve --config {out}")
