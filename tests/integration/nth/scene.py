"""A gateway that serves a few calls while its disk fails: what it acknowledged goes to standard output, one JSON a line."""

import asyncio
import json
import sys
from pathlib import Path

import msgspec

from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.core.errors import StoreError, TierwiseError
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.wires import chat

CALLS = 4


async def main(home: str, url: str) -> None:
    document = Document(
        endpoint=(EndpointRow(name="up", kind="scripted", url=url),), model=(ModelRow(id="m", endpoint="up"),)
    )
    async with bootstrap.opened(Settings(document=document, home=Path(home))) as wired:
        for number in range(CALLS):
            body = {
                "model": "m",
                "messages": [{"role": "user", "content": f"call {number}"}],
                "stream": number % 2 == 1,
            }
            said: dict[str, object] = {"call": number}
            try:
                reply = await wired.gateway.handle(chat.decode_request(msgspec.json.encode(body)))
                if reply.deltas is not None:
                    async for _ in reply.deltas:
                        pass
                said |= {"answered": reply.decision.id}
            except TierwiseError as error:
                said |= {"error": type(error).__name__}
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2]))
    except StoreError as error:  # as the command says it, and ends
        print(json.dumps({"stopped": str(error)}))
