"""What is known of open models before anything of them is here? The rows shipped in `registry/rows/open_models.toml`.

A row says what its source says, in numbers of the architecture; sizes of files and of memory follow from a file's own
header, never from a row. Invariant: what no source told is absent (None), and every row names its source and its day.
"""

import functools
from typing import Literal

import msgspec

from tierwise.registry.kinds import rows_in

Modality = Literal["text", "image", "audio", "video"]


class Attention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Layers that keep the same for every token.

    `full` and `sliding` ones keep keys and values for `kv_heads` heads of `key_dim` and `value_dim` (as `key_dim` where
    absent), the sliding ones for the last `window_tokens`; `shared` ones read those of an earlier layer; `mla` ones
    keep a latent of `latent_dim` and `rope_dim`; `recurrent` ones a state of `state_numbers` that does not
    grow, and compute with `state_width` of them at once (values, and keys once).
    """

    kind: Literal["full", "sliding", "shared", "mla", "recurrent"]
    layers: int
    kv_heads: int | None = None
    key_dim: int | None = None
    value_dim: int | None = None
    window_tokens: int | None = None
    latent_dim: int | None = None
    rope_dim: int | None = None
    state_numbers: int | None = None
    state_width: int = 0


class Experts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mixture: of `count` experts in each of `layers` layers a token uses `used`, and the `shared` ones always.

    `feed_forward` is the width of one expert, `shared_feed_forward` that of a shared one where it is another.
    """

    count: int
    used: int
    shared: int = 0
    layers: int | None = None
    feed_forward: int | None = None
    shared_feed_forward: int | None = None


class OpenModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model whose weights can be had.

    `license` is an SPDX identifier, or `LicenseRef-` and the name of a licence that has none. `weights` is where the
    hub keeps the maker's own files, `files` where it keeps them as GGUF; `served` is what servers of a kind call it.
    `architecture` is the name in the header of a GGUF file. Parameters are those of the maker's table: of all, and of
    those that one token uses.
    """

    name: str
    family: str
    maker: str
    license: str
    parameters: int
    active_parameters: int | None = None
    context_tokens: int
    modalities: tuple[Modality, ...] = ("text",)
    architecture: str | None = None
    layers: int
    hidden: int
    heads: int
    feed_forward: int | None = None
    vocabulary: int
    tied_embeddings: bool | None = None
    attention: tuple[Attention, ...]
    experts: Experts | None = None
    weights: str
    files: str | None = None
    served: dict[str, str] = {}
    source: tuple[str, ...]
    as_of: str
    note: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Return whatever it is called, in lower case."""
        return frozenset(one.lower() for one in (self.name, self.weights, self.files, *self.served.values()) if one)

    @property
    def cache_numbers_per_token(self) -> int | None:
        """Return how many numbers the cache grows by with each token of a long text; None where the row cannot say."""
        total = 0
        for one in self.attention:
            match one.kind:
                case "sliding" | "shared" | "recurrent":
                    continue
                case "mla":
                    if one.latent_dim is None or one.rope_dim is None:
                        return None
                    total += one.layers * (one.latent_dim + one.rope_dim)
                case "full":
                    if one.kv_heads is None or one.key_dim is None:
                        return None
                    total += one.layers * one.kv_heads * (one.key_dim + (one.value_dim or one.key_dim))
        return total


@functools.cache
def open_models() -> tuple[OpenModel, ...]:
    """Return every row, in the order of the file: by family, small ones first."""
    return msgspec.convert(rows_in("open_models.toml")["model"], tuple[OpenModel, ...])


def open_model(name: str) -> OpenModel | None:
    """Return the model of that name, whatever its case; by the names of the hub and of servers too."""
    return next((row for row in open_models() if name.lower() in row.names), None)
