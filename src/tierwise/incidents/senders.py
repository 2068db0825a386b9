"""How does a notice leave? One line on stderr, a POST to an address, the standard input of a program.

What is said comes from `notices`. A webhook goes over the one transport: no redirect, no proxy, TLS as always; a
program is started without a shell, in an environment that holds nothing but what it needs to run.
Invariant: a try ends within its limit, and what came of it is told in our own words.
"""

import asyncio
import contextlib
import hashlib
import hmac
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from tierwise.core.errors import ConfigError, ProviderError
from tierwise.core.model import Limits
from tierwise.core.secret import Secret
from tierwise.incidents.settings import NotifyRow
from tierwise.providers.address import Address, parse
from tierwise.providers.transport import Transport

SIGNATURE = "x-tierwise-signature"
MAX_ANSWER_BYTES = 64 * 1024
# What a program needs of the environment to run; a key is under none of these names.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SYSTEMROOT", "USER", "LOGNAME", "SHELL")
_log = logging.getLogger("tierwise.incidents")


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one try."""

    well: bool
    detail: str = ""


class Sender(Protocol):
    """Who can be told."""

    @property
    def row(self) -> NotifyRow:
        """Return who it is, as configured."""

    async def send(self, body: bytes) -> Sent:
        """Tell it, once, within its limit."""


class Log:
    """One line of JSON on stderr, or where the program that runs us sends its log."""

    def __init__(self, row: NotifyRow) -> None:
        self.row = row

    async def send(self, body: bytes) -> Sent:
        """Write the line, in a thread: whoever reads it may be slow."""
        await asyncio.to_thread(_log.warning, "%s", body.decode())
        return Sent(well=True)


class Webhook:
    """A POST of JSON, signed where there is a secret."""

    def __init__(self, row: NotifyRow, url: str, secret: Secret | None, transport: Transport) -> None:
        """Raises ConfigError for an address that is none."""
        parts = urlsplit(url)
        limits = Limits(
            connect_timeout_s=row.timeout_s, first_byte_timeout_s=row.timeout_s, idle_timeout_s=row.timeout_s,
            total_timeout_s=row.timeout_s, max_connections=4, max_answer_bytes=MAX_ANSWER_BYTES,
        )  # fmt: skip
        self.row, self._secret, self._transport = row, secret, transport
        self._address = Address(url=f"{parts.scheme}://{parts.netloc}", ca_file=row.ca_file, limits=limits)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        parse(self._address).head("POST", self._path)

    async def send(self, body: bytes) -> Sent:
        """Send it; only an answer of 2xx is one that took it."""
        headers = () if self._secret is None else ((SIGNATURE, signature(self._secret, body, int(time.time()))),)
        deadline = asyncio.get_running_loop().time() + self.row.timeout_s
        try:
            exchange = await self._transport.post(
                self._address, self._path, body, deadline=deadline, stream=False, headers=headers
            )
            return Sent(well=200 <= exchange.status < 300, detail=f"HTTP {exchange.status}")
        except ProviderError as error:
            return Sent(well=False, detail=error.code or type(error).__name__)
        except ConfigError:
            return Sent(well=False, detail="its ca_file cannot be read")


class Command:
    """A program that gets the notice on its standard input; what it says is not read."""

    def __init__(self, row: NotifyRow, environ: Mapping[str, str]) -> None:
        self.row = row
        self._environ = {name: environ[name] for name in KEPT if name in environ}

    async def send(self, body: bytes) -> Sent:
        """Run it; only exit 0 is success. What it started ends with it where it takes too long."""
        nothing = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self.row.command, stdin=asyncio.subprocess.PIPE, stdout=nothing, stderr=nothing, env=self._environ,
                start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            return Sent(well=False, detail=f"cannot be started: {why or type(error).__name__}")
        try:
            async with asyncio.timeout(self.row.timeout_s):
                await process.communicate(body)
        except TimeoutError:
            return Sent(well=False, detail=f"ran longer than {self.row.timeout_s:g} s")
        finally:
            if process.returncode is None:
                _end(process.pid)
                await process.wait()
        return Sent(well=process.returncode == 0, detail=f"exit {process.returncode}")


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            os.kill(pid, signal.SIGTERM)
        else:
            os.killpg(pid, signal.SIGKILL)


def signature(secret: Secret, body: bytes, now: int) -> str:
    """Return the header that proves who sent the body, and when: HMAC-SHA256 over the time, a dot and the body."""
    digest = hmac.digest(secret.reveal().encode(), b"%d." % now + body, hashlib.sha256)
    return f"t={now},v1={digest.hex()}"


def sender_of(
    row: NotifyRow, secret: Callable[[str], Secret | None], environ: Mapping[str, str], transport: Transport
) -> Sender:
    """Return who is told, as a row says. Raises ConfigError for a secret that is not set, or a wrong address."""

    def given(reference: str) -> Secret:
        found = secret(reference)
        if found is None:
            raise ConfigError(f"notify {row.name!r}: {reference} is not set", key="notify.secret")
        return found

    match row.kind:
        case "log":
            return Log(row)
        case "webhook":
            url = row.url or ""
            address = given(url).reveal() if url.startswith("env:") else url
            signing = given(row.secret) if row.secret is not None else None
            try:
                return Webhook(row, address, signing, transport)
            except (ConfigError, ValueError):  # the address may be a secret: it is not repeated
                raise ConfigError(
                    f"notify {row.name!r}: its url must be http:// or https://, a host and a path", key="notify.url"
                ) from None
        case "command":
            return Command(row, environ)
