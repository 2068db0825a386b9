"""Where is what was recorded, and who signs it? The ledger, its readers and its books, by the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tierwise.audit.notes import Signer
from tierwise.config import Settings
from tierwise.core.errors import ConfigError
from tierwise.core.secret import Secret
from tierwise.gateway.clock import Clock
from tierwise.ledger.audit_key import make_signer, read_signer
from tierwise.ledger.books import Books
from tierwise.ledger.history import History
from tierwise.ledger.notary import WitnessFile
from tierwise.ledger.pepper import given_pepper, make_pepper, read_pepper
from tierwise.ledger.postgres import PostgresLedger
from tierwise.ledger.postgres_history import PostgresHistory
from tierwise.ledger.protocol import Reader, Records, Releasing, Store
from tierwise.ledger.store import Ledger
from tierwise.ledger.writer import Options
from tierwise.providers.address import Address
from tierwise.providers.deposit import Deposit
from tierwise.providers.transport import Transport


async def store(settings: Settings, clock: Clock) -> Store:
    """Open the ledger where the settings say: a file, or a database that several processes share."""
    row, place = settings.document.ledger, settings.ledger_place
    options = Options(
        durability=row.durability,
        keep_s=row.keep_s,
        content_keep_s=row.content_keep_s,
        signer=signer(settings, make=True),
        clock=clock,
        believed=Clock,
    )
    if place is not None:
        return await PostgresLedger.open(place, options)
    return await Ledger.open(settings.ledger_path, options=options)


def books(settings: Settings) -> Books:
    """Return who changes the ledger beside running gateways."""
    return Books(settings.ledger_path, settings.ledger_place)


def release_book(settings: Settings, who: str) -> Releasing:
    """Return who adds releases to the ledger; `who` stands in each."""
    return books(settings).releases(who)


def records(settings: Settings, since_ts: float) -> Records:
    """Return the records since this Unix time, for reading very many of them."""
    return books(settings).records(since_ts)


def pepper(settings: Settings, *, make: bool) -> bytes:
    """Return the secret that keys are hashed with; `make` it if there is none. Raises ConfigError."""
    reference = settings.document.server.key_pepper
    if reference is None:
        return (make_pepper if make else read_pepper)(settings.pepper_path)
    secret = settings.secret(reference)
    return given_pepper(secret.reveal() if secret else None, reference)


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Reader | None]:
    """Open the ledger for reading only, also beside a running server; None where nothing was recorded yet."""
    found: Reader | None = None
    if settings.ledger_place is not None:
        found = PostgresHistory(settings.ledger_place)
    elif settings.ledger_path.exists():
        found = History(settings.ledger_path)
    try:
        yield found
    finally:
        if found is not None:
            await found.close()


def signer(settings: Settings, *, make: bool) -> Signer:
    """Return who signs the ledger's log; `make` the key if there is none. Raises ConfigError."""
    reference = settings.document.audit.key
    if reference is None:
        return (make_signer if make else read_signer)(settings.audit_key_path)
    text = settings.secret(reference)
    if text is None:
        raise ConfigError(f"audit.key: {reference} is not set", key="audit.key")
    return Signer.parse(text)


def witness_files(settings: Settings) -> list[WitnessFile]:
    """Return the witnesses that can be read here."""
    rows = settings.document.audit.witness
    return [WitnessFile(Path(one.path).expanduser(), one.every_s) for one in rows if one.path is not None]


def witness_places(settings: Settings, transport: Transport) -> list[Deposit]:
    """Return the witnesses that are only written to."""
    return [
        Deposit(transport, Address(url=one.url, key=_token(settings, one.key), ca_file=one.ca_file), one.every_s)
        for one in settings.document.audit.witness
        if one.url is not None
    ]


def _token(settings: Settings, reference: str | None) -> Secret | None:
    token = None if reference is None else settings.secret(reference)
    if reference is not None and token is None:
        raise ConfigError(f"audit.witness: key {reference} is not set", key="audit.witness.key")
    return token
