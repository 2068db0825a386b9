"""How is a file elsewhere read like one here? `RemoteFile`: read and seek over range reads, for headers.

It runs a loop of its own, so it is for programs without one. Invariant: it never fetches more than its cap, whatever is
asked of it, and it writes nothing.
"""

import asyncio
import io
from contextlib import aclosing
from typing import Any, Final

from tierwise.core.errors import BadReply, Overloaded, TimedOut, Unreachable
from tierwise.providers.ranges import Place, Ranges
from tierwise.providers.transport import Transport

__all__ = ["MAX_FETCHED_BYTES", "Place", "RemoteFile"]

MAX_FETCHED_BYTES: Final = 256 * 1024 * 1024
_BLOCK_BYTES: Final = 2 * 1024 * 1024
_ATTEMPTS: Final = 4


class _Raw(io.RawIOBase):
    """One range read for each time that the buffer is filled."""

    def __init__(self, place: Place, max_fetched_bytes: int) -> None:
        self._place, self._left = place, max_fetched_bytes
        self._runner = asyncio.Runner()
        self._ranges: Ranges | None = None
        self._transport: Transport | None = None
        self._at = 0
        self.size_bytes = 0
        try:
            self._first = self._fetch(0, _BLOCK_BYTES)
        except BaseException:
            self.close()
            raise

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size_bytes}[whence]
        if base + offset < 0:
            raise ValueError("before the beginning of the file")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        room = memoryview(buffer).cast("B")
        count = min(len(room), self.size_bytes - self._at)
        if count <= 0:
            return 0
        data = self._first[self._at : self._at + count] or self._fetch(self._at, count)
        room[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            if self._transport is not None:
                self._runner.run(self._transport.aclose())
            self._runner.close()

    def _fetch(self, start: int, count: int) -> bytes:
        if count > self._left:
            raise BadReply("more of the file was asked for than its header may hold", code="upstream_too_large")
        data = self._runner.run(self._read(start, count))
        self._left -= len(data)
        return data

    async def _read(self, start: int, count: int) -> bytes:
        """Read on from where a connection broke off, a few times."""
        data = bytearray()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                part = await self._opened().part(start + len(data), count - len(data))
                self._same_file(part.size_bytes)
                count = min(count, part.size_bytes - start)
                async with aclosing(part.chunks()) as chunks:
                    async for chunk in chunks:
                        data += chunk
                        if len(data) >= count:
                            break
                if len(data) >= count:
                    return bytes(data[:count])
            except (Unreachable, TimedOut, Overloaded, BadReply) as error:
                lasting = isinstance(error, BadReply) and error.code != "upstream_incomplete"
                if lasting or attempt == _ATTEMPTS:
                    raise
        raise BadReply("the server sends less of the file than it says", code="upstream_incomplete")

    def _opened(self) -> Ranges:
        if self._ranges is None:
            self._transport = Transport()
            self._ranges = Ranges(self._transport, self._place)
        return self._ranges

    def _same_file(self, size_bytes: int) -> None:
        if self.size_bytes not in (0, size_bytes):
            raise BadReply(f"the file changed while it was read: {self.size_bytes} bytes, then {size_bytes}")
        self.size_bytes = size_bytes


class RemoteFile(io.BufferedReader):
    """A file elsewhere, opened for reading. Close it; its reads raise ProviderError and InvalidCall.

    `size_bytes` is that of the whole file.
    """

    def __init__(self, place: Place, *, max_fetched_bytes: int = MAX_FETCHED_BYTES) -> None:
        """Ask for its first bytes; raises as `Ranges.part` does."""
        raw = _Raw(place, max_fetched_bytes)
        super().__init__(raw, _BLOCK_BYTES)
        self.size_bytes = raw.size_bytes
