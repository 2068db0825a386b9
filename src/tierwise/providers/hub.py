"""What does a model hub hold under a name, and where is each file? The protocol of Hugging Face's hub, for reading.

https://huggingface.co/docs/hub/api (2026-11). It speaks to the one hub that it is given, sends a key only there, and
tells nobody who asks. Invariant: a listing is that of one commit, and its files are fetched at that commit.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from tierwise.core.errors import BadReply, InvalidCall, Overloaded, RateLimited, Unauthorized, Unreachable
from tierwise.core.secret import Secret
from tierwise.providers.address import Address
from tierwise.providers.asker import sound
from tierwise.providers.egress import PUBLIC
from tierwise.providers.ranges import LIMITS, Place, onward
from tierwise.providers.transport import Exchange, Transport

HUB: Final = "https://huggingface.co"
URL_VARIABLE, KEY_VARIABLE, OFFLINE_VARIABLE = "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE"
"""The names under which this hub's users usually keep its address, their key, and that nothing may be fetched."""

MAX_FILES = 20_000
MAX_FILE_BYTES, MAX_NAME_BYTES = 1 << 50, 240
_MAX_LISTING_BYTES = 32 * 1024 * 1024
_LISTING_TIMEOUT_S = 30.0
_HOPS = 4
_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[\w][\w./-]{0,250}", re.ASCII)
_COMMIT, _SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")


class HubFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a repository. `sha256` None: the hub tells none, which is so for small files that are no weights."""

    name: str
    size_bytes: int
    sha256: str | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A repository at one commit. `license` is what its card says, None where it says nothing.

    `gated`: its maker wants terms to be accepted on the hub's page before a key may read it.
    """

    repo: str
    commit: str
    license: str | None
    license_url: str | None
    gated: bool
    files: tuple[HubFile, ...]


class _Large(msgspec.Struct):
    sha256: str
    size: int


class _Sibling(msgspec.Struct):
    rfilename: str
    size: int | None = None
    lfs: _Large | None = None


class _Told(msgspec.Struct):
    sha: str
    siblings: list[_Sibling] = []
    gated: bool | str | None = False
    cardData: dict[str, Any] | None = None  # noqa: N815 the hub's own spelling


def hub_address(environ: Mapping[str, str], key: Secret | None) -> Address:
    """Return which hub to ask. Raises InvalidCall where the environment says that nothing may be fetched.

    The usual one is public, and so must be whatever it sends on to; one that was named may be anywhere.
    """
    if environ.get(OFFLINE_VARIABLE, "").strip().upper() in ("1", "ON", "YES", "TRUE"):
        told = "is set: nothing is fetched from a hub; unset it, or name a file that is here"
        raise InvalidCall(f"{OFFLINE_VARIABLE} {told}", param=OFFLINE_VARIABLE)
    named = environ.get(URL_VARIABLE, "").strip().rstrip("/")
    return Address(url=named or HUB, key=key, limits=LIMITS, networks=() if named else (PUBLIC,))


async def listing(transport: Transport, hub: Address, repo: str, revision: str = "main") -> Listing:
    """Return what the hub holds as OWNER/NAME.

    Raises:
        InvalidCall: no such name, or none that could be.
        Unauthorized: the hub wants a key that may read it.
        ProviderError: the hub does not answer, or not as one does.
    """
    if not _REPO.fullmatch(repo) or not _REVISION.fullmatch(revision) or ".." in repo + revision:
        raise InvalidCall(
            f"{repo}@{revision} cannot be a model of a hub: it is OWNER/NAME, and a branch, tag or commit"
        )
    place = Place(address=hub, path=f"/api/models/{repo}/revision/{quote(revision, safe='')}?blobs=true")
    told = await _told(transport, place, repo)
    if not _COMMIT.fullmatch(told.sha) or len(told.siblings) > MAX_FILES:
        raise BadReply(f"{hub.url} did not list {repo} as a hub does")
    card = told.cardData or {}
    return Listing(
        repo=repo,
        commit=told.sha,
        license=_license(card),
        license_url=_text(card.get("license_link")),
        gated=bool(told.gated),
        files=tuple(file for one in told.siblings if (file := _file(one)) is not None),
    )


def place_of(hub: Address, listed: Listing, file: HubFile) -> Place:
    """Return where a file of a listing is read, at the listing's commit."""
    return Place(address=hub, path=f"/{listed.repo}/resolve/{listed.commit}/{quote(file.name, safe='/')}")


async def _told(transport: Transport, place: Place, repo: str) -> _Told:
    for _ in range(_HOPS):
        deadline = asyncio.get_running_loop().time() + _LISTING_TIMEOUT_S
        limits = msgspec.structs.replace(place.address.limits, max_answer_bytes=_MAX_LISTING_BYTES)
        address = msgspec.structs.replace(place.address, limits=limits)
        try:
            exchange = await transport.get(address, place.path, deadline=deadline)
        except Unreachable as error:
            raise Unreachable(f"{address.url}: {error}; {URL_VARIABLE} names another hub", code=error.code) from error
        if exchange.status in (301, 302, 307, 308):  # a model that was renamed
            place = onward(place, exchange.headers.get(b"location", b"").decode("latin-1"))
            continue
        _check(exchange, place, repo)
        try:
            return msgspec.json.decode(await exchange.read_all(), type=_Told)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadReply(f"{place.address.url} did not list {repo} as a hub does") from error
    raise BadReply(f"{place.address.url} sends on again and again")


def _check(exchange: Exchange, place: Place, repo: str) -> None:
    status, url = exchange.status, place.address.url
    if status in (401, 403):
        key = "does not accept the key" if place.address.key is not None else f"wants a key (set {KEY_VARIABLE})"
        raise Unauthorized(f"{url} {key} for {repo}, or has no such model", status=status)
    if status == 404:
        raise InvalidCall(f"{url} has no model {repo}, or no such revision of it")
    if status == 429:
        raise RateLimited(f"{url} asks to wait", status=status)
    if status >= 500:
        raise Overloaded(f"{url} answered with status {status}", status=status)
    if status != 200:
        raise BadReply(f"{url} answered with status {status}", status=status)


def _file(told: _Sibling) -> HubFile | None:
    """Return a file whose name can be a path under a folder of ours, and whose size is known."""
    steps = told.rfilename.split("/")
    size = told.lfs.size if told.lfs else told.size
    if size is None or not 0 <= size <= MAX_FILE_BYTES or not all(map(_step, steps)):
        return None
    sha256 = told.lfs.sha256 if told.lfs and _SHA256.fullmatch(told.lfs.sha256) else None
    return HubFile(name=told.rfilename, size_bytes=size, sha256=sha256)


def _step(name: str) -> bool:
    """Say whether a file or folder can have this name, and the place where it grows that name and more."""
    return sound(name) and not name.startswith(".") and "\\" not in name and len(name.encode()) <= MAX_NAME_BYTES


def _license(card: dict[str, Any]) -> str | None:
    """Return the licence by its name: a card says `other` where it then gives one."""
    told = _text(card.get("license"))
    return _text(card.get("license_name")) or told if told in (None, "other") else told


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and sound(value) else None
