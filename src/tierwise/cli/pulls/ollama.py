"""A model from an Ollama that runs: it fetches and keeps the weights, and answers from them."""

import asyncio

import msgspec

from tierwise import bootstrap
from tierwise.cli.fit import USUAL
from tierwise.cli.fit_subject import from_row
from tierwise.cli.pulls.offer import Offer, Pulled, Tell, Wish
from tierwise.core.errors import InvalidCall
from tierwise.core.label import Tier
from tierwise.hardware.detect import whole_machine
from tierwise.hardware.parts import factors
from tierwise.hardware.plan import Wish as Room
from tierwise.hardware.plan import best
from tierwise.hardware.speed import Paces
from tierwise.providers.address import Address, address_of
from tierwise.providers.egress import LOOPBACK
from tierwise.providers.ollama_pull import Held, held, pull
from tierwise.providers.transport import Transport
from tierwise.registry.kinds import kinds
from tierwise.registry.open_models import OpenModel, open_model
from tierwise.registry.settings import EndpointRow, ModelRow

KIND = "ollama"
CONTEXT_TOKENS = 4096
"""What Ollama gives a model where nobody says another."""


def offer(wish: Wish) -> Offer:
    """Offer what Ollama can get. Its size is not known before: Ollama tells it once it fetches.

    Raises:
        InvalidCall: it passes such a model on to its maker.
        Unreachable: Ollama does not run.
    """
    row = open_model(wish.model)
    name = row.served.get(KIND, wish.model) if row else wish.model
    name = name if ":" in name else f"{name}:latest"
    if name.endswith(("-cloud", ":cloud")):
        raise InvalidCall(f"{name} is not fetched: Ollama passes it on to its maker")
    endpoint, root = _endpoint(wish)
    here = asyncio.run(_held(root, name))
    refusal, reason = ("", None) if here or row is None else _judged(wish, row)
    facts: dict[str, str | int | None] = {
        "model": name,
        "from": f"Ollama at {root.url}, which fetches and keeps it",
        "size_bytes": here.size_bytes if here else None,
        "licence": row.license if row else None,
        "digest": here.digest if here else None,
        **({"memory": reason} if reason else {}),
    }

    def fetch(tell: Tell) -> Pulled:
        found = here or asyncio.run(_pulled(root, name, tell))
        digest = found.digest or "not told"
        return Pulled(note=f"{name}, which Ollama fetched, digest {digest}", told={"digest": digest})

    return Offer(
        facts=facts,
        endpoint=endpoint,
        model=ModelRow(id=name, endpoint=endpoint.name, served_name=name, family=row.family if row else None),
        to_fetch_bytes=0 if here else None,
        fetch=fetch,
        refusal=refusal,
    )


def _judged(wish: Wish, row: OpenModel) -> tuple[str, str]:
    """Return why a model should not be fetched, and what it needs: by its row, in the bits that Ollama mostly takes."""
    one = from_row(row)
    usual = [candidate for candidate in one.candidates if candidate.quantization == USUAL]
    room = Room(context_tokens=min(one.most_tokens, CONTEXT_TOKENS), cache_types=("f16",))
    plan = best(whole_machine(wish.folder), usual, room, Paces(known=factors()))
    reason = plan.verdict.reason
    return (f"{row.name} does not fit here: {reason}" if plan.verdict.fit == "does_not_fit" else "", reason)


def _endpoint(wish: Wish) -> tuple[EndpointRow, Address]:
    """Return the configured endpoint of that kind, else the one where Ollama usually listens; and its root."""
    row = next((one for one in wish.settings.document.endpoint if one.kind == KIND), None)
    url = kinds()[KIND].url or ""
    if row is None:
        row = EndpointRow(name=KIND, kind=KIND, url=url, tier=Tier.LOCAL)
        address = Address(url=url, networks=LOOPBACK)
    else:
        address = address_of(bootstrap.rules_from(wish.settings).catalog.endpoints[row.name])
    return row, msgspec.structs.replace(address, url=address.url.rstrip("/").removesuffix("/v1"))


async def _held(root: Address, name: str) -> Held | None:
    transport = Transport()
    try:
        return await held(transport, root, name)
    finally:
        await transport.aclose()


async def _pulled(root: Address, name: str, tell: Tell) -> Held:
    transport = Transport()
    try:
        return await pull(transport, root, name, tell)
    finally:
        await transport.aclose()
