"""What does a GGUF file hold? Its header, read without loading a tensor.

Source: github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3 (read 2026-11); tensor sizes as in ggml.h.
It knows nothing of memory or engines. Invariant: whatever the bytes, it ends with a `Header` or `Unreadable`, having
held at most one window of the file; every length is checked against the file's size and a cap before it is used.
"""

import struct
from typing import Final, Protocol

import msgspec

from tierwise.hardware.weights import Sorter, Weights

MAX_HEADER_BYTES: Final = 128 * 1024 * 1024
MAX_ENTRIES: Final = 100_000
MAX_ELEMENTS: Final = 1 << 48
MAX_ARRAY: Final = 4_000_000
MAX_TEXT_BYTES: Final = 64 * 1024
MAX_KEPT: Final = 256
"""So many entries that are kept are in no header of one model: there are about sixty, each of one name."""
_WINDOW_BYTES: Final = 1024 * 1024
_SCALARS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MAX_KEPT_ARRAY = 1024
_BLOCKS: Final = {  # type of tensor: elements in a block, bytes of a block
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74),
    18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2),
    26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18),
}  # fmt: skip
_GENERAL: Final = frozenset({"general.architecture", "general.name", "general.alignment", "split.count"})
_OWN: Final = frozenset({  # entries that carry the name of the architecture in front
    "context_length", "block_count", "embedding_length", "feed_forward_length", "vocab_size", "nextn_predict_layers",
    "attention.head_count", "attention.head_count_kv", "attention.key_length", "attention.value_length",
    "attention.key_length_swa", "attention.value_length_swa", "attention.sliding_window",
    "attention.sliding_window_pattern", "attention.shared_kv_layers", "attention.kv_lora_rank",
    "attention.key_length_mla", "attention.value_length_mla", "attention.recurrent_layers",
    "attention.indexer.key_length", "attention.indexer.head_count", "full_attention_interval", "rope.dimension_count",
    "expert_count", "expert_used_count", "expert_shared_count", "expert_feed_forward_length", "ssm.conv_kernel",
    "ssm.inner_size", "ssm.state_size", "ssm.group_count", "ssm.time_step_rank", "kda.head_dim", "wkv.head_size",
    "token_shift_count", "shortconv.l_cache", "embedding_length_per_layer_input", "altup.num_inputs",
})  # fmt: skip
_VOCABULARY, _TEMPLATE = "tokenizer.ggml.tokens", "tokenizer.chat_template"


class Unreadable(ValueError):
    """The bytes are not a GGUF file that can be used; the text says why."""


