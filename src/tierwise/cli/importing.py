"""The command `tierwise import`: another gateway's configuration as a tierwise.toml."""

import importlib
import os
import sys
from collections.abc import Sized
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tierwise import bootstrap, config
from tierwise.cli.imports.draft import Draft
from tierwise.cli.imports.place import gateways
from tierwise.cli.imports.source import MAX_BYTES
from tierwise.cli.imports.written import written
from tierwise.cli.options import Json, print_json, say
from tierwise.core.errors import ConfigError
from tierwise.registry.load import nearest


def import_(
    gateway: Annotated[str, typer.Argument(help="Whose file it is: litellm, portkey, tensorzero or ollama.")],
    file: Annotated[Path, typer.Argument(help="The file; - reads it from standard input.")],
    out: Annotated[Path | None, typer.Option("--out", help="Where to write it, instead of standard output.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Turn another gateway's configuration into a tierwise.toml, with comments on what has no counterpart.

    Reads a LiteLLM config.yaml, a Portkey config (JSON), a tensorzero.toml, or a
    Modelfile or list of models of Ollama. Keys are never copied: a key that
    stands in the file becomes the name of a variable to set.

    Examples:
      tierwise import litellm config.yaml --out tierwise.toml
      tierwise import ollama Modelfile
    """
    if gateway not in gateways():
        raise ConfigError(f"there is no import from {gateway!r}{nearest(gateway, gateways())}")
    if out is not None and out.exists() and not force:
        raise ConfigError(f"{out} is there already; --force replaces it, --out writes elsewhere", file=str(out))
    draft = translated(gateway, _text(file), "standard input" if str(file) == "-" else file.name)
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


def _text(file: Path) -> str:
    if str(file) == "-":
        raw = sys.stdin.buffer.read(MAX_BYTES + 1) if sys.stdin is not None else b""
    else:
        try:
            with file.open("rb") as opened:
                raw = opened.read(MAX_BYTES + 1)
        except OSError as error:
            raise ConfigError(f"{file} cannot be read: {error.strerror}", file=str(file)) from error
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
