"""A model from a hub: one GGUF file of OWNER/NAME, that is to fit this machine, at one commit and with its digest.

Which one is decided from names, sizes and a header read over the network. Invariant: the digest that is checked is the
one that the hub told before the download, for the commit that is shown.
"""

import asyncio
from pathlib import Path

import msgspec

from tierwise.cli.fit import paces
from tierwise.cli.fit_subject import by_header, by_size, header_of, listing_of
from tierwise.cli.pulls.file import SLOTS, endpoint_row, model_row
from tierwise.cli.pulls.offer import Offer, Pulled, Tell, Wish
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.hardware.admit import DEFAULT_CONTEXT_TOKENS, UNTRAINED_TOKENS
from tierwise.hardware.detect import read_gguf, whole_machine
from tierwise.hardware.gguf import Unreadable
from tierwise.hardware.plan import Plan, best
from tierwise.hardware.plan import Wish as Room
from tierwise.hardware.snapshot import Machine
from tierwise.providers.address import Address
from tierwise.providers.download import Wanted, check_disk, download, missing_bytes
from tierwise.providers.hub import KEY_VARIABLE, HubFile, Listing, hub_address, place_of
from tierwise.providers.hub_files import Quantized, quantized
from tierwise.providers.ranges import Ranges
from tierwise.providers.transport import Transport
from tierwise.registry.load import nearest
from tierwise.registry.open_models import OpenModel, open_model, open_models


def offer(wish: Wish) -> Offer:
    """Offer a file of the model: the quantization that was asked for, or the one that `tierwise fit` would take.

    Raises:
        InvalidCall: no such model or quantization, no GGUF file, too little room on the disk.
        ProviderError: the hub does not answer.
    """
    row = open_model(wish.model)
    repo = _repository(wish.model, row)
    hub = hub_address(wish.settings.environ, wish.settings.secret(f"env:{KEY_VARIABLE}"))
    listed = listing_of(hub, repo, wish.revision)
    here = whole_machine(wish.folder)
    chosen, plan = _chosen(hub, listed, wish, here)
    refused = plan.verdict.fit == "does_not_fit"
    context = None if refused else plan.setup.context_tokens
    file = wish.folder / repo / chosen.name
    wanted = Wanted(size_bytes=chosen.size_bytes, sha256=chosen.sha256)
    missing = missing_bytes(file, wanted)
    disk = check_disk(file.parent, missing) if missing else here.disk_free_bytes
    facts: dict[str, str | int | None] = {
        "model": repo,
        "file": chosen.name,
        "quantization": plan.quantization,
        "size_bytes": chosen.size_bytes,
        "to_fetch_bytes": missing,
        "licence": listed.license,
        **({"licence_url": listed.license_url} if listed.license_url else {}),
        **({"gated": "its maker's terms have to be accepted on the hub's page first"} if listed.gated else {}),
        "from": hub.url,
        "commit": listed.commit,
        "sha256": chosen.sha256,
        "to": str(file),
        "disk_free_bytes": disk,
        "memory": plan.verdict.reason,
        "context_tokens": context,
    }

    def fetch(tell: Tell) -> Pulled:
        found = asyncio.run(_fetched(hub, listed, chosen, file, wanted, tell))
        _read(file)
        note = f"{repo} at {listed.commit}, {chosen.name}, licence {listed.license or 'not told'}, sha256 {found}"
        return Pulled(note=note, told={"sha256": found})

    refusal = f"{chosen.name} does not fit here: {plan.verdict.reason}" if refused else ""
    return Offer(
        facts=facts,
        endpoint=endpoint_row(file, context),
        model=model_row(file, context, row.family if row else None),
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


def _chosen(hub: Address, listed: Listing, wish: Wish, here: Machine) -> tuple[HubFile, Plan]:
    """Return the file to load and how: what `fit` would take, for an engine that uses the processor alone."""
    some = _loadable(listed, wish.quantization)
    pace = paces(wish.settings, here)
    alone = msgspec.structs.replace(here, devices=())
    found, trained = by_size(hub, listed, tuple(some.values()))
    wanted = Room(
        context_tokens=min(trained or UNTRAINED_TOKENS, DEFAULT_CONTEXT_TOKENS), sequences=SLOTS, cache_types=("f16",)
    )
    taken = some[best(alone, found, wanted, pace).quantization]
    file = taken.files[0]
    return file, best(alone, (by_header(header_of(hub, listed, file), taken.quantization),), wanted, pace)


def _loadable(listed: Listing, wanted: str | None) -> dict[str, Quantized]:
    """Return what could be loaded of what was asked for, by quantization. Raises InvalidCall where there is nothing."""
    every = quantized(listed.files)
    if not every:
        raise InvalidCall(
            f"{listed.repo} has no GGUF files, which the embedded engine reads: name a repository that has"
        )
    asked = [one for one in every if wanted is None or one.quantization.lower() == wanted.lower()]
    if not asked:
        told = ", ".join(one.quantization for one in every)
        raise InvalidCall(f"{listed.repo} has no {wanted}: it has {told}", param="quantization")
    single = {one.quantization: one for one in reversed(asked) if len(one.files) == 1}
    if not single:
        one = asked[-1]
        raise InvalidCall(
            f"{one.quantization} of {listed.repo} is in {len(one.files)} parts, {one.size_bytes / 1e9:.0f} GB in all:"
            " the embedded engine loads single files"
        )
    return single


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
