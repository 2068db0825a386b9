"""A collector on loopback: real sockets, the official classes; and every way in which one can be bad."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def read_attributes(found: Any) -> dict[str, Any]:
    """Return attributes as a plain dictionary; a name that comes twice is a mistake."""
    names = [one.key for one in found]
    assert len(names) == len(set(names))
    return {one.key: _value(one.value) for one in found}


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return values that can be compared with their types."""
    return {name: (type(value).__name__, value) for name, value in values.items()}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)


class Collector:
    """What was received. `answer` is the status that it gives."""

    def __init__(self) -> None:
        self.answer = 200
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.port, self.scheme = 0, "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def spans(self) -> list[Any]:
        """Every span, in the order in which they came."""
        return [
            span
            for path, _, body in list(self.requests)
            if path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics of the last request with some, by name."""
        bodies = [body for path, _, body in list(self.requests) if path == "/v1/metrics"]
        if not bodies:
            return {}
        found = ExportMetricsServiceRequest.FromString(bodies[-1]).resource_metrics[0].scope_metrics[0].metrics
        return {one.name: one for one in found}


@contextlib.contextmanager
def collecting(tls: ssl.SSLContext | None = None) -> Iterator[Collector]:
    """Listen until the block ends."""
    found = Collector()
    found.scheme = "http" if tls is None else "https"

    class Taking(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(found.answer)
            self.send_header("content-length", "0")
            if found.answer in (301, 307, 308):
                self.send_header("location", f"{found.url}/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def misbehaving(act: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen, and do this to each connection; gives the URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    taken: list[socket.socket] = []

    def run() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                taken.append(connection)
                act(connection)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        with contextlib.suppress(OSError):
            socket.create_connection(listener.getsockname(), timeout=1).close()
        thread.join(5)
        for connection in taken:
            connection.close()
        listener.close()


def hang(_connection: socket.socket) -> None:
    """Accept and say nothing."""


def reset(connection: socket.socket) -> None:
    """Cut the line so that the other side notices."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def garbage(connection: socket.socket) -> None:
    """Answer what is no HTTP."""
    connection.sendall(b"\x00\xffnonsense\r\n\r\n" * 10)
    connection.close()


def endless(connection: socket.socket) -> None:
    """Answer with more than anybody wants."""
    with contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n" + b"x" * 1_000_000)
    connection.close()


MISBEHAVIOURS = (hang, reset, garbage, endless)


def until(holds: Callable[[], bool], limit_s: float = 10) -> bool:
    """Wait until something holds; say whether it did in time."""
    deadline = time.monotonic() + limit_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()
