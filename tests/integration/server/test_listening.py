"""What callers connect to: nothing waits for their acknowledgement, whichever event loop accepts them."""

import asyncio
import socket
from collections.abc import Callable

import pytest
import uvloop

from tierwise.server.run import listen
from tierwise.server.settings import ServerSettings


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_small_writes_leave_at_once(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def scene() -> int:
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def caller(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            plug = writer.get_extra_info("socket")
            accepted.set_result(plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listener = listen(ServerSettings(port=0), keyed=False)
        async with await asyncio.start_server(caller, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            said = await accepted
            writer.close()
        return said

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(scene())
