"""Which clients are driven, where do they come from, and which steps can each take? Reads clients.toml; decides nothing.

A client is set up as its users set it up: the lines of its program between `set-up` and `set-up ends` and the files for
its home are those that docs/howto/clients.md shows.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
# Where a client is driven: before the scripted upstream on one of its wires, and before the embedded engine with the shipped
# model. Asked for by name: the engine on each of its wires and mlx-lm, both with a model made on the spot.
WIRES = ("chat", "responses", "messages", "gemini", "ollama")
ENGINE = "engine"
ENGINE_WIRES = {"engine-chat": "chat", "engine-responses": "responses", "engine-messages": "messages"}
SERVER = "mlx-lm"
PLACES = (*WIRES, ENGINE)
MORE = (*ENGINE_WIRES, SERVER)
MODELS = "models"  # the environment in which those are made and served
EVERY = ("plain", "stream", "tools", "tools_stream")
WITH_TOOLS = frozenset({"tools", "tools_stream", "stored"})


class Environment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is installed together: packages, each with its version."""

    name: str
    kind: Literal["python", "node"]
    packages: Mapping[str, str]


class Tool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call that the scripted model makes; `arguments` is JSON text."""

    name: str
    arguments: str


LOOK_UP = Tool(name="look_up", arguments='{"place": "text"}')


class Client(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One client on one wire; files are named relative to `programs/`."""

    client: str
    name: str
    package: str
    environment: str
    wire: Literal["chat", "responses", "messages", "embeddings"]
    program: str
    steps: tuple[str, ...] = EVERY
    home: Mapping[str, str] = {}
    tool: Tool | None = None

    @property
    def id(self) -> str:
        """Name the client and its wire."""
        return f"{self.client}-{self.wire}"

    @property
    def set_up(self) -> str:
        """Return what a user writes into a program or a shell; "" where files say it all."""
        lines = (PROGRAMS / self.program).read_text("utf-8").splitlines()
        marks = [i for i, line in enumerate(lines) if line.lstrip("#/ ") in ("set-up", "set-up ends")]
        return "\n".join(lines[marks[0] + 1 : marks[1]]).strip() + "\n" if marks else ""

    @property
    def files(self) -> Mapping[str, str]:
        """Return the text of each file that a user writes, by its place in the home."""
        return {target: (PROGRAMS / file).read_text("utf-8") for target, file in self.home.items()}

    def steps_at(self, place: str) -> tuple[str, ...]:
        """Return the steps that it takes at a place.

        An endpoint's embeddings have one wire, and the models behind the engine and mlx-lm make none. The shipped ones
        call no tools.
        """
        if self.wire == "embeddings":
            return self.steps if place == "chat" else ()
        return tuple(step for step in self.steps if place != ENGINE or step not in WITH_TOOLS)


class Catalog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All rows."""

    environment: tuple[Environment, ...]
    client: tuple[Client, ...]

    def selected(self, names: Iterable[str]) -> tuple[Client, ...]:
        """Return the rows of these clients, or with these ids; all without a name. Raises LookupError for others."""
        wanted = set(names)
        unknown = wanted - {name for row in self.client for name in (row.client, row.id)}
        if unknown:
            raise LookupError(", ".join(sorted(unknown)))
        return tuple(row for row in self.client if not wanted or wanted & {row.client, row.id})

    def named(self, name: str) -> Environment:
        """Return the environment of that name."""
        return next(environment for environment in self.environment if environment.name == name)

    def version(self, client: Client) -> str:
        """Return the version that is wanted of a client."""
        packages = self.named(client.environment).packages.items()
        return next(version for package, version in packages if package.partition("[")[0] == client.package)


def catalog() -> Catalog:
    """Read the rows."""
    return msgspec.toml.decode((HERE / "clients.toml").read_bytes(), type=Catalog)
