"""How do the pages ask the gateway? Over HTTP, at the address and under the key of whoever looks.

Invariant: nothing is asked under any other key.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from tierwise.core.decision import Decision
from tierwise.core.errors import InvalidCall, TierwiseError
from tierwise.core.secret import Secret
from tierwise.ledger.encode import decode_decision
from tierwise.providers.egress import LOOPBACK
from tierwise.providers.transport import Address, Transport

WAIT_S = 5.0


class Gateway:
    """The gateway as one request may ask it."""

    def __init__(self, transport: Transport, headers: Mapping[str, str]) -> None:
        self._transport = transport
        shown = headers.get("x-tierwise-auth", "").removeprefix("Bearer ")
        url = headers.get("x-tierwise-gateway", "")
        self.key = Secret(shown) if shown else None
        self.url, self.key_name = url, unquote(headers.get("x-tierwise-key", ""))
        self._address = Address(url=url, key=self.key, networks=() if shown else LOOPBACK)

    async def decision(self, path: str, body: Mapping[str, Any] | None = None) -> Decision:
        """Return the decision that an address answers with. InvalidCall with the gateway's own words where it refuses,
        StoreError where what it says is none."""
        deadline = asyncio.get_running_loop().time() + WAIT_S
        if body is None:
            exchange = await self._transport.get(self._address, path, deadline=deadline)
        else:
            sent = msgspec.json.encode(body)
            exchange = await self._transport.post(self._address, path, sent, deadline=deadline, stream=False)
        answer = await exchange.read_all()
        if exchange.status != 200:
            with contextlib.suppress(msgspec.DecodeError, LookupError, TypeError):
                raise InvalidCall(str(msgspec.json.decode(answer)["error"]["message"]), status=exchange.status)
            raise InvalidCall(f"the gateway answers {exchange.status}", status=exchange.status)
        return decode_decision(answer)

    async def status(self) -> dict[str, Any] | None:
        """Return how everything is, None where the gateway does not say."""
        deadline = asyncio.get_running_loop().time() + WAIT_S
        try:
            exchange = await self._transport.get(self._address, "/v1/status", deadline=deadline)
            if exchange.status != 200:
                return None
            found: dict[str, Any] = msgspec.json.decode(await exchange.read_all())
        except (TierwiseError, msgspec.DecodeError):
            return None
        return found

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Send JSON to one of the API's addresses; return the status and what it said, None where that is no JSON.

        Raises TierwiseError where it does not answer.
        """
        deadline = asyncio.get_running_loop().time() + WAIT_S
        exchange = await self._transport.post(
            self._address, path, msgspec.json.encode(body), deadline=deadline, stream=False
        )
        answer = await exchange.read_all()
        with contextlib.suppress(msgspec.DecodeError):
            return exchange.status, msgspec.json.decode(answer)
        return exchange.status, None
