"""How is a server asked about itself? `Asker` puts the questions, `Told` and `ServedModel` hold what came of them.

It knows no server. Answers are untrusted: bounded in size by the transport, decoded into the few fields that are
wanted, names and numbers checked. Invariant: what is not of the expected shape is as good as not said.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from tierwise.core.errors import Unauthorized
from tierwise.core.model import Capability
from tierwise.providers.transport import Address, Exchange, Transport

T = TypeVar("T")

MAX_MODELS: Final = 200
_MAX_NAME_CHARACTERS = 200
_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_BY_MODEL: Final = frozenset(
    {"tools", "images", "files", "audio", "thinking"}
)  # what the wire carries but not every model can


class ServedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model as its server describes it. `context_tokens` is that of one call; `loaded` None: not told.

    `digest` names the weights behind the name, where the server tells it.
    """

    id: str
    context_tokens: int | None = None
    capabilities: tuple[Capability, ...] = ()
    loaded: bool | None = None
    digest: str | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a server said. `detail` is for people."""

    models: tuple[ServedModel, ...] = ()
    slots: int | None = None
    version: str | None = None
    detail: str = ""


class Asker:
    """Puts questions to one server, in one limited time. `wire_can` is what its kind can do on the wire."""

    def __init__(
        self, transport: Transport, address: Address, *, wire_can: Sequence[Capability], deadline: float
    ) -> None:
        self._transport, self._deadline = transport, deadline
        self.address, self.wire_can = address, tuple(wire_can)
        self.root = msgspec.structs.replace(address, url=address.url.rstrip("/").removesuffix("/v1"))
        self.latency_ms: float | None = None
        self.server = ""

    async def get(self, address: Address, path: str, shape: type[T]) -> T | None:
        """Return the answer; None if it is not of this shape. Raises ProviderError, Unauthorized for 401 and 403."""
        return await self._read(await self._transport.get(address, path, deadline=self._deadline), shape)

    async def text(self, address: Address, path: str) -> str | None:
        """Return an answer that is plain text; None where there is none. Raises as `get`."""
        body = await self._body(await self._transport.get(address, path, deadline=self._deadline))
        return None if body is None else body.decode("utf-8", "replace")

    async def post(self, address: Address, path: str, question: object, shape: type[T]) -> T | None:
        """As `get`, with a question in JSON."""
        body = msgspec.json.encode(question)
        exchange = await self._transport.post(address, path, body, deadline=self._deadline, stream=False)
        return await self._read(exchange, shape)

    async def _read(self, exchange: Exchange, shape: type[T]) -> T | None:
        body = await self._body(exchange)
        if body is None:
            return None
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    async def _body(self, exchange: Exchange) -> bytes | None:
        self.latency_ms = self.latency_ms or exchange.first_byte_ms
        self.server = exchange.headers.get(b"server", b"").decode("latin-1")
        if exchange.status in (401, 403):
            raise Unauthorized("the server does not accept the key, or wants one", status=exchange.status)
        return await exchange.read_all() if exchange.status == 200 else None

    def able(self, **told: bool) -> tuple[Capability, ...]:
        """What the wire can do, without what depends on the model and was not confirmed."""
        return tuple(one for one in self.wire_can if one not in _BY_MODEL or told.get(one, False))


def hurried(
    transport: Transport, address: Address, *, wire_can: Sequence[Capability], quick_s: float, total_s: float
) -> Asker:
    """Return who asks this address, and waits no longer than that for the first word and for all of them."""
    limits = msgspec.structs.replace(
        address.limits,
        connect_timeout_s=min(quick_s, address.limits.connect_timeout_s),
        first_byte_timeout_s=quick_s,
        idle_timeout_s=quick_s,
        max_answer_bytes=_MAX_ANSWER_BYTES,
    )
    deadline = asyncio.get_running_loop().time() + total_s
    return Asker(transport, msgspec.structs.replace(address, limits=limits), wire_can=wire_can, deadline=deadline)


def sound(name: str) -> bool:
    """Say whether a name can be shown and sent."""
    return 0 < len(name) <= _MAX_NAME_CHARACTERS and name.isprintable()


def shown(text: str | None) -> str | None:
    """Return a text that a server gave if it can be shown."""
    return text if text is not None and sound(text) else None


def count(number: int | None) -> int | None:
    """Return a number of tokens or slots if it makes sense."""
    return number if number is not None and 0 < number < 1 << 40 else None


def listed(models: Iterable[ServedModel]) -> tuple[ServedModel, ...]:
    """Return the first models with sound names."""
    return tuple(model for model in models if sound(model.id))[:MAX_MODELS]
