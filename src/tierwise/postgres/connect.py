"""How is a PostgreSQL database reached, and what is to be done when it is not?

Knows nothing of tables. Every wait has a limit: on the network, for a lock, inside a transaction.
Invariants: nothing of the driver leaves here but as a `StoreError` that names the place (never the password) and the
mend; outside this machine nothing is said without TLS to a server whose certificate was checked.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from tierwise.core.errors import ConfigError, StoreBusy, StoreError
from tierwise.core.extras import without
from tierwise.core.secret import Secret

SCHEMA = "tierwise"
CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 10.0
# The server ends what waits longer for a lock, or sits in a transaction without a word: nobody holds up the others.
LOCK_TIMEOUT_MS = 5_000
IDLE_TIMEOUT_MS = 5_000

# By the class of the error's SQLSTATE, or the whole of it.
_MEND = {
    "28": "access was refused: check the user, ledger.password and the server's pg_hba.conf",
    "3D": "there is no such database: create it, owned by that user",
    "42501": "a right is missing: the user must own the database, or its schema `tierwise`",
    "53100": "the server's disk is full: free some space",
    "53300": "the server has no connection left: raise its max_connections",
    "25006": "it can only be read: name the primary server",
    "55P03": "another gateway holds the ledger: look for one that hangs",
    "57": "the server ended the connection: it is stopping or being restarted",
}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A database: who, where. `ca_file` None checks the server's certificate against those that this machine trusts."""

    user: str
    host: str
    port: int
    database: str
    password: Secret | None = None
    ca_file: str | None = None

    def __str__(self) -> str:
        """Name it without its password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{self.user}@{host}:{self.port}/{self.database}"

    @property
    def near(self) -> bool:
        """Say whether the server is on this machine, where TLS adds nothing."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def place(url: str) -> Place:
    """Read `postgresql://USER@HOST[:PORT]/DATABASE`; `ConfigError` for anything else, a password above all."""
    parts = urlsplit(url)
    key = "ledger.url"
    shape = "write postgresql://USER@HOST:PORT/DATABASE"
    try:
        port = parts.port or 5432
    except ValueError as error:
        raise ConfigError(f"ledger.url: {error}: {shape}", key=key) from error
    if parts.password is not None:
        raise ConfigError('ledger.url holds a password: say ledger.password = "env:NAME" instead', key=key)
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname or not parts.username:
        raise ConfigError(f"ledger.url is no address of a PostgreSQL database: {shape}", key=key)
    if parts.query or parts.fragment or parts.path.strip("/") == "":
        raise ConfigError(f"ledger.url has no database, or more than that: {shape}", key=key)
    return Place(
        user=unquote(parts.username), host=parts.hostname, port=port, database=unquote(parts.path.removeprefix("/"))
    )


async def connect(where: Place, *, read_only: bool = False) -> Any:
    """Return a connection whose waits are limited and whose commits are on disk when they return."""
    driver = _driver()
    with explained(where):
        tls: ssl.SSLContext | bool = False
        if not where.near or where.ca_file is not None:
            tls = ssl.create_default_context(cafile=where.ca_file)
        return await driver.connect(
            host=where.host,
            port=where.port,
            user=where.user,
            password=where.password.reveal() if where.password else "",
            database=where.database,
            ssl=tls,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            target_session_attrs="any" if read_only else "read-write",
            server_settings={
                "application_name": "tierwise",
                "search_path": SCHEMA,
                "synchronous_commit": "on",
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(IDLE_TIMEOUT_MS),
                "default_transaction_read_only": "on" if read_only else "off",
                "default_transaction_isolation": "read committed",
                "client_min_messages": "error",
            },
        )


async def disconnect(connection: Any) -> None:
    """Close without waiting long; one that is broken already is no error."""
    driver = _driver()
    with suppress(driver.PostgresError, driver.InterfaceError, OSError, TimeoutError, asyncio.IncompleteReadError):
        try:
            await connection.close(timeout=1.0)
        except BaseException:
            connection.terminate()
            raise


class Unsure(StoreError):
    """It did not work, or nobody knows whether it did: worth a second try on a new connection."""


class Unfit(StoreError):
    """The server cannot hold a value."""


# Connection lost, server stopping, idle for too long, deadlock; a row that another process added or took away.
_AGAIN = ("08", "57", "25P03", "40", "23503", "23505")

# A lock that did not come free in time, and no connection left.
_BUSY = ("55P03", "53300")


@contextmanager
def explained(where: Place) -> Iterator[None]:
    """Turn what the driver or the network raises inside into a `StoreError` that says what to do."""
    driver = _driver()
    try:
        yield
    except driver.PostgresError as error:
        state = error.sqlstate or ""
        mend = _MEND.get(state) or _MEND.get(state[:2])
        kind: type[StoreError] = Unfit if state.startswith("22") else StoreError
        kind = Unsure if state.startswith(_AGAIN) else StoreBusy if state in _BUSY else kind
        raise kind(f"{where}: {mend} ({error})" if mend else f"{where}: {error}") from error
    except (driver.InterfaceError, driver.InternalClientError, asyncio.IncompleteReadError) as error:
        raise Unsure(f"{where}: the connection broke ({error})") from error
    except TimeoutError as error:
        raise StoreError(f"{where}: no answer in time: check that the server is there and not overloaded") from error
    except OSError as error:
        mend = "check the address, and that the server runs and listens there"
        raise Unsure(f"{where}: {error.strerror or error}: {mend}") from error


def _driver() -> Any:
    try:
        import asyncpg
    except ImportError as error:
        raise without(error, "postgres", "a ledger in PostgreSQL", key="ledger.url") from error
    return asyncpg
