"""What does somebody need who is here for the first time? What was found, and three steps.

The settings of clients are those that `scripts/clients` runs. Invariant: no key stands on the page.
"""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tierwise.web import words
from tierwise.web.site import Site

DRIVEN = "http://127.0.0.1:7373"
UNUSED, YOURS = "unused", "YOUR-KEY"
GIB = 1 << 30
FREE = "What is a tier?"
# What the task of the shipped models is about; they know nothing else.
OF_TASKS = {"banking77": "My card was swallowed by the machine"}


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of a set-up; `file` is where they stand, empty for a program or a shell."""

    file: str
    text: str


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """How one client is set up for these wires."""

    name: str
    wires: tuple[str, ...]
    blocks: tuple[Block, ...]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that was found, with its models."""

    name: str
    tier: str
    unusable: str | None
    models: tuple[str, ...]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """This machine, in words; `fitting` are the open models that fit it, of so many that are `known`."""

    cpu: str
    cores: int
    memory: str
    devices: tuple[str, ...]
    fitting: tuple[str, ...]
    known: int


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What the page is given. `address` is the gateway's, `keyed`: callers have to show a key; `model` can be asked."""

    address: str
    keyed: bool
    clients: tuple[Client, ...]
    endpoints: tuple[Endpoint, ...]
    candidates: tuple[str, ...]
    model: str = "auto"
    prompt: str = FREE

    @property
    def key(self) -> str:
        """What stands where a key has to."""
        return YOURS if self.keyed else UNUSED

    @property
    def curl(self) -> str:
        """A call without any client."""
        key = f" \\\n  -H 'authorization: Bearer {YOURS}'" if self.keyed else ""
        body = json.dumps({"model": self.model, "messages": [{"role": "user", "content": self.prompt}]})
        return f"curl {self.address}/v1/chat/completions -H 'content-type: application/json'{key} \\\n  -d '{body}'"


def routes(site: Site) -> list[Route]:
    """Return the page, and its part about this machine."""

    async def page(request: Request) -> Response:
        status = await site.gateway(request).status()
        return site.page(request, "start", start=told(request.headers, status))

    async def looked(_request: Request) -> Response:
        async def values() -> dict[str, Any]:
            return {"machine": machine(await site.commands.answer(("fit",)))}

        return site.slow("start_machine", values())

    return [Route("/ui/start", page), Route("/ui/start/machine", looked)]


def clients() -> tuple[Client, ...]:
    """Return the set-ups as they are driven."""
    text = resources.files("tierwise.web").joinpath("rows", "clients.json").read_bytes()
    return msgspec.json.decode(text, type=tuple[Client, ...])


def told(headers: Mapping[str, str], status: Mapping[str, Any] | None) -> Start:
    """Put together what the page is given, of what the gateway says of itself."""
    address = headers.get("x-tierwise-gateway") or DRIVEN
    keyed = bool(headers.get("x-tierwise-auth"))
    known = status or {"endpoints": (), "models": ()}
    models = [one for one in known["models"] if not one["tasks"]]
    task = next((name for one in known["models"] for name in one["tasks"] if name in OF_TASKS), None)
    only = task if task and not models else None
    return Start(
        address=address,
        keyed=keyed,
        clients=tuple(_here(one, address, keyed=keyed) for one in clients()),
        endpoints=tuple(
            Endpoint(
                name=one["name"], tier=one["tier"], unusable=one["unusable"],
                models=tuple(model["id"] for model in known["models"] if model["endpoint"] == one["name"]),
            )
            for one in known["endpoints"]
        ),
        candidates=_candidates(models),
        model=f"auto:{only}" if only else "auto",
        prompt=OF_TASKS[only] if only else FREE,
    )  # fmt: skip


def _candidates(models: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return a near model and a far one, as an example of what is to be compared."""
    order = sorted(models, key=lambda one: (list(words.TIERS).index(one["tier"]), one["strength"] or 0))
    return tuple(dict.fromkeys(one["id"] for one in (order[0], order[-1]))) if order else ()


def _here(client: Client, address: str, *, keyed: bool) -> Client:
    """Return a set-up with this gateway's address, and a word where a key has to stand."""
    blocks = tuple(
        msgspec.structs.replace(one, text=one.text.replace(DRIVEN, address).replace(UNUSED, YOURS if keyed else UNUSED))
        for one in client.blocks
    )
    return msgspec.structs.replace(client, blocks=blocks)


def machine(found: Mapping[str, Any]) -> Machine:
    """Read what `tierwise fit` says of this machine."""
    here, catalogue = found["machine"], found["catalogue"]
    total = here["memory_total_bytes"]
    return Machine(
        cpu=here["cpu"]["name"] or here["system"],
        cores=here["cores"],
        memory=f"{total / GIB:.0f} GiB of memory" if total else "memory unknown",
        devices=tuple(str(one.get("name") or one) for one in here["devices"]),
        fitting=tuple(
            one["model"] for one in catalogue if one["plan"] and one["plan"]["verdict"]["fit"] == "fits"
        ),
        known=len(catalogue),
    )  # fmt: skip
