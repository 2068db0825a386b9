"""At the end nobody outside is waited for in turn: the witness, the collector and the webhook are told at once."""

import asyncio
import contextlib
import http.server
import socket
import threading
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.integration.gateway.conftest import Build
from tierwise.audit.settings import AuditSettings, WitnessRow
from tierwise.economics.budget import Budget
from tierwise.incidents.settings import NotifyRow
from tierwise.telemetry.settings import TelemetrySettings

PLACES = ("/log", "/spans", "/hook")


class Meeting(http.server.BaseHTTPRequestHandler):
    """Answers each only once all three are there, and counts who has waited for that."""

    there: threading.Barrier
    met: list[str]

    def do_POST(self) -> None:
        place = next(place for place in PLACES if self.path.startswith(place))
        self.rfile.read(int(self.headers["content-length"]))
        try:
            self.there.wait(30)
        except threading.BrokenBarrierError:
            return
        with contextlib.suppress(BlockingIOError):  # nothing to read, and not closed: it still waits for its answer
            self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            return
        self.met.append(place)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_PUT = do_POST  # noqa: N815  # as the server calls it

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def meeting() -> Iterator[tuple[str, list[str]]]:
    met: list[str] = []
    handler = type("Handler", (Meeting,), {"there": threading.Barrier(len(PLACES)), "met": met})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", met
        handler.there.abort()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def test_who_is_told_at_the_end_is_told_at_the_same_time(house: Build, meeting: tuple[str, list[str]]) -> None:
    url, met = meeting

    async def scene() -> None:
        async with house(
            audit=AuditSettings(every_s=600, witness=(WitnessRow(url=f"{url}/log"),)),
            telemetry=TelemetrySettings(url=f"{url}/spans", every_s=600, metrics=False),
            notify=(NotifyRow(name="hook", kind="webhook", url=f"{url}/hook"),),
            budget=(Budget(scope="all", limit_usd=Decimal(1), soft_limit_usd=Decimal("0.00000001")),),
        ) as h:
            await h.ask(model="far", max_completion_tokens=5)

    asyncio.run(scene())
    assert sorted(met) == sorted(PLACES)
