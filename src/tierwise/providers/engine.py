"""Where does an embedded model answer? `Engine` starts its program in a child process when it is first needed.

It knows neither routing nor what a model can do. Whether a file may be loaded is decided by the function it is given.
Invariant: at most one child at a time, started once for any number of callers; a crash is followed by a pause that
doubles, never by a busy loop.
"""

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from tierwise.core.capacity import Capacity
from tierwise.core.errors import ConfigError, Overloaded, ProviderError, TierwiseError
from tierwise.core.extras import install
from tierwise.core.model import ENGINE_CHECKPOINTS, EngineOptions, FileFormat, Limits
from tierwise.core.secret import Secret
from tierwise.providers.child import Child, Report
from tierwise.providers.transport import Address, Transport

State = Literal["stopped", "starting", "ready", "failed"]
Admit = Callable[[EngineOptions], EngineOptions]

# What a program rests on, and the extra that brings it.
_NEEDS: dict[FileFormat, tuple[str, str]] = {"gguf": ("xllamacpp", "embedded"), "linear": ("numpy", "evals")}


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long things may take, and how soon they are done again. A pause doubles up to its maximum and starts anew
    after the engine has been well for `steady_s`."""

    start_timeout_s: float = 300.0
    health_every_s: float = 15.0
    health_timeout_s: float = 5.0
    health_strikes: int = 3
    first_pause_s: float = 0.5
    max_pause_s: float = 60.0
    steady_s: float = 60.0


def installed(file_format: FileFormat = "gguf") -> bool:
    """Say whether the extra is there that runs such files, without loading it."""
    return importlib.util.find_spec(_NEEDS[file_format][0]) is not None


def program(file_format: FileFormat = "gguf") -> str:
    """Return the name and version of what runs such files; the name alone where the extra is not there."""
    name = _NEEDS[file_format][0]
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return name


def missing(file_format: FileFormat) -> str:
    """Say what to do where that extra is not there."""
    return f"what runs {file_format} files is not installed: run {install(_NEEDS[file_format][1])}"


def version(options: EngineOptions) -> str | None:
    """Return what answers would come from: engine and file as they are now; None where one is missing."""
    try:
        file = Path(options.file).stat()
        return f"{importlib.metadata.version(_NEEDS[options.format][0])}, {file.st_size} bytes of {file.st_mtime_ns}"
    except (OSError, importlib.metadata.PackageNotFoundError):
        return None


class Engine:
    """One model file served by one child process.

    `admit` fills in context and threads or raises ConfigError; it may block and is run in a thread.
    `state` and `reason` say how it is, `context_tokens` what each slot has once it is ready, `load_ms` what its last
    start took.
    """

    def __init__(
        self,
        options: EngineOptions,
        *,
        name: str,
        transport: Transport,
        admit: Admit,
        limits: Limits | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.name, self.options = name, options
        self.state: State = "stopped"
        self.reason = ""
        self.context_tokens: int | None = None
        self.load_ms: float | None = None
        self._transport, self._admit, self._limits = transport, admit, limits or Limits()
        self._pace = pace or Pace()
        self._file = Path(options.file).absolute()
        self._address: Address | None = None
        self._child: Child | None = None
        self._starting: asyncio.Task[Address] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._error: TierwiseError | None = None
        self._crashes = 0
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """Process number of the child, None while there is none."""
        return None if self._child is None else self._child.pid

    @property
    def capacity(self) -> Capacity:
        """How it stands, without asking it: nobody else can send it requests, so whoever sends them can count them."""
        ready = self.state == "ready"
        return Capacity(
            slots=self.options.slots if self.options.format == "gguf" else None,
            loaded=ready,
            context_tokens=self.context_tokens if ready else None,
            load_ms=self.load_ms,
        )

    async def start(self) -> Address:
        """Return where the model answers, starting the engine first if need be; all callers share one start.

        Raises:
            ConfigError: the file cannot be loaded here, or the extra is missing.
            Overloaded: it crashed a moment ago; `retry_after_s` says when it may be started again.
        """
        if self._address is not None:
            return self._address
        if self._starting is None:
            loop = asyncio.get_running_loop()
            pause = self._not_before - loop.time()
            if pause > 0:
                raise self._unavailable(pause)
            self._starting = loop.create_task(self._start())
            self._starting.add_done_callback(self._started)
        return await asyncio.shield(self._starting)

    async def stop(self) -> None:
        """End the child process; a later `start` starts a new one."""
        for task in (self._starting, self._watching):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, TierwiseError):
                    await task
        child, self._child, self._watching = self._child, None, None
        self._address = None
        if child is not None:
            await child.end()
        self.state, self.reason = "stopped", ""

    async def healthy(self) -> bool:
        """Ask the running engine whether it is well."""
        if self._address is None:
            return False
        root = Address(url=self._address.url.removesuffix("/v1"))  # no key: a pool apart from the calls'
        deadline = asyncio.get_running_loop().time() + self._pace.health_timeout_s
        try:
            return (await self._transport.get(root, "/health", deadline=deadline)).status == 200
        except ProviderError:
            return False

    # start

    async def _start(self) -> Address:
        self.state, self.reason = "starting", ""
        loop, begin = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        try:
            options = await asyncio.to_thread(self._admit, self.options)
            address = await self._launch(options)
            self.load_ms = (loop.time() - begin) * 1000
            return address
        except asyncio.CancelledError:
            self.state = "stopped"
            raise
        except OSError as error:
            failure = Overloaded(f"engine {self.name} cannot be started: {error.strerror}", code="engine_failed")
            self._failed(failure)
            raise failure from error
        except TierwiseError as error:
            self._failed(error)
            raise

    async def _launch(self, options: EngineOptions) -> Address:
        key = secrets.token_urlsafe(32)
        connections = min(2 * options.slots, self._limits.max_connections)
        orders = {
            "format": options.format,
            "file": str(self._file),
            "name": self._file.stem,
            "slots": options.slots,
            "context_tokens": options.context_tokens,
            "threads": options.threads,
            "checkpoints": ENGINE_CHECKPOINTS,
            "http_threads": connections + 4,  # a kept connection occupies one, and so does a health check
            "key": key,
        }
        child = await Child.spawn(orders)
        try:
            port = await self._port(child)
            limits = msgspec.structs.replace(self._limits, max_connections=connections)
            address = Address(url=f"http://127.0.0.1:{port}/v1", key=Secret(key), limits=limits)
            await self._greet(address)
        except BaseException:
            await child.end()
            raise
        self._child, self._address = child, address
        self.context_tokens = options.context_tokens
        self.state = "ready"
        self._watching = asyncio.create_task(self._watch(child))
        return address

    async def _port(self, child: Child) -> int:
        try:
            async with asyncio.timeout(self._pace.start_timeout_s):
                report = await child.report()
        except TimeoutError:
            report = Report(error="died", detail=f"it was not ready after {self._pace.start_timeout_s:g} s")
        if report.port is not None:
            return report.port
        if report.error == "no_engine":
            raise ConfigError(missing(self.options.format))
        await child.end()  # then all of its words are here
        words = child.last_words() or report.detail
        raise ConfigError(f"the engine could not load {self.options.file}: {words}", file=self.options.file)

    async def _greet(self, address: Address) -> None:
        """Make sure that what listens there is our engine: it knows our key."""
        deadline = asyncio.get_running_loop().time() + self._pace.health_timeout_s
        exchange = await self._transport.get(address, "/models", deadline=deadline)
        if exchange.status != 200:
            raise Overloaded(f"engine {self.name} does not answer as it should", status=exchange.status)

    def _started(self, task: asyncio.Task[Address]) -> None:
        self._starting = None
        if not task.cancelled():
            task.exception()  # read, so that a start whose callers have all gone leaves no warning

    # afterwards

    async def _watch(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        since, strikes = loop.time(), 0
        ended = asyncio.create_task(child.ended())
        try:
            while not ended.done():
                await asyncio.wait((ended,), timeout=self._pace.health_every_s)
                strikes = 0 if ended.done() or await self.healthy() else strikes + 1
                if strikes >= self._pace.health_strikes:
                    child.kill()
            how = await ended
        finally:
            ended.cancel()
        self._child = self._address = None
        await child.end()
        if loop.time() - since >= self._pace.steady_s:
            self._crashes = 0
        text = f"engine {self.name} ended unexpectedly ({how}): {child.last_words()}".removesuffix(": ")
        self._failed(Overloaded(text, code="engine_crashed"))

    def _failed(self, error: TierwiseError) -> None:
        self._crashes += 1
        pause = min(self._pace.max_pause_s, self._pace.first_pause_s * 2 ** min(self._crashes - 1, 16))
        self._not_before = asyncio.get_running_loop().time() + pause
        self._error, self.reason, self.state = error, str(error), "failed"

    def _unavailable(self, pause: float) -> TierwiseError:
        if isinstance(self._error, ConfigError):
            return ConfigError(str(self._error), file=self._error.file, key=self._error.key)
        text = f"engine {self.name} is restarted in {pause:.1f} s; it failed: {self.reason}"
        return Overloaded(text, code="engine_restarting", retry_after_s=pause)
