"""What does a program of the user's say? `python:FILE:FUNCTION` and `command:COMMAND`, each in a process of its own.

Both have limits of time and memory, a bare environment and an empty folder. That is no sandbox: they may read what
you may read, and reach what you may reach. Invariant: whatever they do, the answer is kept; it is `scorer_failed` then.
"""

import json
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.evals.item import Item
from tierwise.evals.scorers.score import Score, Scorer, failed, unparsed, valued

CHILD = str(Path(__file__).with_name("child.py"))
TIME_S, START_S = 10.0, 60.0
MEMORY_BYTES = 4 * 1024**3
MAX_LINE_BYTES = 1024 * 1024
BARE = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


class Function:
    """A Python function `f(text, reference, item)` that returns 0 to 1, None for unparsed, or a dict with `score`.

    Its process goes on from answer to answer, and is begun anew after a hang.
    """

    def __init__(self, spec: str, file: Path, name: str, time_s: float = TIME_S) -> None:
        self.spec, self.metric, self.needs_reference = spec, name, False
        self._file, self._name, self._time_s = file, name, time_s
        self._folder = tempfile.TemporaryDirectory(prefix="tierwise-scorer-")
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = b""

    def score(self, text: str, reference: Any, item: Item) -> Score:
        """Ask the function."""
        asked = Path(self._folder.name) / "asked.json"
        asked.write_bytes(msgspec.json.encode({"text": text, "reference": reference, "item": _told(item)}))
        try:
            if self._process is None:
                self._begin()
                if "error" in (first := self._answer(START_S)):
                    raise ChildProcessError(first["error"])
            self._tell(f"{asked}\n".encode())
            return _read(self._answer(self._time_s))
        except (OSError, ValueError) as error:
            self._end()
            return failed(str(error))

    def close(self) -> None:
        """End the process."""
        self._end()
        self._folder.cleanup()

    def _begin(self) -> None:
        words = [sys.executable, "-P", CHILD, "function", str(MEMORY_BYTES), str(self._file), self._name]
        self._heard = b""
        self._process = subprocess.Popen(  # noqa: S603
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._folder.name,
            env=BARE,
            start_new_session=True,
        )

    def _tell(self, line: bytes) -> None:
        if self._process is None or self._process.stdin is None:
            raise BrokenPipeError("the scorer's process has ended")
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def _answer(self, time_s: float) -> dict[str, Any]:
        """Return the next line as JSON. TimeoutError or ChildProcessError where none comes."""
        if self._process is None or self._process.stdout is None:
            raise BrokenPipeError("the scorer's process has ended")
        deadline, file = time.monotonic() + time_s, self._process.stdout.fileno()
        while b"\n" not in self._heard:
            ready, _, _ = select.select([file], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"the scorer took longer than {time_s:g} s")
            data = os.read(file, 65536)
            if not data:
                raise ChildProcessError("the scorer's process ended")
            self._heard += data
            if len(self._heard) > MAX_LINE_BYTES:
                raise ChildProcessError("the scorer says more than can be read")
        line, _, self._heard = self._heard.partition(b"\n")
        found = json.loads(line)
        return found if isinstance(found, dict) else {}

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _kill(process)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


class Command:
    """A command that gets the answer on its input and the item in `item.json`: exit 0 is right, 1 is wrong."""

    metric, needs_reference = "passes the check", False

    def __init__(self, spec: str, words: list[str], time_s: float = TIME_S) -> None:
        self.spec, self._words, self._time_s = spec, words, time_s

    def score(self, text: str, reference: Any, item: Item) -> Score:
        """Run the command."""
        limits = [sys.executable, "-I", CHILD, "limit", str(int(self._time_s) + 1), str(MEMORY_BYTES)]
        with tempfile.TemporaryDirectory(prefix="tierwise-check-") as folder:
            place = Path(folder)
            (place / "item.json").write_bytes(msgspec.json.encode(_told(item) | {"reference": reference}))
            (place / "answer").write_text(text, "utf-8")
            with (place / "answer").open("rb") as answer:
                process = subprocess.Popen(  # noqa: S603
                    [*limits, *self._words],
                    stdin=answer,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd=folder,
                    env=BARE,
                    start_new_session=True,
                )
                try:
                    code = process.wait(self._time_s)
                except subprocess.TimeoutExpired:
                    return failed(f"the check took longer than {self._time_s:g} s")
                finally:
                    _kill(process)
        return (
            valued(code == 0) if code in (0, 1) else failed(f"the check ended with {code}: only 0 and 1 say anything")
        )

    def close(self) -> None:
        """Keep nothing running."""


def function(spec: str, rest: str, base: Path) -> Scorer:
    """Make the scorer of a Python function. ConfigError where there is no such file."""
    name_of, _, name = rest.rpartition(":")
    file = (base / Path(name_of).expanduser()).absolute()
    if not name.isidentifier() or not file.is_file():
        raise ConfigError(f"scorer {spec!r}: say python:FILE:FUNCTION, and {file} must be a file", key="scorer")
    return Function(spec, file, name)


def command(spec: str, rest: str, base: Path) -> Scorer:
    """Make the scorer of a command; its words that name files beside the configuration mean these."""
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise ConfigError(f"scorer {spec!r}: {error}", key="scorer") from error
    if not words:
        raise ConfigError(f"scorer {spec!r}: say command:COMMAND", key="scorer")
    return Command(spec, [str((base / one).absolute()) if (base / one).is_file() else one for one in words])


def _told(item: Item) -> dict[str, Any]:
    return {"id": item.id, "fields": item.fields}


def _read(said: dict[str, Any]) -> Score:
    if "error" in said or "value" not in said:
        return failed(str(said.get("error", "the scorer said nothing")))
    value = said["value"]
    if value is None:
        return unparsed("the scorer could not read the answer")
    if not isinstance(value, dict):
        return valued(value)
    details = {str(name): valued(one).value for name, one in value.items() if name != "score"}
    return valued(value.get("score"), details)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()
