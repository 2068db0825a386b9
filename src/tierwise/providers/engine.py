"""How is a GGUF file served on this machine? A child process with llama.cpp, spoken to over loopback HTTP.

Started when first needed, by one caller for all; started again after a crash, with a growing pause.
Invariant: the child's key and port never leave the pipe; end of pipe ends the child, so it is never left behind.
"""

import asyncio
import contextlib
import json
import secrets
import sys
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Literal

from tierwise.core.errors import ConfigError, Overloaded, Unreachable, Verdict
from tierwise.core.model import EngineOptions, Limits
from tierwise.core.secret import Secret
from tierwise.providers.address import Address

START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 5.0
PAUSE_S = 1.0
MAX_PAUSE_S = 60.0
DEFAULT_CONTEXT_TOKENS = 4096
STDERR_LINES = 40

State = Literal["stopped", "starting", "ready", "failed"]
Check = Callable[[EngineOptions], None]


class Engine:
    """One embedded model. `check` looks at the file beforehand and raises ConfigError: the engine gives no reason."""

    def __init__(self, options: EngineOptions, *, name: str, check: Check = lambda _options: None) -> None:
        self.options, self.name = options, name
        self.state: State = "stopped"
        self.reason = ""
        self._check = check
        self._child: asyncio.subprocess.Process | None = None
        self._address: Address | None = None
        self._starting: asyncio.Task[Address] | None = None
        self._watching: list[asyncio.Task[None]] = []
        self._said: deque[str] = deque(maxlen=STDERR_LINES)
        self._pause_s = 0.0
        self._not_before = 0.0

    async def start(self) -> Address:
        """Return where the engine answers, starting it if need be. Callers at the same time share one start.

        Raises ConfigError for a file or an installation that cannot work, Overloaded while it rests after a crash.
        """
        if self._address is not None:
            return self._address
        if self._starting is None:
            wait = self._not_before - monotonic()
            if wait > 0:
                raise Overloaded(
                    f"the engine {self.name} ended unexpectedly ({self.reason}); it is started again in {wait:.1f} s",
                    retry_after_s=wait,
                    verdict=Verdict.NEXT,
                )
            self._starting = asyncio.create_task(self._launch())
            self._starting.add_done_callback(self._started)
        return await asyncio.shield(self._starting)

    async def stop(self) -> None:
        """End the child and wait for its end."""
        if self._starting is not None:
            self._starting.cancel()
            with contextlib.suppress(BaseException):
                await self._starting
        child, self._child, self._address = self._child, None, None
        for task in self._watching:
            task.cancel()
        if child is not None and child.returncode is None:
            if child.stdin is not None:
                child.stdin.close()
            try:
                await asyncio.wait_for(child.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        await asyncio.gather(*self._watching, return_exceptions=True)
        self._watching = []
        self.state = "stopped"

    def _started(self, task: "asyncio.Task[Address]") -> None:
        self._starting = None
        if not task.cancelled() and task.exception() is not None:
            self.state, self.reason = "failed", str(task.exception())

    async def _launch(self) -> Address:
        self.state = "starting"
        self._check(self.options)
        key = secrets.token_urlsafe(24)
        child = self._child = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", "tierwise.providers.engine_child",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )  # fmt: skip
        self._watching = [asyncio.create_task(self._listen(child))]
        wanted = {
            "name": self.name,
            "file": self.options.file,
            "slots": self.options.slots,
            "threads": self.options.threads,
            "context_tokens": self.options.context_tokens or DEFAULT_CONTEXT_TOKENS,
            "key": key,
        }
        port = await self._port(child, json.dumps(wanted).encode() + b"\n")
        self._watching.append(asyncio.create_task(self._watch(child)))
        limits = Limits(connect_timeout_s=2.0)
        self._address = Address(url=f"http://127.0.0.1:{port}/v1", key=Secret(key), limits=limits)
        self.state, self.reason = "ready", ""
        return self._address

    async def _port(self, child: asyncio.subprocess.Process, wanted: bytes) -> int:
        if child.stdin is None or child.stdout is None:
            raise Unreachable("the engine's pipes are missing")
        try:
            child.stdin.write(wanted)
            line = await asyncio.wait_for(child.stdout.readline(), START_TIMEOUT_S)
            answer = json.loads(line) if line else {"error": f"it ended at once; it said: {self._last_words()}"}
        except TimeoutError:
            answer = {"error": f"it was not ready within {START_TIMEOUT_S:.0f} s"}
        except (ValueError, OSError) as error:
            answer = {"error": str(error)}
        if "port" in answer:
            return int(answer["port"])
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        self._rest()
        if answer["error"] == "missing_extra":
            raise ConfigError(
                "the embedded engine is not installed: pip install 'tierwise[embedded]'", key="endpoint.kind"
            )
        raise ConfigError(
            f"the engine cannot serve {self.options.file}: {answer['error']}; it said: {self._last_words()}",
            key="endpoint.file",
        )

    async def _listen(self, child: asyncio.subprocess.Process) -> None:
        """Keep the last lines that the engine prints."""
        while child.stderr is not None and (chunk := await child.stderr.read(4096)):
            self._said.extend(chunk.decode("utf-8", "replace").splitlines())

    async def _watch(self, child: asyncio.subprocess.Process) -> None:
        """Notice the end of the child, so that the next call starts it again."""
        code = await child.wait()
        if self._child is child:
            self._child = self._address = None
            self.state, self.reason = "failed", f"exit code {code}"
            self._rest()

    def _rest(self) -> None:
        self._pause_s = min(max(self._pause_s * 2, PAUSE_S), MAX_PAUSE_S)
        self._not_before = monotonic() + self._pause_s

    def _last_words(self) -> str:
        return " | ".join(list(self._said)[-3:])[-300:] or "nothing"
