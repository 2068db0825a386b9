"""How do the pages do what a command does? They run it, as its own process, and show the line that does the same.

Knows no page and no command's meaning: a command is a list of words. Nothing goes through a shell.
Invariant: what ran is what is shown; what is kept of its output is bounded; a command gets no key but that of whoever
looks, in its environment and never in its words.
"""

import asyncio
import contextlib
import secrets
import shlex
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tierwise.core.errors import InvalidCall, TierwiseError
from tierwise.core.secret import Secret
from tierwise.web.gateway import Gateway

MOST_RUNNING = 4
MOST_ANSWERING = 4
"""Of the commands whose answers pages wait for; further ones wait for their turn."""
MOST_KEPT = 50
MOST_LINES = 2000
MOST_LINE_BYTES = 64 * 1024
MOST_ANSWER_BYTES = 16 * 1024 * 1024
ANSWER_S = 60.0
WIDTH = "110"
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from tierwise.cli import main; main()"
_ROOT = str(Path(__file__).parents[2])


def shown(words: tuple[str, ...], given: str | None = None) -> str:
    """Return the line that does the same in a shell; what is `given` on standard input stands below it."""
    line = shlex.join(("tierwise", *words))
    if given is None:
        return line
    end = "END"
    while end in given.splitlines():
        end += "."
    return f"{line} <<'{end}'\n{given}\n{end}"


class CommandFailed(TierwiseError):
    """A command that was to answer did not; the text is its own last words."""


class Run:
    """One command that runs or ran. `lines` are what it printed, both ways; `code` is None until it has ended."""

    def __init__(self, ident: str, words: tuple[str, ...], back: str) -> None:
        self.ident, self.words, self.back = ident, words, back
        self.began, self.ended = time.time(), 0.0
        self.lines: list[str] = []
        self.dropped = 0
        self.code: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._news = asyncio.Condition()

    @property
    def shown(self) -> str:
        """The line that does the same in a shell."""
        return shown(self.words)

    @property
    def _said(self) -> int:
        return self.dropped + len(self.lines)

    async def follow(self, begin: int) -> AsyncIterator[tuple[int, str]]:
        """Give the lines from number `begin` on, with the number after each, until the command has ended."""
        while True:
            begin = max(begin, self.dropped)
            while begin < self._said:
                begin += 1
                yield begin, self.lines[begin - 1 - self.dropped]
            async with self._news:
                if begin < self._said:
                    continue
                if self.code is not None:
                    return
                await self._news.wait()

    def stop(self) -> None:
        """Ask it to end, as Ctrl-C does."""
        if self._process is not None and self.code is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGINT)

    async def play(self, environ: Mapping[str, str]) -> None:
        """Start it and listen until it ends."""
        try:
            self._process = process = await _started(self.words, environ, together=True)
        except OSError as error:
            await self._say(f"the command cannot be started: {error.strerror}", ended=-1)
            return
        try:
            assert process.stdout is not None
            while line := await _line(process.stdout):
                await self._say(line.decode("utf-8", "replace").rstrip("\r\n"))
            await self._say(None, ended=await process.wait())
        finally:
            if process.returncode is None:
                process.kill()
                self.code = -signal.SIGKILL

    async def _say(self, line: str | None, ended: int | None = None) -> None:
        async with self._news:
            if line is not None:
                self.lines.append(line)
                if len(self.lines) > MOST_LINES:
                    self.dropped += 1
                    del self.lines[0]
            if ended is not None:
                self.code, self.ended = ended, time.time()
            self._news.notify_all()


