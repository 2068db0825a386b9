"""A whole gateway in this process: real ledger, real transport, scripted upstreams on loopback for each tier."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.core.answer import assemble
from tierwise.core.call import Call, Hints
from tierwise.core.decision import Decision
from tierwise.core.label import Tier
from tierwise.core.model import Capability
from tierwise.core.usage import Price
from tierwise.gateway.gateway import Reply
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import ScriptedUpstream
from tierwise.wires import chat

PRICE = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(10))
TIERS = {"near": Tier.LOCAL, "mid": Tier.SELF_HOSTED, "far": Tier.FRONTIER}


class House:
    """A running gateway and its three upstreams, by model id."""

    def __init__(self, wired: bootstrap.Wired, upstreams: dict[str, ScriptedUpstream]) -> None:
        self.wired, self.gateway, self.upstreams = wired, wired.gateway, upstreams

    def call(self, text: str = "hello there", *, hints: Hints = Hints(), **fields: Any) -> Call:
        """Decode a request as the server would."""
        body = {"model": "auto", "messages": [{"role": "user", "content": text}]} | fields
        return chat.decode_request(json.dumps(body).encode(), hints)

    async def ask(self, text: str = "hello there", *, hints: Hints = Hints(), **fields: Any) -> Reply:
        """Send one request through."""
        return await self.gateway.handle(self.call(text, hints=hints, **fields))

    async def recorded(self, id_: str) -> Decision:
        """Return what the ledger holds."""
        found = await self.wired.ledger.get(id_)
        assert found is not None
        return found

    def asked(self) -> dict[str, int]:
        """Count the requests that each upstream got."""
        return {name: len(up.asked) for name, up in self.upstreams.items()}


Build = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def house(tmp_path: Path) -> Build:
    """Open a house; `served` scripts a model by name (`near="scripted-1?fault=hang"`), the rest goes into the document."""

    @asynccontextmanager
    async def build(
        *,
        served: dict[str, str] | None = None,
        limits: Any = None,
        environ: dict[str, str] | None = None,
        wires: Mapping[str, tuple[str, ...]] = {},
        able: tuple[Capability, ...] | None = None,
        **document: Any,
    ) -> AsyncIterator[House]:
        names = {name: f"scripted-{name}" for name in TIERS} | (served or {})
        async with AsyncExitStack() as stack:
            ups = {
                name: await stack.enter_async_context(ScriptedUpstream(models=(names[name].partition("?")[0],)))
                for name in TIERS
            }
            endpoints = tuple(
                EndpointRow(
                    name=f"{name}-server",
                    kind="scripted",
                    tier=tier,
                    url=ups[name].generate_url if wires.get(name) == ("gemini",) else ups[name].url,
                    **({"limits": limits} if limits else {}),
                    **({"wires": wires[name]} if name in wires else {}),
                )
                for name, tier in TIERS.items()
            )
            models = tuple(
                ModelRow(
                    id=name,
                    endpoint=f"{name}-server",
                    served_name=names[name],
                    price=PRICE if name == "far" else None,
                    capabilities=able,
                )
                for name in TIERS
            )
            doc = msgspec.structs.replace(Document(endpoint=endpoints, model=models), **document)
            settings = Settings(document=doc, home=tmp_path, environ=environ or {})
            wired = await stack.enter_async_context(bootstrap.opened(settings))
            yield House(wired, ups)

    return build


async def text_of(reply: Reply) -> str:
    """Read a reply to its end, streamed or not."""
    if reply.answer is not None:
        return reply.answer.choices[0].text
    assert reply.deltas is not None
    return assemble([delta async for delta in reply.deltas]).choices[0].text
