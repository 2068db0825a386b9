"""Rows 1 to 19: bytes on the wire, before anybody reads a body."""

from tests.faults.doors import WIRES
from tests.faults.scene import Scene, case


@case(1, WIRES)
async def two_lengths(at: Scene) -> None:
    """Content-Length and Transfer-Encoding."""
    behind = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = "\r\n".join([f"POST {at.door.path} HTTP/1.1", *at.target.head()])
    for first, second in (
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
    ):
        data = f"{head}\r\n{first}\r\n{second}\r\n\r\n0\r\n\r\n".encode()
        await at.closed(f"{first}, {second}", data + behind)
