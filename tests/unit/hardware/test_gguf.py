"""Headers: read right, and bounded whatever the bytes."""

import io
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.hardware.files import ARRAY, F32, I32, LLAMA, STRING, TENSORS, TINY, U32, U64, gguf, text
from tierwise.hardware.gguf import MAX_ARRAY, MAX_ENTRIES, MAX_KEPT, Header, Unreadable, read_header
from tierwise.hardware.weights import Weights


def read(data, size=None):
    return read_header(io.BytesIO(data), len(data) if size is None else size)


def test_what_a_header_says():
    assert read(TINY) == Header(
        version=3,
        architecture="llama",
        name="Tiny",
        context_tokens=4096,
        blocks=2,
        embedding=64,
        feed_forward=128,
        heads=8,
        heads_kv=(2,),
        vocabulary=4,
        chat_template=True,
        tensors=2,
        parameters=64 * 5,
        weight_bytes=8 * 34 + 256,
        end_bytes=len(TINY),
        weights=Weights(other_bytes=8 * 34 + 256),
        own={
            "context_length": (4096,),
            "block_count": (2,),
            "embedding_length": (64,),
            "feed_forward_length": (128,),
            "attention.head_count": (8,),
            "attention.head_count_kv": (2,),
        },
    )


def test_a_header_that_says_little():
    header = read(gguf([("general.architecture", STRING, "mamba")]))
    assert header == Header(version=3, architecture="mamba", end_bytes=header.end_bytes)


def test_numbers_for_each_block():
    entries = [*LLAMA, ("llama.attention.head_count_kv", ARRAY, (I32, [0, 4]))]
    assert read(gguf(entries)).heads_kv == (0, 4)


def test_entries_of_another_architecture_do_not_count():
    entries = [*LLAMA, ("tokenizer.llama.context_length", U32, 7), ("context_length", U32, 9)]
    header = read(gguf(entries))
    assert header.context_tokens == 4096


def test_strange_types_in_known_places_are_not_said():
    entries = [
        ("general.architecture", STRING, "x"),
        ("x.context_length", STRING, "many"),
        ("x.block_count", F32, 2.0),
        ("x.embedding_length", I32, -1),
        ("general.name", U32, 3),
    ]
    header = read(gguf(entries))
    assert (header.context_tokens, header.blocks, header.embedding, header.name) == (None, None, None, None)


def test_alignment_and_unknown_tensor_types():
    entries = [*LLAMA, ("general.alignment", U32, 64)]
    data = gguf(entries, [("a", (10,), 99, 64)], 64, alignment=64)
    header = read(data)
    assert (header.sizes_known, header.weight_bytes, header.end_bytes) == (False, 0, len(data))


def test_a_large_vocabulary_is_skipped_over_window_borders():
    words = [f"word{number}" * (number % 50) for number in range(40_000)]
    entries = [("general.architecture", STRING, "llama"), ("tokenizer.ggml.tokens", ARRAY, (STRING, words))]
    entries += LLAMA[2:9]
    data = gguf(entries, TENSORS, 544)
    assert len(data) > 5 * 1024 * 1024
    header = read(data)
    assert (header.vocabulary, header.context_tokens, header.end_bytes) == (40_000, 4096, len(data))


def damaged(**changes):
    start = {"magic": b"GGUF", "version": 3, "tensors": 0, "entries": 0, "rest": b"", **changes}
    return start["magic"] + struct.pack("<IQQ", start["version"], start["tensors"], start["entries"]) + start["rest"]


