"""Builds GGUF files byte by byte, for tests: an independent reading of the specification."""

import struct

ARRAY, STRING, U32, U64, F32, BOOL, I32 = 9, 8, 4, 10, 6, 7, 5
_CODES = {U32: "<I", U64: "<Q", F32: "<f", BOOL: "<?", I32: "<i"}


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def value(kind, content):
    if kind == STRING:
        return text(content)
    if kind == ARRAY:
        inner, items = content
        return struct.pack("<IQ", inner, len(items)) + b"".join(value(inner, item) for item in items)
    return struct.pack(_CODES[kind], content)


def entry(key, kind, content):
    return text(key) + struct.pack("<I", kind) + value(kind, content)


def tensor(name, shape, kind, offset):
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def gguf(entries, tensors=(), data_bytes=0, version=3, alignment=32):
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(entries))
    head += b"".join(entry(*one) for one in entries) + b"".join(tensor(*one) for one in tensors)
    return head + bytes(-len(head) % alignment) + bytes(data_bytes)


LLAMA = [
    ("general.architecture", STRING, "llama"),
    ("general.name", STRING, "Tiny"),
    ("llama.context_length", U32, 4096),
    ("llama.block_count", U32, 2),
    ("llama.embedding_length", U32, 64),
    ("llama.feed_forward_length", U32, 128),
    ("llama.attention.head_count", U32, 8),
    ("llama.attention.head_count_kv", U32, 2),
    ("llama.rope.freq_base", F32, 10000.0),
    ("tokenizer.ggml.tokens", ARRAY, (STRING, ["a", "bc", "", "ä"])),
    ("tokenizer.ggml.scores", ARRAY, (F32, [0.0] * 4)),
    ("tokenizer.chat_template", STRING, "{{ messages }}"),
    ("tokenizer.ggml.add_bos_token", BOOL, True),
]
TENSORS = [("a", (64, 4), 8, 0), ("b", (64,), 0, 288)]  # Q8_0: 8 blocks of 34 bytes, padded to 288; F32: 256 bytes
TINY = gguf(LLAMA, TENSORS, 288 + 256)
