"""Which keys are taken at this moment, and whose requests must end? Those of the configuration and those of the ledger.

The ledger is asked by the first request after a while, and twice a second as long as any request is open; so a key that
is revoked in another process is refused within `FRESH_S`, and its open requests end within `POLL_S`.
Invariant: once a key was wanted, no request of this process is served without one; where the ledger's keys cannot be
read, nobody new is let in on what was known before.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

import msgspec

from tierwise.core.errors import ConfigError, StoreError, TierwiseError
from tierwise.core.grant import Grant
from tierwise.core.secret import Secret
from tierwise.gateway.clock import Clock
from tierwise.ledger.keys import StoredKey, hashed
from tierwise.server.http import Request
from tierwise.server.keys import UNKNOWN, Key, Keys, identify, no_longer

FRESH_S = 1.0
POLL_S = 0.5
_log = logging.getLogger("tierwise.server")


class Source(Protocol):
    """Where keys are kept that were made with `tierwise keys`."""

    async def key_version(self) -> int:
        """Return a number that rises with each change of any key."""

    async def keys(self) -> list[StoredKey]:
        """Return all keys."""


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the configuration. `expires` is Unix seconds."""

    secret: Secret
    grant: Grant
    expires: float | None = None


class Ring:
    """The keys of one process. `pepper` is asked for what the ledger's keys were hashed with, once there are any."""

    def __init__(self, configured: Sequence[Configured], source: Source, pepper: Callable[[], bytes]) -> None:
        self._configured, self._source, self._pepper_of = tuple(configured), source, pepper
        self._pepper: bytes | None = None
        self._clock = Clock()
        self._version, self._looked = -1, -FRESH_S
        self._stored = False
        self._looking: asyncio.Task[TierwiseError | None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._open: dict[Request, tuple[Key, asyncio.Task[object]]] = {}
        self._keys = Keys((), b"", required=False)
        self._take([])

    async def required(self) -> bool:
        """Say whether callers have to show a key. Raises StoreError or ConfigError where that cannot be known."""
        error = await self._look()
        if error is not None:
            raise error
        return self._keys.required

    async def identify(self, request: Request, *, local: bool) -> None:
        """Let the request in with its key, or raise Rejected; StoreError where the keys cannot be read now."""
        await self._know(FRESH_S)
        key, denied = identify(self._keys, request.headers, self._clock(), local=local)
        if denied is UNKNOWN:  # it may have been made a moment ago
            await self._know(0.0)
            key, denied = identify(self._keys, request.headers, self._clock(), local=local)
        request.admit(key, denied)

    async def _know(self, age_s: float) -> None:
        """See to it that what is known is not older than this."""
        wanted = monotonic() - age_s
        while self._looked < wanted:  # a second time where the look that was under way began too early
            error = await self._look()
            if error is not None and self._stored:
                raise StoreError(f"the keys cannot be read: {error}") from error
            if error is not None:
                return

    @contextmanager
    def watched(self, request: Request) -> Iterator[None]:
        """End the request if its key ends inside."""
        key, task = request.key, asyncio.current_task()
        if key is None or task is None:
            yield
            return
        self._open[request] = (key, task)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._open.pop(request, None)

    async def _watch(self) -> None:
        while self._open:
            await asyncio.sleep(POLL_S)
            if not self._open:  # perhaps because the gateway ends, and the ledger with it
                return
            error = await self._look()
            if error is not None:
                _log.warning("the keys cannot be read: %s", error)
            now = self._clock()
            for request, (key, task) in list(self._open.items()):
                if not self._keys.holds(key, now):
                    del self._open[request]
                    request.ending = no_longer(key)
                    task.cancel()

    async def _look(self) -> TierwiseError | None:
        """Bring the keys up to date; everybody who waits for that waits for the same answer."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._read())
        return await asyncio.shield(self._looking)

    async def _read(self) -> TierwiseError | None:
        began = monotonic()
        try:
            version = await self._source.key_version()
            if version != self._version:
                self._take(await self._source.keys())
                self._version = version
            self._looked = began
        except (StoreError, ConfigError) as error:
            return error
        finally:
            self._looking = None
        return None

    def _take(self, stored: Sequence[StoredKey]) -> None:
        if self._pepper is None and stored:
            self._stored = True  # from now on nobody is let in until they could be read
            self._pepper = self._pepper_of()
        pepper = self._pepper or os.urandom(32)
        own = [
            Key(digest=hashed(pepper, c.secret.reveal().encode()), grant=c.grant, until=c.expires)
            for c in self._configured
        ]
        names = {key.grant.name for key in own}
        kept = [
            Key(digest=k.hash, grant=k.grant, until=k.until, ended=k.ended) for k in stored if k.grant.name not in names
        ]
        required = self._keys.required or bool(own or stored)
        self._stored = bool(stored)
        self._keys = Keys([*own, *kept], pepper, required=required)
