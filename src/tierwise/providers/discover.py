"""What listens on this machine, and how is a configured endpoint? Asked of the servers themselves.

It calls no model, loads none, sends no key that was not configured for the address, and asks only the addresses of the
rows it is given. Invariant: an answer that does not look like the expected server is no finding.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec

from tierwise.core.errors import BadReply, ProviderError, Unauthorized
from tierwise.core.model import Capability
from tierwise.providers.asker import Asker, ServedModel, hurried
from tierwise.providers.questions import question
from tierwise.providers.transport import Address, Transport

__all__ = ["Found", "Inspection", "Kind", "ServedModel", "discover", "inspect"]

QUICK_TIMEOUT_S: Final = 0.3
DISCOVER_TIMEOUT_S: Final = 1.5
INSPECT_TIMEOUT_S: Final = 5.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Kind(Protocol):
    """A row about a kind of endpoint, as far as it matters here."""

    @property
    def kind(self) -> str:
        """Name of the kind."""

    @property
    def url(self) -> str | None:
        """Where such a server usually listens."""

    @property
    def more_urls(self) -> tuple[str, ...]:
        """Where else it may."""

    @property
    def capabilities(self) -> tuple[Capability, ...]:
        """What its wire can do."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A server that listens on this machine. No models and a `detail`: it is there, but told nothing."""

    kind: str
    url: str
    models: tuple[ServedModel, ...] = ()
    slots: int | None = None
    version: str | None = None
    detail: str = ""


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint is. `models` None: it did not tell. `code` is that of the error, if there was one.

    `locked`: it is there, and does not take the key.
    """

    reachable: bool
    locked: bool = False
    models: tuple[ServedModel, ...] | None = None
    slots: int | None = None
    version: str | None = None
    latency_ms: float | None = None
    code: str | None = None
    detail: str = ""


async def discover(transport: Transport, kinds: Sequence[Kind]) -> tuple[Found, ...]:
    """Ask the usual loopback addresses of these kinds, all at once; at most 1.5 s in all.

    Rows whose usual address is not on this machine are passed over.
    """
    places = [(kind, url) for kind in kinds for url in (kind.url, *kind.more_urls) if url is not None]
    here = [(kind, url) for kind, url in places if urlsplit(url).hostname in _LOOPBACK]
    found = await asyncio.gather(*(_find(transport, kind, url) for kind, url in here))
    return tuple(_first_of_each([one for one in found if one is not None]))


async def inspect(transport: Transport, address: Address, kind: Kind) -> Inspection:
    """Ask one endpoint how it is, with its own key. Raises nothing but ConfigError for a malformed address."""
    asker = hurried(
        transport, address, wire_can=kind.capabilities, quick_s=INSPECT_TIMEOUT_S, total_s=INSPECT_TIMEOUT_S
    )
    try:
        told = await question(kind.kind)(asker)
    except ProviderError as error:
        answered = isinstance(error, Unauthorized | BadReply)
        locked = isinstance(error, Unauthorized)
        return Inspection(
            reachable=answered, locked=locked, latency_ms=asker.latency_ms, code=error.code, detail=str(error)
        )
    if told is None:
        text = f"something answers there, but not as {kind.kind} does"
        return Inspection(reachable=True, latency_ms=asker.latency_ms, code="unexpected", detail=text)
    return Inspection(
        reachable=True,
        models=told.models,
        slots=told.slots,
        version=told.version,
        latency_ms=asker.latency_ms,
        detail=told.detail,
    )


async def _find(transport: Transport, kind: Kind, url: str) -> Found | None:
    address = Address(url=url)
    asker = hurried(transport, address, wire_can=kind.capabilities, quick_s=QUICK_TIMEOUT_S, total_s=DISCOVER_TIMEOUT_S)
    try:
        told = await question(kind.kind)(asker)
    except Unauthorized:
        return _locked(asker, kind, url)
    except ProviderError:
        return None
    if told is None:
        return None
    return Found(
        kind=kind.kind,
        url=url,
        models=told.models,
        slots=told.slots,
        version=told.version,
        detail=told.detail,
    )


def _locked(asker: Asker, kind: Kind, url: str) -> Found | None:
    """A server that wants a key: a finding only if it says its name."""
    if asker.server.replace(".", "").lower() != kind.kind:
        return None
    return Found(kind=kind.kind, url=url, detail="it wants a key: add it as an [[endpoint]] with its key")


def _first_of_each(found: Iterable[Found]) -> Iterable[Found]:
    """One finding for each address, should two kinds usually listen there."""
    seen: set[str] = set()
    for one in found:
        if one.url not in seen:
            seen.add(one.url)
            yield one