class Commands:
    """Runs commands of ours. `environ` is what each gets, `config` the file that each is told."""

    def __init__(self, environ: Mapping[str, str], config: Path | None) -> None:
        self._environ = {**environ, "NO_COLOR": "1", "COLUMNS": WIDTH, "TERM": "dumb"}
        if config is not None:
            self._environ["TIERWISE_CONFIG"] = str(config)
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(MOST_ANSWERING)

    @property
    def runs(self) -> list[Run]:
        """What runs and what ran since the pages' process began, newest first."""
        return list(reversed(self._runs.values()))

    def run(self, ident: str) -> Run | None:
        """Return one of them."""
        return self._runs.get(ident)

    def start(self, words: tuple[str, ...], asker: Gateway | None, back: str) -> Run:
        """Start a command; `back` is the page that it was asked on, `asker` the gateway as whoever looks may ask it.

        Raises InvalidCall while too many run, and for words that no command can be given.
        """
        _sayable(words)
        running = [one for one in self._runs.values() if one.code is None]
        if len(running) >= MOST_RUNNING:
            raise InvalidCall(f"{len(running)} commands are running; wait for one to end, or stop one", status=409)
        run = Run(secrets.token_hex(6), words, back)
        self._runs[run.ident] = run
        while len(self._runs) > MOST_KEPT:
            del self._runs[next(name for name, one in self._runs.items() if one.code is not None)]
        task = asyncio.create_task(run.play(self._for(asker)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return run

    async def answer(
        self, words: tuple[str, ...], key: Secret | None = None, within_s: float = ANSWER_S, given: str | None = None
    ) -> Any:
        """Return what a command answers with `--json`. Exit 1 is a verdict, and has an answer too.

        `given` is what it reads on standard input: content is for nobody who lists the machine's processes.

        Raises CommandFailed with its last words where it has none, or takes too long; InvalidCall for words that no
        command can be given.
        """
        _sayable(words)
        try:
            async with asyncio.timeout(within_s), self._turns:
                out, err, code = await _heard(_with_json(words), self._with(key), given)
        except OSError as error:
            late = isinstance(error, TimeoutError)
            why = f"has no answer after {within_s:g} s" if late else f"cannot be started: {error.strerror}"
            raise CommandFailed(f"{shown(words)} {why}") from None
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.json.decode(out)
        told = err.decode("utf-8", "replace").strip().splitlines()
        raise CommandFailed(told[-1].removeprefix("tierwise: ") if told else f"{shown(words)} ended with {code}")

    async def aclose(self) -> None:
        """End what runs."""
        for one in self._runs.values():
            one.stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _for(self, asker: Gateway | None) -> dict[str, str]:
        """Return what a command gets: who asked for it stands in what it records, whatever else it is told."""
        if asker is None:
            return self._environ
        found, at = self._with(asker.key), urlsplit(asker.url)
        if at.hostname and at.port:  # it may listen elsewhere than the configuration says
            found |= {"TIERWISE_SERVER_HOST": at.hostname, "TIERWISE_SERVER_PORT": str(at.port)}
        return found | ({"TIERWISE_ON_BEHALF": asker.key_name} if asker.key_name else {})

    def _with(self, key: Secret | None) -> dict[str, str]:
        return self._environ | ({} if key is None else {"TIERWISE_API_KEY": key.reveal()})


def _sayable(words: tuple[str, ...]) -> None:
    """Raise InvalidCall for words that the system cannot hand to a program."""
    if any("\0" in word for word in words):
        raise InvalidCall("a word of a command cannot hold a NUL")


async def _heard(words: tuple[str, ...], environ: Mapping[str, str], given: str | None) -> tuple[bytes, bytes, int]:
    """Return both outputs of a command and how it ended; it ends with who waits for it."""
    process = await _started(words, environ, together=False, given=given)
    try:
        out, err, _ = await asyncio.gather(_all(process.stdout), _all(process.stderr), _give(process, given))
        return out, err, await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _with_json(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words with `--json` among the options: behind `--` it would be a word like any other."""
    at = words.index("--") if "--" in words else len(words)
    return (*words[:at], "--json", *words[at:])


async def _give(process: asyncio.subprocess.Process, given: str | None) -> None:
    if process.stdin is None or given is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended before it had read all of it
        process.stdin.write(given.encode())
        await process.stdin.drain()
    process.stdin.close()


async def _started(
    words: tuple[str, ...], environ: Mapping[str, str], *, together: bool, given: str | None = None
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-u", "-c", _START, _ROOT, *words,
        stdin=asyncio.subprocess.DEVNULL if given is None else asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT if together else asyncio.subprocess.PIPE,
        env=dict(environ), limit=MOST_LINE_BYTES, start_new_session=True,
    )  # fmt: skip


async def _line(stream: asyncio.StreamReader) -> bytes:
    """Return the next line, or the beginning of one that is too long to keep."""
    try:
        return await stream.readuntil()
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.read(error.consumed)


async def _all(stream: asyncio.StreamReader | None) -> bytes:
    """Return everything up to the bound; what comes after is read and left."""
    assert stream is not None
    kept = bytearray()
    while part := await stream.read(MOST_LINE_BYTES):
        if len(kept) < MOST_ANSWER_BYTES:
            kept += part
    return bytes(kept)
