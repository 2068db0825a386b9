"""What does somebody mean by a model: a file here, one on a hub, or a row of the catalogue? Each becomes candidates.

It reads headers, never a tensor. Invariant: nothing is asked of anybody outside unless `hub:` says so.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tierwise import config
from tierwise.cli import fit_safetensors
from tierwise.core.errors import InvalidCall
from tierwise.hardware.admit import UNTRAINED_TOKENS
from tierwise.hardware.catalogued import candidates, scaled, spread
from tierwise.hardware.detect import read_gguf
from tierwise.hardware.gguf import Header, Unreadable, read_header
from tierwise.hardware.layers import Experts, Layer, Shape, shape
from tierwise.hardware.plan import Candidate
from tierwise.providers.address import Address
from tierwise.providers.hub import KEY_VARIABLE, HubFile, Listing, hub_address, listing, place_of
from tierwise.providers.hub_files import Quantized, label_of, quantized
from tierwise.providers.remote import RemoteFile
from tierwise.providers.transport import Transport
from tierwise.registry.load import nearest
from tierwise.registry.open_models import Attention, OpenModel, open_model, open_models
from tierwise.registry.open_models import Experts as Mixture

HUB = "hub:"
F32_BYTES = 4
"""As engines keep the numbers of a state."""
MOST_OF_A_HEADER_BYTES = 64 * 1024 * 1024
"""Of a file on a hub; the largest vocabularies take some 20 MB."""
NO_GGUF = "these are no GGUF files: the memory is what llama.cpp would take, other engines set aside more"


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged: its name, its quantizations, the context that it was trained for, and where to read on."""

    name: str
    candidates: tuple[Candidate, ...]
    trained_tokens: int | None
    source: str
    note: str = ""
    pull: str | None = None
    """What `tierwise pull` gets it by, without a quantization."""

    @property
    def most_tokens(self) -> int:
        """Return the longest context to try, where the header does not say what it was trained for too."""
        return self.trained_tokens or UNTRAINED_TOKENS


def subject(text: str, settings: config.Settings) -> Subject:
    """Find out what is meant.

    Raises:
        InvalidCall: nothing of that name; a file that cannot be read; a hub that has no such model.
        ProviderError: the hub does not answer.
    """
    if text.startswith(HUB):
        return _from_hub(text.removeprefix(HUB), settings)
    file = Path(text).expanduser()
    if file.exists() or text.lower().endswith(".gguf"):
        return _from_file(file)
    if row := open_model(text):
        return from_row(row)
    names = [one.name for one in open_models()]
    hint = "name a GGUF file, hub:OWNER/NAME, or a model that `tierwise fit` lists"
    raise InvalidCall(f"no model {text!r} is known here{nearest(text, names)}; {hint}", param="MODEL")


def _from_file(file: Path) -> Subject:
    if file.is_dir():
        one, header = fit_safetensors.in_folder(file)
        return Subject(
            name=file.name, candidates=(one,), trained_tokens=header.context_tokens, source=str(file), note=NO_GGUF
        )
    try:
        header = read_gguf(file)
    except Unreadable as error:
        raise InvalidCall(f"{file} cannot be judged: {error}. Name a complete GGUF file.", param="MODEL") from error
    return _read(header, label_of(file.name), header.name or file.stem, str(file))


def _read(header: Header, label: str, name: str, source: str) -> Subject:
    if header.parts > 1:
        raise InvalidCall(f"{source} is one of {header.parts} parts: merge them, or name the model as hub:OWNER/NAME")
    if not header.tensors:
        raise InvalidCall(f"{source} holds no tensors, only a vocabulary: name a GGUF file of a model", param="MODEL")
    one = by_header(header, label)
    return Subject(
        name=name, candidates=(one,), trained_tokens=header.context_tokens, source=source, pull=f"file:{source}"
    )


def _from_hub(name: str, settings: config.Settings) -> Subject:
    """Read one header on the hub; other quantizations have the same shape, and weigh what their files do."""
    repo, _, revision = name.partition("@")
    hub = hub_address(settings.environ, settings.secret(f"env:{KEY_VARIABLE}"))
    listed = listing_of(hub, repo, revision or "main")
    every = quantized(listed.files)
    if not every:
        return _others(hub, listed)
    found, trained = by_size(hub, listed, every)
    return Subject(
        name=repo,
        candidates=found,
        trained_tokens=trained,
        pull=None if revision else f"hub:{repo}",
        source=f"{hub.url}/{repo} at {listed.commit[:12]}",
        note=f"licence: {listed.license or 'not told'}"
        + ("; its maker's terms must be accepted" if listed.gated else ""),
    )


def _others(hub: Address, listed: Listing) -> Subject:
    """Judge a repository without GGUF by its safetensors."""
    files = {file.name: file for file in listed.files}
    if not fit_safetensors.is_one(files):
        told = f"{listed.repo} has neither GGUF files nor safetensors with a config.json: name a repository that has"
        raise InvalidCall(told, param="MODEL")
    one, header = fit_safetensors.read(
        lambda name: RemoteFile(place_of(hub, listed, files[name])),
        {name: file.size_bytes for name, file in files.items()},
        fit_safetensors.MOST_READ,
        listed.repo,
    )
    return Subject(
        name=listed.repo,
        candidates=(one,),
        trained_tokens=header.context_tokens,
        source=f"{hub.url}/{listed.repo} at {listed.commit[:12]}",
        note=f"licence: {listed.license or 'not told'}; {NO_GGUF}",
    )