ENTRY = text("general.architecture")
BAD = {
    "empty": (b"", "truncated"),
    "three bytes": (b"GGU", "truncated"),
    "not gguf": (b"PK\x03\x04" + bytes(100), "not a GGUF file"),
    "old": (damaged(version=1), "version 1 is not supported"),
    "big-endian": (damaged(version=3 << 24), "may be big-endian"),
    "many tensors": (damaged(tensors=MAX_ENTRIES + 1), "claims 100001 tensors"),
    "many entries": (damaged(entries=1 << 60), "entries"),
    "missing entries": (damaged(entries=5), "truncated"),
    "endless key": (damaged(entries=1, rest=struct.pack("<Q", 1 << 62) + bytes(64)), "text of"),
    "endless text": (damaged(entries=1, rest=text("a.b") + struct.pack("<IQ", 8, (1 << 64) - 1)), "truncated"),
    "endless name": (damaged(entries=1, rest=ENTRY + struct.pack("<IQ", 8, 1 << 40)), "text of"),
    "huge array": (damaged(entries=1, rest=ENTRY + struct.pack("<IIQ", 9, 4, MAX_ARRAY + 1)), "array of 4000001"),
    "long array": (damaged(entries=1, rest=ENTRY + struct.pack("<IIQ", 9, 10, MAX_ARRAY)), "truncated"),
    "many texts": (damaged(entries=1, rest=ENTRY + struct.pack("<IIQ", 9, 8, MAX_ARRAY) + bytes(80)), "truncated"),
    "array of arrays": (damaged(entries=1, rest=ENTRY + struct.pack("<IIQ", 9, 9, 2) + bytes(80)), "unknown type"),
    "unknown type": (damaged(entries=1, rest=ENTRY + struct.pack("<I", 77) + bytes(80)), "unknown type 77"),
    "no architecture": (gguf([("general.name", STRING, "x")]), "names no architecture"),
    "dimensions": (gguf(LLAMA, [("a", (1,) * 9, 0, 0)]), "9 dimensions"),
    "elements": (gguf(LLAMA, [("a", (1 << 60, 1 << 60), 0, 0)]), "elements"),
    "offset": (gguf(LLAMA, [("a", (1,), 0, 1 << 63)]), "its tensors end at"),
    "alignment": (gguf([*LLAMA, ("general.alignment", U64, 1 << 40)]), "makes no sense"),
    "odd alignment": (gguf([*LLAMA, ("general.alignment", U32, 7)]), "makes no sense"),
}


@pytest.mark.parametrize("name", BAD)
def test_damage_is_named(name):
    data, words = BAD[name]
    with pytest.raises(Unreadable, match=words):
        read(data)


@pytest.mark.parametrize("lost", [1, 100, 300, len(TINY) - 10])
def test_a_cut_file(lost):
    with pytest.raises(Unreadable, match="truncated"):
        read(TINY[:-lost])


def bounded(data, size=None):
    """Read; return the header or None. Whatever happens, it takes little memory."""
    tracemalloc.start()
    try:
        return read(data, size)
    except Unreadable:
        return None
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 * 1024 * 1024


@given(st.binary(max_size=400))
def test_arbitrary_bytes(data):
    assert bounded(data) is None


@given(st.integers(0, len(TINY)), st.booleans())
def test_every_cut(length, lying):
    """Also where the size that is told is that of the whole file, as when it shrinks while it is read."""
    header = bounded(TINY[:length], len(TINY) if lying else None)
    assert header is None or length == len(TINY) or lying


@given(st.lists(st.tuples(st.integers(0, len(TINY) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_flipped_bytes(changes):
    data = bytearray(TINY)
    for place, byte in changes:
        data[place] = byte
    header = bounded(bytes(data))
    assert header is None or header.end_bytes <= len(data)


@given(st.binary(max_size=200), st.integers(0, 5), st.integers(0, 5))
def test_arbitrary_entries(rest, tensors, entries):
    bounded(damaged(tensors=tensors, entries=entries, rest=rest))


def test_a_header_that_says_too_much_of_the_model_is_not_kept():
    more = [(f"x{number}.context_length", U32, 1) for number in range(MAX_KEPT)]
    with pytest.raises(Unreadable, match="says more"):
        read(gguf(LLAMA + more))
