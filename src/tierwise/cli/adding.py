"""How is an endpoint added to a configuration that a person wrote? At its end, as text: nothing above is touched.

Invariant: what is written loads; a file that would not is left as it was.
"""

import os
from pathlib import Path
from typing import Any

import msgspec

from tierwise import bootstrap, config
from tierwise.cli.imports.written import value_text
from tierwise.core.errors import ConfigError
from tierwise.registry.settings import EndpointRow, ModelRow


def addition(settings: config.Settings, endpoint: EndpointRow, model: ModelRow, note: str) -> str:
    """Return the text that adds what is not there yet; empty where all of it is.

    Raises ConfigError where a name is taken by something else.
    """
    document, lines = settings.document, []
    same = next((one for one in document.endpoint if one.name == endpoint.name), None)
    if same is not None and (same.kind, same.file) != (endpoint.kind, endpoint.file):
        raise ConfigError(f"there is another endpoint {endpoint.name!r}: rename it, or add this one by hand")
    known = next((one for one in document.model if one.id == model.id), None)
    if known is not None and known.endpoint != model.endpoint:
        raise ConfigError(f"there is another model {model.id!r}, at {known.endpoint}: rename it, or add this by hand")
    if same is None:
        lines += ["", "[[endpoint]]", *_fields(endpoint)]
    if known is None:
        lines += ["", "[[model]]", *_fields(model)]
    return "\n".join(["", f"# {_plain(note)}", *lines[1:], ""]) if lines else ""


def check(settings: config.Settings, file: Path, text: str, added: str) -> str:
    """Return the whole text with the addition. Raises ConfigError where it would not load."""
    whole = text + ("" if not text or text.endswith("\n") else "\n") + added
    try:
        document = config.parse(whole, str(file))
        bootstrap.rules_from(msgspec.structs.replace(settings, document=document, file=file))
    except ConfigError as error:
        raise ConfigError(f"{file} would not load with this at its end: {error}\n{added}", file=str(file)) from error
    return whole


def write(file: Path, whole: str, added: str) -> None:
    """Write the file whole or not at all; its permissions stay, and a new one is its owner's alone."""
    target = file.resolve()
    half = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        half.touch(0o600, exist_ok=False)
        if target.exists():
            half.chmod(target.stat().st_mode & 0o777)
        half.write_text(whole, "utf-8")
        half.replace(target)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise ConfigError(f"{file} cannot be written: {error.strerror}. Add this by hand:\n{added}") from error


def _fields(row: EndpointRow | ModelRow) -> list[str]:
    """Write what differs from the defaults, in the order of the row."""
    told: dict[str, Any] = msgspec.to_builtins(row)
    defaults = {field.name: field.default for field in msgspec.structs.fields(row)}
    shown = {name: value for name, value in told.items() if value is not None and getattr(row, name) != defaults[name]}
    return [f"{name} = {value_text(value)}" for name, value in shown.items()]


def _plain(note: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in note)