class Source(Protocol):
    """What a header is read from: an open file, or anything else that can be read from a place."""

    def read(self, count: int, /) -> bytes:
        """Return up to `count` bytes from where it stands, and none at its end."""
        ...

    def seek(self, place: int, /) -> object:
        """Stand at a place counted from the beginning."""
        ...


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the header says. None where it says nothing.

    `heads_kv` has one number per block, or one for all. `weight_bytes` counts tensors of known type only, and
    `sizes_known` is false where others are there. `end_bytes` is where the last tensor ends. `own` has the numbers of
    the entries that carry the name of the architecture in front, without that name; yes and no are 1 and 0.
    """

    version: int
    architecture: str
    name: str | None = None
    context_tokens: int | None = None
    blocks: int | None = None
    embedding: int | None = None
    feed_forward: int | None = None
    heads: int | None = None
    heads_kv: tuple[int, ...] = ()
    key_length: int | None = None
    value_length: int | None = None
    vocabulary: int | None = None
    chat_template: bool = False
    parts: int = 1
    tensors: int = 0
    parameters: int = 0
    weight_bytes: int = 0
    sizes_known: bool = True
    end_bytes: int = 0
    weights: Weights = Weights()
    own: dict[str, tuple[int, ...]] = {}


def read_header(source: Source, size_bytes: int) -> Header:
    """Read the header of a file of `size_bytes`; `source` is at its start.

    Raises:
        Unreadable: no GGUF, an unknown version, lengths beyond caps or file, or tensors that end beyond the file.
    """
    window = _Window(source, size_bytes)
    try:
        return _read(window, size_bytes)
    except (struct.error, UnicodeDecodeError, OverflowError) as error:
        raise Unreadable(f"its header is damaged: {error}") from error


def _read(window: "_Window", size_bytes: int) -> Header:
    if window.take(4) != b"GGUF":
        raise Unreadable("it is not a GGUF file (it does not begin with 'GGUF')")
    version = window.number("I")
    if version not in (2, 3):
        raise Unreadable(f"its GGUF version {version} is not supported (2 and 3 are); it may be big-endian or very old")
    tensors, entries = window.number("Q"), window.number("Q")
    if tensors > MAX_ENTRIES or entries > MAX_ENTRIES:
        raise Unreadable(f"its header claims {tensors} tensors and {entries} entries")
    facts = _read_facts(window, entries)
    parameters, weights, last, known = _read_tensors(window, tensors)
    alignment = facts.number("general.alignment") or 32
    if alignment > 1 << 20 or alignment % 8:
        raise Unreadable(f"its alignment of {alignment} bytes makes no sense")
    end = -(-window.position // alignment) * alignment + last if tensors else window.position
    if end > size_bytes:
        raise Unreadable(f"it is truncated: its tensors end at byte {end}, the file has {size_bytes}")
    architecture = facts.text("general.architecture")
    if not architecture:
        raise Unreadable("its header names no architecture")
    own = f"{architecture}."
    return Header(
        version=version,
        architecture=architecture,
        name=facts.text("general.name"),
        context_tokens=facts.number(own + "context_length"),
        blocks=facts.number(own + "block_count"),
        embedding=facts.number(own + "embedding_length"),
        feed_forward=facts.largest(own + "feed_forward_length"),
        heads=facts.largest(own + "attention.head_count"),
        heads_kv=facts.numbers(own + "attention.head_count_kv"),
        key_length=facts.number(own + "attention.key_length"),
        value_length=facts.number(own + "attention.value_length"),
        vocabulary=facts.number(_VOCABULARY) or facts.number(own + "vocab_size"),
        chat_template=_TEMPLATE in facts.values,
        parts=facts.number("split.count") or 1,
        tensors=tensors,
        parameters=parameters,
        weight_bytes=weights.total_bytes,
        sizes_known=known,
        end_bytes=end,
        weights=weights,
        own=facts.own(own),
    )


class _Facts:
    """The entries that are wanted, by their full keys."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        return value if isinstance(value, str) else None

    def numbers(self, key: str) -> tuple[int, ...]:
        value = self.values.get(key)
        items = value if isinstance(value, tuple) else (value,)
        return tuple(item for item in items if isinstance(item, int) and not isinstance(item, bool) and item >= 0)

    def number(self, key: str) -> int | None:
        found = self.numbers(key)
        return found[0] if len(found) == 1 else None

    def largest(self, key: str) -> int | None:
        return max(self.numbers(key), default=None)

    def own(self, prefix: str) -> dict[str, tuple[int, ...]]:
        found = {key.removeprefix(prefix): value for key, value in self.values.items() if key.startswith(prefix)}
        each = {key: value if isinstance(value, tuple) else (value,) for key, value in found.items()}
        return {
            key: tuple(int(one) for one in value if isinstance(one, int))
            for key, value in each.items()
            if value and all(isinstance(one, int) and one >= 0 for one in value)
        }


def _read_facts(window: "_Window", entries: int) -> _Facts:
    facts = _Facts()
    for _ in range(entries):
        key = window.text()
        if key == _VOCABULARY:
            facts.values[key] = _read_value(window, keep=False)
        elif key == _TEMPLATE:
            _read_value(window, keep=False)
            facts.values[key] = True
        else:
            wanted = key in _GENERAL or key.partition(".")[2] in _OWN
            value = _read_value(window, keep=wanted)
            if wanted:
                facts.values[key] = value
            if len(facts.values) > MAX_KEPT:
                raise Unreadable(f"its header says more than {MAX_KEPT} things of the model")
    return facts


