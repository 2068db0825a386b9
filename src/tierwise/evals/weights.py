"""Which weights answer as a model? The digest of its file, what its server tells, else its served name and address.

Files are hashed once for each path, size and time of change; what servers told is kept beside that, so that one which
does not answer now is taken as it was told last. Knows neither workflows nor certificates.
Invariant: no secret is in what is kept; a model whose weights cannot be told has the name "", never another's.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from tierwise.core.model import Endpoint, Model
from tierwise.providers.address import address_of
from tierwise.providers.discover import ServedModel, inspect
from tierwise.providers.engine import program
from tierwise.providers.transport import Transport
from tierwise.registry.catalog import Catalog
from tierwise.registry.kept import put
from tierwise.registry.kinds import kinds

FILE = "weights.json"
ASK_TIMEOUT_S = 2.0


class Hashed(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was when it was hashed."""

    size: int
    mtime_ns: int
    sha256: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a server said of itself: its version, and digests by the names that it serves."""

    version: str = ""
    digests: dict[str, str] = {}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Files by path, and what servers told by kind and address."""

    files: dict[str, Hashed] = {}
    told: dict[str, Told] = {}


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """By model id: what names its weights, and the program that runs them ("" for what is not known)."""

    names: dict[str, str] = {}
    engines: dict[str, str] = {}


def read(path: Path) -> Kept:
    """Return what is kept; nothing where there is no file, or one that cannot be read: it is made anew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return Kept()


def weights(catalog: Catalog, models: Iterable[str], path: Path) -> Weights:
    """Name the weights of these models, from files and from what servers told before; PATH is where that is kept.

    Reads a file that is new or has changed whole, which takes about a second for each gigabyte.
    """
    kept = read(path)
    files = dict(kept.files)
    names: dict[str, str] = {}
    engines: dict[str, str] = {}
    for ident in models:
        model = catalog.models.get(ident)
        if model is None:
            names[ident] = ""
            continue
        endpoint = catalog.endpoints[model.endpoint]
        if endpoint.engine is not None:
            names[ident] = _of_file(Path(endpoint.engine.file), files)
            engines[ident] = program(endpoint.engine.format)
        else:
            told = kept.told.get(_server(endpoint), Told())
            names[ident] = _of_server(endpoint, model, told.digests)
            engines[ident] = f"{endpoint.kind} {told.version}" if told.version else ""
    if files != kept.files:
        _keep(path, msgspec.structs.replace(kept, files=files))
    return Weights(names=names, engines=engines)


async def ask(catalog: Catalog, models: Iterable[str], transport: Transport, path: Path) -> None:
    """Ask the servers of these models, soon, and keep what they tell; who does not answer is taken as before."""
    rows = [catalog.models[ident] for ident in models if ident in catalog.models]
    asked = {
        _server(endpoint): endpoint
        for endpoint in (catalog.endpoints[row.endpoint] for row in rows)
        if endpoint.engine is None and endpoint.name not in catalog.unusable
    }
    answers = await asyncio.gather(*(_told(endpoint, transport) for endpoint in asked.values()))
    fresh = {name: told for name, told in zip(asked, answers, strict=True) if told is not None}
    kept = await asyncio.to_thread(read, path)
    if any(kept.told.get(name) != told for name, told in fresh.items()):
        await asyncio.to_thread(_keep, path, msgspec.structs.replace(kept, told={**kept.told, **fresh}))


async def _told(endpoint: Endpoint, transport: Transport) -> Told | None:
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            found = await inspect(transport, address_of(endpoint), kinds()[endpoint.kind])
    except TimeoutError:
        return None
    if not found.reachable or found.locked or found.models is None:
        return None
    return Told(version=found.version or "", digests=_digests(found.models))


def _digests(models: Iterable[ServedModel]) -> dict[str, str]:
    return {model.id: model.digest for model in models if model.digest is not None}


def _of_file(path: Path, files: dict[str, Hashed]) -> str:
    try:
        now = path.stat()
        known = files.get(str(path))
        if known is None or (known.size, known.mtime_ns) != (now.st_size, now.st_mtime_ns):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            known = files[str(path)] = Hashed(size=now.st_size, mtime_ns=now.st_mtime_ns, sha256=digest)
    except OSError:
        return ""
    return f"sha256:{known.sha256}"


def _of_server(endpoint: Endpoint, model: Model, digests: Mapping[str, str]) -> str:
    name = model.served_name
    digest = digests.get(name) or digests.get(f"{name}:latest")
    return f"{endpoint.kind} digest {digest}" if digest else f"{endpoint.kind} {name} at {_place(endpoint)}"


def _server(endpoint: Endpoint) -> str:
    return f"{endpoint.kind} at {_place(endpoint)}"


def _place(endpoint: Endpoint) -> str:
    """Return the address; a URL with a user or a query is refused when the rows are read."""
    parts = urlsplit(endpoint.url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


def _keep(path: Path, kept: Kept) -> None:
    """Keep what was found; where that cannot be written it is found again the next time."""
    with contextlib.suppress(OSError):
        put(path, msgspec.json.format(msgspec.json.encode(kept, order="deterministic"), indent=1) + b"\n")
