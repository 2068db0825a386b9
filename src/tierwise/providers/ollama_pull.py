"""How does an Ollama that runs get a model, and what does it say of it? https://docs.ollama.com/api/pull (2026-11)

It fetches nothing itself: Ollama downloads, resumes and checks digests. Invariant: success is said only where Ollama
said so, and lists the model afterwards.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from tierwise.core.errors import BadReply, InvalidCall, Refused, Unreachable
from tierwise.providers.address import Address
from tierwise.providers.ranges import LIMITS
from tierwise.providers.transport import Exchange, Transport

_TIMEOUT_S = 86_400.0
_ASK_TIMEOUT_S = 10.0
_MAX_LINE_BYTES = 64 * 1024


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A model that Ollama has."""

    name: str
    size_bytes: int | None
    digest: str | None


class _Line(msgspec.Struct):
    status: str = ""
    digest: str | None = None
    total: int | None = None
    completed: int = 0
    error: str | None = None


class _Tag(msgspec.Struct):
    name: str
    size: int | None = None
    digest: str | None = None


class _Tags(msgspec.Struct):
    models: list[_Tag]


async def held(transport: Transport, root: Address, name: str) -> Held | None:
    """Return the model of that name, tag included, as Ollama has it; None where it has none. Raises ProviderError."""
    deadline = asyncio.get_running_loop().time() + _ASK_TIMEOUT_S
    try:
        exchange = await transport.get(root, "/api/tags", deadline=deadline)
    except Unreachable as error:
        raise Unreachable(f"{root.url}: {error}; start Ollama first", code=error.code) from error
    try:
        tags = msgspec.json.decode(await exchange.read_all(), type=_Tags)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadReply(f"{root.url} does not answer as Ollama does") from error
    tag = next((one for one in tags.models if one.name == name), None)
    return None if tag is None else Held(name=tag.name, size_bytes=tag.size, digest=tag.digest)


async def pull(transport: Transport, root: Address, name: str, tell: Callable[[int, int | None], None]) -> Held:
    """Let Ollama fetch a model; `tell` hears bytes that it has, and of how many. Raises ProviderError, InvalidCall."""
    address = msgspec.structs.replace(root, limits=LIMITS)
    body = msgspec.json.encode({"model": name, "stream": True})
    deadline = asyncio.get_running_loop().time() + _TIMEOUT_S
    exchange = await transport.post(address, "/api/pull", body, deadline=deadline, stream=True)
    parts: dict[str, tuple[int, int]] = {}
    here = whole = 0
    done = False
    async for line in _lines(exchange):
        if line.error is not None:
            raise Refused(f"Ollama does not get {name}: {line.error[:300]}")
        if line.digest is not None and line.total is not None:
            before = parts.get(line.digest, (0, 0))
            parts[line.digest] = (line.completed, line.total)
            here, whole = here + line.completed - before[0], whole + line.total - before[1]
            tell(here, whole)
        done = line.status == "success"
    if exchange.status != 200 or not done:
        raise BadReply(f"Ollama ended without saying that it has {name}", code="upstream_incomplete")
    found = await held(transport, root, name)
    if found is None:
        raise InvalidCall(f"Ollama said that it has {name}, and does not list it")
    return found


async def _lines(exchange: Exchange) -> AsyncIterator[_Line]:
    rest = b""
    try:
        while chunk := await exchange.read_some():
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _MAX_LINE_BYTES:
                raise BadReply("Ollama sent a line without an end")
            for line in lines:
                yield _line(line)
        if rest.strip():
            yield _line(rest)
    finally:
        exchange.release()


def _line(line: bytes) -> _Line:
    try:
        return msgspec.json.decode(line, type=_Line) if line.strip() else _Line()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadReply("Ollama sent what is no status of a download") from error