def _read_value(window: "_Window", *, keep: bool) -> object:
    """Read one value; of an array that is not kept, its length."""
    kind = window.number("I")
    if kind in _SCALARS:
        return window.number(_SCALARS[kind])
    if kind == _STRING and keep:
        return window.text()
    if kind == _STRING:
        window.skip_text()
        return None
    if kind != _ARRAY:
        raise Unreadable(f"its header holds a value of unknown type {kind}")
    kind, count = window.number("I"), window.number("Q")
    if count > MAX_ARRAY:
        raise Unreadable(f"its header holds an array of {count} elements")
    if kind == _STRING:
        window.skip_texts(count)
        return count
    if kind not in _SCALARS:  # arrays of arrays are in no published file
        raise Unreadable(f"its header holds an array of unknown type {kind}")
    code = _SCALARS[kind]
    if keep and count <= _MAX_KEPT_ARRAY:
        return struct.unpack(f"<{count}{code}", window.take(count * struct.calcsize(f"<{code}")))
    window.skip(count * struct.calcsize(f"<{code}"))
    return count


def _read_tensors(window: "_Window", tensors: int) -> tuple[int, Weights, int, bool]:
    """Return parameters, bytes, end of the last tensor from the start of the data, and whether all types are known."""
    parameters = last = 0
    known = True
    places = Sorter()
    for _ in range(tensors):
        name = window.text()
        dimensions = window.number("I")
        if dimensions > 8:
            raise Unreadable(f"its header holds a tensor of {dimensions} dimensions")
        elements = 1
        for _ in range(dimensions):
            elements *= window.number("Q")
        kind, offset = window.number("I"), window.number("Q")
        if elements > MAX_ELEMENTS:
            raise Unreadable(f"its header holds a tensor of {elements} elements")
        block, block_bytes = _BLOCKS.get(kind, (1, 0))
        known = known and kind in _BLOCKS
        size = -(-elements // block) * block_bytes
        places.add(name, size)
        parameters += elements
        last = max(last, offset + size)
    return parameters, places.sorted(), last, known


class _Window:
    """A bounded view that moves forward over a file."""

    def __init__(self, source: Source, size_bytes: int) -> None:
        self._source, self._size = source, size_bytes
        self._buffer, self._at = b"", 0
        self._start = 0  # position of the buffer in the file

    @property
    def position(self) -> int:
        return self._start + self._at

    def take(self, count: int) -> bytes:
        self._need(count)
        data = self._buffer[self._at : self._at + count]
        self._at += count
        return data

    def number(self, code: str) -> int:
        code = "<" + code
        (value,) = struct.unpack(code, self.take(struct.calcsize(code)))
        return value  # type: ignore[no-any-return]

    def text(self) -> str:
        count = self.number("Q")
        if count > MAX_TEXT_BYTES:
            raise Unreadable(f"its header holds a text of {count} bytes where a name belongs")
        return self.take(count).decode("utf-8", "replace")

    def skip_text(self) -> None:
        self.skip(self.number("Q"))

    def skip_texts(self, count: int) -> None:
        unpack = struct.Struct("<Q").unpack_from
        buffer, at = self._buffer, self._at
        for _ in range(count):  # a vocabulary is the bulk of a header, hence the local names
            if len(buffer) - at >= 8:
                following = at + 8 + unpack(buffer, at)[0]
                if following <= len(buffer):
                    at = following
                    continue
            self._at = at
            self.skip_text()
            buffer, at = self._buffer, self._at
        self._at = at

    def skip(self, count: int) -> None:
        if count <= len(self._buffer) - self._at:
            self._at += count
            return
        self._check(count)
        self._start, self._buffer, self._at = self.position + count, b"", 0
        self._source.seek(self._start)

    def _need(self, count: int) -> None:
        if count <= len(self._buffer) - self._at:
            return
        self._check(count)
        rest = self._buffer[self._at :]
        self._start += self._at
        self._buffer = rest + self._source.read(max(count - len(rest), _WINDOW_BYTES))
        self._at = 0
        if len(self._buffer) < count:
            raise Unreadable("it is truncated inside its header")

    def _check(self, count: int) -> None:
        end = self.position + count
        if end > self._size:
            raise Unreadable(f"it is truncated: its header reaches beyond its {self._size} bytes")
        if end > MAX_HEADER_BYTES:
            raise Unreadable(f"its header is larger than {MAX_HEADER_BYTES} bytes")
