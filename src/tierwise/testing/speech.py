"""What does the scripted upstream need of a wire? How a request is read, and how an answer is written.

The modules `speech_…` are such wires, written apart from the package's own so that tests compare two hands.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol

from tierwise.testing.faults import Script
from tierwise.testing.replies import Reply

Kind = Literal["start", "content", "finish", "end"]
Frame = tuple[bytes, Kind]
"""Bytes of a stream: what comes before content, content, the reason to stop, and the wire's own end."""

_KEY = b"tierwise scripted upstream"


class Unfit(Exception):
    """The request is not one that the real server would take."""

    def __init__(self, message: str, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.code = code


class Speech(Protocol):
    """One wire of the scripted upstream."""

    STREAM_TYPE: str

    def normal(self, request: Mapping[str, Any], headers: Mapping[str, str], script: Script) -> dict[str, Any]:
        """Return the request in the terms of `replies`. Raises `Unfit` for what the real server would refuse."""

    def whole(self, reply: Reply, request: Mapping[str, Any], number: int, script: Script) -> bytes:
        """Write an answer that is not streamed."""

    def frames(self, reply: Reply, request: Mapping[str, Any], number: int, script: Script) -> Iterator[Frame]:
        """Write the stream, one piece of content a frame."""

    def error(self, status: int, message: str, code: str | None) -> bytes:
        """Write an error."""

    def broken(self) -> bytes:
        """Write an error into a stream."""


def sign(text: str) -> str:
    """Return the seal under a piece of thinking, without which it is refused when it comes back."""
    return base64.b64encode(hmac.digest(_KEY, text.encode("utf-8", "replace"), hashlib.sha256)).decode()


def sse(payload: bytes, name: str = "") -> bytes:
    """Write one server-sent event."""
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + payload + b"\n\n"


def known_only(request: Mapping[str, Any], known: frozenset[str], path: str = "") -> None:
    """Refuse members that the wire does not know, as the strict vendors do."""
    for name in request:
        if name not in known:
            raise Unfit(f"{path}{name}: Extra inputs are not permitted", "unknown_parameter")


def functions(tools: list[tuple[str, Mapping[str, Any] | None]]) -> list[dict[str, Any]]:
    """Return tools in the terms of `replies`."""
    return [{"type": "function", "function": {"name": name, "parameters": shape or {}}} for name, shape in tools]
