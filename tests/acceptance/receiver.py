"""A receiver of webhooks on loopback: keeps what it gets, and answers as it is told to, or not at all."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec


class Got(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery: where it was sent, its headers by lower-case name, its bytes."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Receiver:
    """What was received. `status` None lets every sender wait; other numbers are answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.got: list[Got] = []
        self.status: int | None = 204
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/secret-path?team=ops"

    def events(self) -> list[tuple[str, str]]:
        """Return what was told: the event, and the subject of its incident."""
        return [(one.said["event"], one.said["incident"]["subject"]) for one in self.got]


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """Run a receiver."""

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Got(path=self.path, headers=headers, body=body))
            if receiver.status is None:
                receiver.released.wait(60)
                return
            self.send_response(receiver.status)
            self.send_header("content-length", "0")
            if receiver.status in (301, 302, 307, 308):
                self.send_header("location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Hook) as server:
        server.daemon_threads = True
        receiver = Receiver(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield receiver
        receiver.released.set()
        server.shutdown()
        thread.join()
