"""How is the engine's child process started, heard and ended? One `Child` is one process.

It knows the pipe protocol of `engine_child` and nothing of models or restarts. The child's standard input is a pipe
that only this process holds open: when this process ends, however it ends, so does the child.
Invariant: what is kept of the child's output is bounded; `end` leaves no process behind.
"""

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

_SCRIPT = Path(__file__).with_name("engine_child.py")
_TAIL_BYTES = 8192
_GRACE_S = 2.0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The child's one line."""

    port: int | None = None
    error: str | None = None
    detail: str = ""


class Child:
    """A running engine process. Make one with `spawn`."""

    def __init__(self, process: asyncio.subprocess.Process, pipe: int) -> None:
        self._process = process
        self._pipe: int | None = pipe
        self._tail = b""
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def spawn(cls, orders: dict[str, Any]) -> "Child":
        """Start the process and tell it its orders. Raises OSError.

        It gets an empty environment (no key of ours is in it) and a session of its own (a Ctrl-C meant for us must
        not end it before the calls under way are answered).
        """
        theirs, ours = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                str(_SCRIPT),
                stdin=theirs,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={},
                start_new_session=True,
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        child = cls(process, ours)
        with contextlib.suppress(BrokenPipeError):  # it has died already: `report` tells
            os.write(ours, msgspec.json.encode(orders) + b"\n")
        return child

    @property
    def pid(self) -> int:
        """Process number."""
        return self._process.pid

    async def report(self) -> Report:
        """Wait for the line in which the child says that it is ready, or why not."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if line:
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                return msgspec.json.decode(line, type=Report)
        return Report(error="died", detail=f"it ended while loading ({await self.ended()})")

    async def ended(self) -> str:
        """Wait for the end of the process and say how it ended."""
        code = await self._process.wait()
        return f"exit status {code}" if code >= 0 else f"signal {-code}"

    def last_words(self) -> str:
        """Return the first errors among the last of the engine's output, or its last line: for an error message."""
        lines = self._tail.decode("utf-8", "replace").splitlines()
        errors = [line.split(" E ", 1)[1].strip() for line in lines if " E " in line]
        return "; ".join((errors or lines[-1:])[:2])[:600]

    def kill(self) -> None:
        """End the process at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """End the process: by the end of its pipe, and by force if it does not heed that."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        try:
            async with asyncio.timeout(_GRACE_S):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            self.kill()
        await self._process.wait()
        await self._listening

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(4096):
            self._tail = (self._tail + data)[-_TAIL_BYTES:]