def listing_of(hub: Address, repo: str, revision: str) -> Listing:
    """Return what a repository holds. Raises InvalidCall, ProviderError."""

    async def asked() -> Listing:
        transport = Transport()
        try:
            return await listing(transport, hub, repo, revision)
        finally:
            await transport.aclose()

    return asyncio.run(asked())


def by_size(hub: Address, listed: Listing, every: Sequence[Quantized]) -> tuple[tuple[Candidate, ...], int | None]:
    """Return quantizations by the header of the smallest and the sizes of all, and the context that was trained for.

    Raises:
        InvalidCall: that header cannot be read.
    """
    header = header_of(hub, listed, min(every, key=lambda one: (len(one.files), one.size_bytes)).files[0])
    found, whole = _shape_of(header), header.parts == 1 and header.sizes_known
    return tuple(
        Candidate(
            quantization=one.quantization,
            shape=found,
            weights=scaled(header.weights, one.size_bytes) if whole else spread(found, one.size_bytes),
            parameters=header.parameters,
            evidence="sizes",
        )
        for one in every
    ), header.context_tokens


def header_of(hub: Address, listed: Listing, file: HubFile) -> Header:
    """Read the header of a file on a hub. Raises InvalidCall where it cannot be read, or is no GGUF file."""
    with RemoteFile(place_of(hub, listed, file), max_fetched_bytes=MOST_OF_A_HEADER_BYTES) as source:
        try:
            return read_header(source, source.size_bytes)
        except Unreadable as error:
            raise InvalidCall(f"{file.name} of {listed.repo} cannot be judged: {error}") from error


def by_header(header: Header, label: str) -> Candidate:
    """Return what a header says of one file."""
    return Candidate(quantization=label, shape=_shape_of(header), weights=header.weights, parameters=header.parameters)


def _shape_of(header: Header) -> Shape | None:
    """Return the layers; none where a tensor's type is not known, since its bytes would be missing in every sum."""
    return shape(header) if header.sizes_known else None


def from_row(row: OpenModel) -> Subject:
    """Return what a row of the catalogue says of a model, estimated: no file is read."""
    experts = row.experts
    inside = 3 * row.hidden * experts.feed_forward * experts.count if experts and experts.feed_forward else 0
    mixed = (experts.layers or row.layers) * inside if experts else 0
    found = candidates(
        _shape(row), row.parameters, embedding=row.vocabulary * row.hidden, tied=row.tied_embeddings, experts=mixed
    )
    where = f"`tierwise fit hub:{row.files}` reads the files themselves" if row.files else ""
    return Subject(
        name=row.name,
        candidates=found,
        trained_tokens=row.context_tokens,
        pull=row.name if row.files else None,
        source=f"catalogue, {row.as_of}: sizes are estimated from {row.parameters / 1e9:.1f} billion parameters",
        note=f"licence: {row.license}" + (f"; {where}" if where else ""),
    )


def _shape(row: OpenModel) -> Shape | None:
    """Return the layers that a row tells; None where a kind of them keeps what no row says."""
    layers = [layer for one in row.attention for layer in _layers(one)]
    if len(layers) != row.layers:
        return None
    mixture = row.experts
    return Shape(
        architecture=row.architecture or row.family,
        layers=tuple(layers),
        embedding=row.hidden,
        heads=row.heads,
        queries=row.heads * max((one.key_dim or 0 for one in row.attention), default=0),
        feed_forward=row.feed_forward or (mixture.feed_forward if mixture else None) or 4 * row.hidden,
        vocabulary=row.vocabulary,
        experts=_experts(mixture) if mixture else None,
        context_tokens=row.context_tokens,
        scan_width=max((one.state_width for one in row.attention), default=0),
    )


def _experts(mixture: Mixture) -> Experts:
    wide = mixture.feed_forward or 0
    return Experts(count=mixture.count, used=mixture.used, shared=mixture.shared, feed_forward=wide)


def _layers(one: Attention) -> list[Layer]:
    match one.kind:
        case "shared":
            layer = Layer(kind="shared")
        case "recurrent" if one.state_numbers:
            layer = Layer(kind="recurrent", state_bytes=F32_BYTES * one.state_numbers)
        case "mla" if one.latent_dim and one.rope_dim:
            layer = Layer(kind="mla", k_width=one.latent_dim + one.rope_dim)
        case ("full" | "sliding") as kind if one.kv_heads and one.key_dim and (kind == "full" or one.window_tokens):
            values = one.kv_heads * (one.value_dim or one.key_dim)
            layer = Layer(kind=kind, k_width=one.kv_heads * one.key_dim, v_width=values, window=one.window_tokens or 0)
        case _:
            return []
    return [layer] * one.layers
