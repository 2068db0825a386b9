"""What answers from a file of a linear model? An HTTP server within the child process, which `engine_child` calls.

Knows no pipe; what is answered is in `linear_answer`. Needs the extra `evals`.
Invariant: it listens on loopback only, and without the key says nothing but that it is well.
"""

import hmac
import secrets
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from tierwise.linear.header import MAX_FILE_BYTES
from tierwise.linear.model import LinearModel, from_bytes
from tierwise.providers.child_server import listening
from tierwise.providers.linear_answer import Reply, Unanswerable, reply

MAX_BODY_BYTES: Final = 4 * 1024 * 1024


def start(orders: dict[str, Any]) -> tuple[int, Any]:
    """Load the file and return the port, and what answers there. Raises OSError, ValueError."""
    with Path(orders["file"]).open("rb") as file:
        model = from_bytes(file.read(MAX_FILE_BYTES + 1))
    return listening(Served(model, orders["name"], orders["key"]))


class Served:
    """The application: the chat wire, a list of the one model, and whether it is well."""

    def __init__(self, model: LinearModel, name: str, key: str) -> None:
        self._model, self._name, self._key = model, name, f"Bearer {key}".encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        match scope["method"], scope["path"]:
            case "GET", "/health":
                await _whole(send, 200, {"status": "ok"})
            case _ if not hmac.compare_digest(dict(scope["headers"]).get(b"authorization", b""), self._key):
                await _refused(send, 401, "the key is wrong or missing", code="invalid_api_key")
            case "GET", "/v1/models":
                entry = {"id": self._name, "object": "model", "created": 0, "owned_by": "tierwise"}
                await _whole(send, 200, {"object": "list", "data": [entry]})
            case "POST", "/v1/chat/completions":
                await self._chat(receive, send)
            case _:
                await _refused(send, 404, "there is nothing here", code="not_found")

    async def _chat(self, receive: Any, send: Any) -> None:
        body = await _body(receive)
        if body is None:
            await _refused(send, 413, f"the request is larger than {MAX_BODY_BYTES} bytes", code="too_large")
            return
        ident = f"chatcmpl-{secrets.token_hex(12)}"
        try:
            found = reply(self._model, self._name, body, ident=ident, created=int(time.time()))
        except Unanswerable as error:
            await _refused(send, 400, str(error), code=error.code, param=error.param)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            await _refused(send, 400, f"this is no chat request: {error}", code="invalid_request")
        else:
            await _answered(send, found)


async def _body(receive: Any) -> bytes | None:
    """Return the body, None for one that is too large."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
        if sum(map(len, parts)) > MAX_BODY_BYTES:
            return None
    return b"".join(parts)


async def _answered(send: Any, found: Reply) -> None:
    kind = b"text/event-stream" if found.streamed else b"application/json"
    headers = [(b"content-type", kind)]
    if not found.streamed:
        headers.append((b"content-length", str(len(found.parts[0])).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for place, part in enumerate(found.parts, 1):
        await send({"type": "http.response.body", "body": part, "more_body": place < len(found.parts)})


async def _refused(send: Any, status: int, message: str, *, code: str, param: str | None = None) -> None:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    await _whole(send, status, {"error": error})


async def _whole(send: Any, status: int, value: Any) -> None:
    body = msgspec.json.encode(value)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
