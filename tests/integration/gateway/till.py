"""A model server with so many places: it answers as many calls at once, the others wait in the order in which they came.

What a call says is how many milliseconds its answer takes.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.core.label import Tier
from tierwise.registry.settings import EndpointRow, ModelRow


@asynccontextmanager
async def till(places: int) -> AsyncIterator[str]:
    """Serve Chat Completions on loopback; gives the address."""
    turn = asyncio.Semaphore(places)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                asked = json.loads(await reader.readexactly(int(lengths[0]))) if lengths else None
                body = await answer(asked) if asked else b'{"data":[]}'
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
                writer.write(b"content-length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        writer.close()

    async def answer(asked: dict[str, object]) -> bytes:
        said = asked["messages"][0]["content"]  # type: ignore[index]
        async with turn:
            await asyncio.sleep(int(said) / 1000)
        message = {"role": "assistant", "content": f"after {said} ms"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
        told = {"id": "x", "object": "chat.completion", "created": 1, "model": asked["model"]}
        return json.dumps(told | {"choices": [choice], "usage": usage}).encode()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


@asynccontextmanager
async def behind_a_gateway(places: int, home: Path) -> AsyncIterator[bootstrap.Wired]:
    """Open a gateway whose only model is served by a till."""
    async with till(places) as url:
        endpoint = EndpointRow(name="till", kind="scripted", tier=Tier.LOCAL, url=url, wires=("chat",))
        document = Document(endpoint=(endpoint,), model=(ModelRow(id="clerk", endpoint="till"),))
        async with bootstrap.opened(Settings(document=document, home=home)) as wired:
            yield wired
