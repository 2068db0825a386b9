"""A model from a hub: one GGUF file of OWNER/NAME, that is to fit this machine, at one commit and with its digest.

Which one is decided from names, sizes and a header read over the network. Invariant: the digest that is checked is the
one that the hub told before the download, for the commit that is shown.
"""

import asyncio
import math
from pathlib import Path

import msgspec

from tierwise.cli.pulls.file import SLOTS, endpoint_row, model_row
from tierwise.cli.pulls.offer import Offer, Pulled, Tell, Wish
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.hardware.admit import DEFAULT_CONTEXT_TOKENS
from tierwise.hardware.detect import machine, read_gguf
from tierwise.hardware.fit import estimate, judge, largest_context
from tierwise.hardware.gguf import Header, Unreadable, read_header
from tierwise.hardware.snapshot import Machine
from tierwise.providers.address import Address
from tierwise.providers.download import Wanted, check_disk, download, missing_bytes
from tierwise.providers.hub import KEY_VARIABLE, HubFile, Listing, hub_address, listing, place_of
from tierwise.providers.hub_files import Quantized, quantized
from tierwise.providers.ranges import Ranges
from tierwise.providers.remote import RemoteFile
from tierwise.providers.transport import Transport
from tierwise.registry.load import nearest
from tierwise.registry.open_models import OpenModel, open_model, open_models

_UNQUANTIZED = frozenset({"BF16", "F16", "F32"})


class _Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One file that could be loaded, and whether it fits here. `context_tokens` None: it does not."""

    quantization: str
    file: HubFile
    context_tokens: int | None
    reason: str


def offer(wish: Wish) -> Offer:
    """Offer a file of the model: the quantization that was asked for, or the largest that fits.

    Raises:
        InvalidCall: no such model or quantization, no GGUF file, too little room on the disk.
        ProviderError: the hub does not answer.
    """
    row = open_model(wish.model)
    repo = _repository(wish.model, row)
    hub = hub_address(wish.settings.environ, wish.settings.secret(f"env:{KEY_VARIABLE}"))
    listed = asyncio.run(_listed(hub, repo, wish.revision))
    here = machine(wish.folder)
    choice = _chosen(hub, listed, wish.quantization, here)
    file = wish.folder / repo / choice.file.name
    wanted = Wanted(size_bytes=choice.file.size_bytes, sha256=choice.file.sha256)
    missing = missing_bytes(file, wanted)
    disk = check_disk(file.parent, missing) if missing else here.disk_free_bytes
    facts: dict[str, str | int | None] = {
        "model": repo,
        "file": choice.file.name,
        "quantization": choice.quantization,
        "size_bytes": choice.file.size_bytes,
        "to_fetch_bytes": missing,
        "licence": listed.license,
        **({"licence_url": listed.license_url} if listed.license_url else {}),
        **({"gated": "its maker's terms have to be accepted on the hub's page first"} if listed.gated else {}),
        "from": hub.url,
        "commit": listed.commit,
        "sha256": choice.file.sha256,
        "to": str(file),
        "disk_free_bytes": disk,
        "memory": choice.reason,
        "context_tokens": choice.context_tokens,
    }

    def fetch(tell: Tell) -> Pulled:
        found = asyncio.run(_fetched(hub, listed, choice.file, file, wanted, tell))
        _read(file)
        note = f"{repo} at {listed.commit}, {choice.file.name}, licence {listed.license or 'not told'}, sha256 {found}"
        return Pulled(note=note, told={"sha256": found})

    refusal = f"{choice.file.name} does not fit here: it {choice.reason}" if choice.context_tokens is None else ""
    return Offer(
        facts=facts,
        endpoint=endpoint_row(file, choice.context_tokens),
        model=model_row(file, choice.context_tokens, row.family if row else None),
        to_fetch_bytes=missing,
        fetch=fetch,
        refusal=refusal,
    )


def _repository(model: str, row: OpenModel | None) -> str:
    if row is not None and row.files is not None:
        return row.files
    if "/" in model:
        return model
    if row is not None:
        raise InvalidCall(f"no repository with GGUF files of {row.name} is known here: name one as OWNER/NAME")
    names = [one.name for one in open_models()]
    raise InvalidCall(f"no model {model!r} is known here{nearest(model, names)}: name one of a hub as OWNER/NAME")


async def _listed(hub: Address, repo: str, revision: str) -> Listing:
    transport = Transport()
    try:
        return await listing(transport, hub, repo, revision)
    finally:
        await transport.aclose()


def _chosen(hub: Address, listed: Listing, wanted: str | None, here: Machine) -> _Choice:
    """Return the quantization that was asked for, or the largest that fits; the smallest where none does."""
    every = quantized(listed.files)
    if not every:
        raise InvalidCall(
            f"{listed.repo} has no GGUF files, which the embedded engine reads: name a repository that has"
        )
    if wanted is not None:
        found = next((one for one in every if one.quantization.lower() == wanted.lower()), None)
        if found is None:
            told = ", ".join(one.quantization for one in every)
            raise InvalidCall(f"{listed.repo} has no {wanted}: it has {told}", param="quantization")
        return _choice(hub, listed, _single(listed, found), here)
    single = [one for one in every if len(one.files) == 1]
    if not single:
        return _choice(hub, listed, _single(listed, every[-1]), here)
    small = [one for one in single if one.quantization not in _UNQUANTIZED] or single
    room = math.inf if here.memory_available_bytes is None else here.memory_available_bytes
    for one in small:
        if one.size_bytes < room and (choice := _choice(hub, listed, one, here)).context_tokens is not None:
            return choice
    return _choice(hub, listed, small[-1], here)


def _single(listed: Listing, one: Quantized) -> Quantized:
    if len(one.files) > 1:
        raise InvalidCall(
            f"{one.quantization} of {listed.repo} is in {len(one.files)} parts, {one.size_bytes / 1e9:.0f} GB in all:"
            " the embedded engine loads single files"
        )
    return one


def _choice(hub: Address, listed: Listing, one: Quantized, here: Machine) -> _Choice:
    (file,) = one.files
    with RemoteFile(place_of(hub, listed, file)) as source:
        try:
            header = read_header(source, source.size_bytes)
        except Unreadable as error:
            raise InvalidCall(f"{listed.repo}: {file.name} is no file that could be loaded: {error}") from error
    context = _context(header, here)
    reason = judge(estimate(header, context or 512, SLOTS), here.memory_available_bytes).reason
    return _Choice(quantization=one.quantization, file=file, context_tokens=context, reason=reason)


def _context(header: Header, here: Machine) -> int | None:
    """Return the context as the engine will find it when it is started."""
    wanted = min(header.context_tokens or 4096, DEFAULT_CONTEXT_TOKENS)
    return largest_context(header, SLOTS, here.memory_available_bytes, wanted)


async def _fetched(hub: Address, listed: Listing, remote: HubFile, file: Path, wanted: Wanted, tell: Tell) -> str:
    transport = Transport()
    try:
        ranges = Ranges(transport, place_of(hub, listed, remote))
        return await download(ranges, file, wanted, lambda here: tell(here, wanted.size_bytes))
    finally:
        await transport.aclose()


def _read(file: Path) -> None:
    """Look once more at what came: the digest says that it is the hub's file, not that it can be loaded."""
    try:
        read_gguf(file)
    except Unreadable as error:
        raise ConfigError(f"{file} cannot be loaded: {error}", file=str(file)) from error
