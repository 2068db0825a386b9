"""What does each layer of a model keep for every token, and what once? Its shape, from the header.

It knows no sizes of memory and no machine. Invariant: a shape is complete or it is not given: an architecture that no
rule covers has none, and its weights are then all that is known.
"""

from typing import Literal

import msgspec

from tierwise.hardware.architectures import Rule, rules
from tierwise.hardware.gguf import Header
from tierwise.hardware.weights import MAX_BLOCKS

Kind = Literal["full", "sliding", "shared", "mla", "recurrent", "none"]
_F32 = 4


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer. `k_width` and `v_width` are the numbers that it reads of a token (MLA: latent and rope, no value).

    It keeps them too, unless it shares the cache of a layer before. `window` is how far back a sliding layer looks, in
    tokens; `state_bytes` what a recurrent one holds for a sequence, whatever its length. Where a layer attends and
    recurs at once its kind is that of its cache.
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
    feed_forward: int = 0


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A model by its layers; what the header does not say is 0.

    `queries` is the width of all heads together, `per_layer_input` that of what every layer gets besides, `scan_width`
    that of a recurrent layer, `streams` how many hidden states stand side by side. `unused_blocks`, the last, are in
    the file for guessing ahead and are not run.
    """

    architecture: str
    layers: tuple[Layer, ...]
    embedding: int
    heads: int
    queries: int
    feed_forward: int
    vocabulary: int
    experts: Experts | None = None
    context_tokens: int | None = None
    per_layer_input: int = 0
    scan_width: int = 0
    streams: int = 1
    unused_blocks: int = 0


def shape(header: Header) -> Shape | None:
    """Return the shape of a model, or None where its architecture is not known or its header says too little."""
    rule = rules().get(header.architecture)
    if rule is None or not header.blocks or not header.embedding or header.blocks > MAX_BLOCKS:
        return None
    facts = _Facts(header, rule)
    unused = min(facts.one("nextn_predict_layers"), header.blocks - 1)
    layers = [facts.layer(number) for number in range(header.blocks - unused)]
    if any(layer is None for layer in layers):
        return None
    return Shape(
        architecture=header.architecture,
        layers=tuple(layer for layer in layers if layer),
        embedding=header.embedding,
        heads=facts.heads,
        queries=facts.heads * max(facts.key_length, facts.one("attention.key_length_mla"), facts.one("kda.head_dim")),
        feed_forward=header.feed_forward or 0,
        vocabulary=header.vocabulary or 0,
        experts=facts.experts(),
        context_tokens=header.context_tokens,
        per_layer_input=facts.one("embedding_length_per_layer_input"),
        scan_width=facts.one("ssm.inner_size") + facts.one("ssm.group_count") * facts.one("ssm.state_size"),
        streams=max(1, facts.one("altup.num_inputs")),
        unused_blocks=unused,
    )


class _Facts:
    """The header's numbers, read by one rule."""

    def __init__(self, header: Header, rule: Rule) -> None:
        self._header, self._rule = header, rule
        self.blocks, self.embedding = header.blocks or 0, header.embedding or 0
        self.heads = header.heads or 0
        self.key_length = header.key_length or (self.embedding // self.heads if self.heads else 0)

    def one(self, key: str, otherwise: int = 0) -> int:
        """Return the largest number of an entry."""
        return max(self._header.own.get(key, ()), default=otherwise)

    def at(self, key: str, number: int, otherwise: int) -> int:
        """Return an entry's number for one layer: its own, or the one that all share."""
        return self._choose(self._header.own.get(key, ()), number, otherwise)

    def _key_heads(self, number: int) -> int:
        return self._choose(self._header.heads_kv, number, self.heads)

    @staticmethod
    def _choose(numbers: tuple[int, ...], number: int, otherwise: int) -> int:
        if len(numbers) > 1:
            return numbers[number] if number < len(numbers) else otherwise
        return numbers[0] if numbers else otherwise

    def experts(self) -> Experts | None:
        """Return how many experts there are, where there are any."""
        count, used = self.one("expert_count"), self.one("expert_used_count")
        if not count:
            return None
        wide = self.one("expert_feed_forward_length", self._header.feed_forward or 0)
        shared = self.one("expert_shared_count")
        return Experts(count=count, used=min(used or count, count), shared=shared, feed_forward=wide)

    def layer(self, number: int) -> Layer | None:
        """Return one layer, or None where the header does not say enough of it."""
        state = self._state() if self._recurs(number) else 0
        if state is None:
            return None
        attends = self._rule.cache and not (state and self._rule.recurrent != "beside")
        if attends and self._header.heads is None and not self._header.heads_kv:
            return None
        heads = self._key_heads(number) if attends else 0
        if not heads:
            return Layer(kind="recurrent" if state else "none", state_bytes=state)
        if self.one("attention.kv_lora_rank") and self.one("attention.key_length_mla"):
            return Layer(kind="mla", k_width=self.key_length, state_bytes=state)
        window = self._window(number)
        key, value = self._lengths(swa=window > 0)
        if not key or not value:
            return None
        kind: Kind = "shared" if number >= self._own_caches() else "sliding" if window else "full"
        return Layer(kind=kind, k_width=heads * key, v_width=heads * value, window=window, state_bytes=state)

    def _lengths(self, *, swa: bool) -> tuple[int, int]:
        key = self.key_length
        value = self._header.value_length or (self.embedding // self.heads if self.heads else 0)
        if swa:
            return self.one("attention.key_length_swa", key), self.one("attention.value_length_swa", value)
        return key, value

    def _own_caches(self) -> int:
        """Return how many layers, from the first, have a cache of their own."""
        shared = self.one("attention.shared_kv_layers")
        if not shared and self._rule.shared_after is not None:
            return self._rule.shared_after
        return self.blocks - shared

    def _window(self, number: int) -> int:
        """Return how far back a layer looks; 0: at everything."""
        window = self.one("attention.sliding_window", self._rule.window)
        if self._rule.blocks not in (None, self.blocks):
            return 0
        match self._rule.sliding:
            case "":
                return 0
            case "listed":
                return window if self.at("attention.sliding_window_pattern", number, 0) else 0
            case "every":
                full = 0 if self._rule.first_full else self._rule.period - 1
                return 0 if number % self._rule.period == full else window

    def _recurs(self, number: int) -> bool:
        match self._rule.recurrent:
            case "":
                return False
            case "all" | "beside":
                return True
            case "interval":
                listed = self._header.own.get("attention.recurrent_layers", ())
                if number < len(listed):
                    return bool(listed[number])
                return (number + 1) % (self.one("full_attention_interval") or 4) != 0
            case "without_heads":
                idle = self.at("feed_forward_length", number, 1) and self._rule.state == "scan" and self._separate()
                return not idle and self._key_heads(number) == 0

    def _separate(self) -> bool:
        """Return whether feed-forward layers stand on their own: some layers then have no feed-forward at all."""
        return 0 in self._header.own.get("feed_forward_length", ())

    def _state(self) -> int | None:
        """Return the bytes of a layer's state for a sequence, in f32 as the engine keeps it."""
        tail = max(self.one("ssm.conv_kernel") - 1, 0)
        match self._rule.state:
            case "":
                return None
            case "scan":
                inner, size = self.one("ssm.inner_size"), self.one("ssm.state_size")
                moved = tail * (inner + 2 * self.one("ssm.group_count") * size)
                return _F32 * (moved + inner * size) or None
            case "convolution":
                return _F32 * self.embedding * max(self.one("shortconv.l_cache") - 1, 0) or None
            case "shift":
                size = self.one("wkv.head_size")
                return _F32 * self.embedding * (self.one("token_shift_count", 2) + size) if size else None
            case "delta":
                each = self.one("kda.head_dim")
                return _F32 * self.heads * each * (3 * tail + each) or None
