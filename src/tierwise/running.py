"""What does the gateway say that already runs? Asks the server at the configured address, as a caller on this machine.

Constructs nothing of the gateway. Invariant: neither a message nor a key goes to a stranger who listens there.
"""

import asyncio
import time
from typing import Self

import msgspec

from tierwise.config import OWN_KEY, Settings
from tierwise.core.answer import Answer
from tierwise.core.call import Hints
from tierwise.core.capacity import CapacityRecord
from tierwise.core.decision import Decision
from tierwise.core.errors import ConfigError, InvalidCall, ProviderError, Refused, TierwiseError, Unauthorized
from tierwise.ledger.encode import decode_decision
from tierwise.providers.address import Address
from tierwise.providers.transport import Transport
from tierwise.server.app import HEALTHY
from tierwise.wires import chat
from tierwise.wires.error import error_from

HEALTH_TIMEOUT_S = 2.0


class Served:
    """The gateway that runs already on the configured port, over connections that are kept until the block ends."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._transport = settings, Transport()
        self._base = address_of_server(settings)
        self._secret = settings.secret(settings.own_key) if settings.own_key else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    async def healthy(self) -> bool:
        """Say whether a Tierwise answers there: neither message nor key is for a stranger who listens."""
        return await _healthy(self._transport, self._base, asyncio.get_running_loop().time() + HEALTH_TIMEOUT_S)

    async def ask(self, body: bytes, hints: Hints) -> tuple[Answer | None, Decision | None, ProviderError | None]:
        """Send a request; return the answer or the error, and the record where there is one. Ask `healthy` before."""
        said = {"workflow": hints.workflow, "label": hints.label, "session": hints.session}
        headers = tuple((f"x-tierwise-{name}", str(value)) for name, value in said.items() if value is not None)
        address = Address(url=f"{self._base}/v1", key=self._secret, headers=headers)
        deadline = asyncio.get_running_loop().time() + self._settings.document.fallback.total_timeout_s
        exchange = await self._transport.post(address, "/chat/completions", body, deadline=deadline, stream=False)
        answer, ident = await exchange.read_all(), exchange.headers.get(b"x-tierwise-decision")
        decision = None
        if ident is not None:
            record = await self._transport.get(address, f"/decisions/{ident.decode()}", deadline=deadline)
            decision = decode_decision(await record.read_all()) if record.status == 200 else None
        if exchange.status == 200 and decision is not None:
            return chat.decode_answer(answer), decision, None
        return None, decision, error_from(exchange.status, exchange.headers, answer, time.time())

    def explained(self, failed: ProviderError, decision: Decision | None) -> TierwiseError:
        """Return the error of a gateway as one of ours, with its decision where there is one."""
        text = str(failed).replace("The endpoint", "The running gateway", 1)
        if failed.status == 401 and self._secret is None:  # a 403 is policy, which no key of the environment mends
            text += f"; set {OWN_KEY} to yours"
        unasked = decision is None and isinstance(failed, Refused | Unauthorized)
        error = InvalidCall(text) if unasked else type(failed)(text)
        error.decision = decision
        return error


async def ask_server(settings: Settings, body: bytes, hints: Hints) -> tuple[Answer, Decision] | None:
    """Send a request to the gateway that already runs on the configured port; None where no Tierwise answers there.

    Raises InvalidCall or ProviderError as that gateway answers with an error, with its decision where there is one.
    """
    async with Served(settings) as served:
        if not await served.healthy():
            return None
        answer, decision, error = await served.ask(body, hints)
        if error is not None or answer is None or decision is None:
            raise served.explained(error or ProviderError("The endpoint said nothing"), decision)
        return answer, decision


def address_of_server(settings: Settings) -> str:
    """Return where callers on this machine reach the configured gateway, without the version path."""
    server = settings.document.server
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{server.port}"


class _Said(msgspec.Struct):
    capacity: CapacityRecord | None = None


class _Model(msgspec.Struct):
    id: str
    tierwise: _Said = msgspec.field(default_factory=_Said)


class _List(msgspec.Struct):
    data: tuple[_Model, ...]


async def served_models(settings: Settings) -> tuple[str, ...] | None:
    """Return what the gateway that runs at the configured address lists, None where none answers there.

    Empty where it wants a key whose variable is not set here. Raises ConfigError where it does not take the key.
    """
    found = await _models(settings)
    return None if found is None else tuple(row.id for row in found)


async def capacities(settings: Settings) -> dict[str, CapacityRecord] | None:
    """Return how busy each model is, as the gateway that runs here knows; None where none says."""
    try:
        found = await _models(settings)
    except ConfigError:  # it runs, and this key is not for it
        return None
    return None if found is None else {row.id: row.tierwise.capacity for row in found if row.tierwise.capacity}


async def _models(settings: Settings) -> tuple[_Model, ...] | None:
    base, transport = address_of_server(settings), Transport()
    secret = settings.secret(settings.own_key) if settings.own_key else None
    deadline = asyncio.get_running_loop().time() + HEALTH_TIMEOUT_S
    try:
        # The key is not for a stranger who listens there.
        if not await _healthy(transport, base, deadline):
            return None
        if settings.document.key and secret is None:
            return ()
        exchange = await transport.get(Address(url=f"{base}/v1", key=secret), "/models", deadline=deadline)
        answer = await exchange.read_all()
        if exchange.status != 200:
            failed = str(error_from(exchange.status, exchange.headers, answer, time.time()))
            raise ConfigError(failed.replace("The endpoint", f"The gateway at {base}", 1))
        return msgspec.json.decode(answer, type=_List).data
    finally:
        await transport.aclose()


async def _healthy(transport: Transport, base: str, deadline: float) -> bool:
    """Say whether a Tierwise answers there."""
    try:
        exchange = await transport.get(Address(url=base), "/healthz", deadline=deadline)
        return await exchange.read_all() == HEALTHY
    except ProviderError:
        return False
