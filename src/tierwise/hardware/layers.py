"""What does each layer of a model keep for every token, and what once? Its shape, from the header.

It knows no sizes of memory and no machine. Invariant: a shape is complete or it is not given: an architecture that no
rule covers has none, and its weights are then all that is known.
"""

from typing import Literal

import msgspec

from tierwise.hardware.gguf import Header

Kind = Literal["full", "sliding", "shared", "mla", "recurrent", "none"]


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer. `k_width` and `v_width` are the numbers that it caches for a token (MLA: latent and rope, no value).

    `window` is how far back a sliding layer looks, in tokens; `state_bytes` what a recurrent one holds for a sequence,
    whatever its length.
    """

    kind: Kind
    k_width: int = 0
    v_width: int = 0
    window: int = 0
    state_bytes: int = 0


class Experts(msgspec.Struct, frozen=True, kw_only=True):
    """How many experts a layer has, how many a token uses of them, and how many every token uses besides."""

    count: int
    used: int
    shared: int = 0


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A model by its layers. None: the header does not say."""

    architecture: str
    layers: tuple[Layer, ...]
    embedding: int
    heads: int
    feed_forward: int
    vocabulary: int
    experts: Experts | None = None
    context_tokens: int | None = None


def shape(header: Header) -> Shape | None:
    """Return the shape of a model, or None where its architecture is not known or its header says too little."""
    if not header.blocks or not header.heads or not header.embedding:
        return None
    head = header.embedding // header.heads
    heads = header.heads_kv or (header.heads,)
    each = heads if len(heads) == header.blocks else (max(heads),) * header.blocks
    return Shape(
        architecture=header.architecture,
        layers=tuple(
            Layer(
                kind="full" if count else "none",
                k_width=count * (header.key_length or head),
                v_width=count * (header.value_length or head),
            )
            for count in each
        ),
        embedding=header.embedding,
        heads=header.heads,
        feed_forward=header.feed_forward or 0,
        vocabulary=header.vocabulary or 0,
        context_tokens=header.context_tokens,
    )
