"""With which environment, arguments and files does a tool use Tierwise? The rows of `rows/tools.toml`, filled in.

Pure but for reading the shipped rows. Invariant: the key is only ever a whole value of the environment, so that it can
be told as a variable and is never an argument that others on the machine see.
"""

import functools
import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path

import msgspec

KEY = "{key}"
_BLANK = re.compile(r"\{(url|root|model|folder)(:json)?\}")


class Tool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool as its row says. Without a `command` the arguments that are given are the command."""

    name: str
    title: str
    command: str = ""
    install: str = ""
    note: str = ""
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    unset: tuple[str, ...] = ()
    files: dict[str, str] = {}
    source: str = ""


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """Where and as what the tool asks: the gateway's address without version path, the model, the folder for files."""

    root: str
    model: str
    folder: Path


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """A tool's start, filled in; a value of the environment that is `KEY` still stands for the key."""

    command: tuple[str, ...]
    environment: dict[str, str]
    unset: tuple[str, ...]
    files: dict[Path, str]


@functools.cache
def tools() -> dict[str, Tool]:
    """Return the tools by name."""
    text = resources.files("tierwise.cli").joinpath("rows", "tools.toml").read_text("utf-8")
    return {row.name: row for row in msgspec.convert(tomllib.loads(text)["tool"], tuple[Tool, ...])}


def start(tool: Tool, use: Use, more: Sequence[str]) -> Start:
    """Fill a row in; `more` are the arguments that the user gives."""
    blanks = {"root": use.root, "url": f"{use.root}/v1", "model": use.model, "folder": str(use.folder)}

    def filled(text: str) -> str:
        return _BLANK.sub(lambda blank: _inside(blanks[blank[1]]) if blank[2] else blanks[blank[1]], text)

    own = (tool.command, *map(filled, tool.arguments)) if tool.command else ()
    return Start(
        command=(*own, *more),
        environment={name: filled(value) for name, value in tool.environment.items()},
        unset=tool.unset,
        files={use.folder / name: filled(text).lstrip("\n") for name, text in tool.files.items()},
    )


def _inside(text: str) -> str:
    """Return text as it stands between the quotes of JSON, which TOML and YAML read alike."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def lines(begin: Start, key: str) -> Iterator[str]:
    """Give the lines for a POSIX shell; `key` is what stands for the key, already fit for the shell."""
    for path, text in begin.files.items():
        yield f"mkdir -p {shlex.quote(str(path.parent))}"
        yield f"printf %s {shlex.quote(text)} > {shlex.quote(str(path))}"
    for name, value in begin.environment.items():
        yield f"export {name}={key if value == KEY else shlex.quote(value)}"
    if begin.unset:
        yield f"unset {' '.join(begin.unset)}"
    if begin.command:
        yield shlex.join(begin.command)


def environment(begin: Start, key: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment in which the tool runs."""
    kept = {name: value for name, value in inherited.items() if name not in begin.unset}
    return kept | {name: key if value == KEY else value for name, value in begin.environment.items()}
