"""Which clients are driven, where do they come from, and which steps can each take? Reads clients.toml; decides nothing.

A client is set up as its users set it up: the lines of its program between `set-up` and `set-up ends` and the files for
its home are those that docs/howto/clients.md shows.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
EMBEDDED = "embedded"
PLACES = ("chat", "responses", "messages", "gemini", EMBEDDED)
EVERY = ("plain", "stream", "tools", "tools_stream")


class Environment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is installed together."""

    name: str
    kind: Literal["python", "node"]
    packages: tuple[str, ...]


class Tool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call that the scripted model makes; `arguments` is JSON text."""

    name: str
    arguments: str


class Client(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One client on one wire; files are named relative to `programs/`."""

    id: str
    name: str
    package: str
    environment: str
    wire: Literal["chat", "responses", "messages", "embeddings"]
    program: str
    steps: tuple[str, ...] = EVERY
    home: Mapping[str, str] = {}
    tool: Tool | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """Return where it is driven: one wire with embeddings has no other to be turned into, agents need tools."""
        return ("chat",) if self.wire == "embeddings" else PLACES

    @property
    def set_up(self) -> tuple[str, ...]:
        """Return what a user writes to set it up: the program's own lines, then its files."""
        lines = (PROGRAMS / self.program).read_text("utf-8").splitlines()
        marks = [i for i, line in enumerate(lines) if line.lstrip("#/ ") in ("set-up", "set-up ends")]
        own = ["\n".join(lines[marks[0] + 1 : marks[1]]).strip() + "\n"] if marks else []
        return (*own, *((PROGRAMS / file).read_text("utf-8") for file in self.home.values()))


class Catalog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All rows."""

    environment: tuple[Environment, ...]
    client: tuple[Client, ...]


def catalog() -> Catalog:
    """Read the rows."""
    return msgspec.toml.decode((HERE / "clients.toml").read_bytes(), type=Catalog)
