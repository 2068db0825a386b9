"""What the embedded engine said of models that it was shown: their headers, and the memory that it logged.

`engine_log.json` was written by `benchmarks/engine_memory.py`, which shows the engine files with these headers and no
numbers in them. The entries are written after well-known models, from memory: they need not be those of a published
file. Layers were left out, the vocabulary is tiny, and two models (exaone4-64, deepseek2-small) are narrower too.
"""

import json
import math
from pathlib import Path

import gguf
import numpy as np

LOG = Path(__file__).with_name("engine_log.json")
VOCABULARY = 64
SETUPS = {
    "three sequences": {"context_tokens": 4096, "sequences": 3},
    "an odd context": {"context_tokens": 1000},
    "a cache of q8_0": {"context_tokens": 8192, "k_type": "q8_0", "v_type": "q8_0"},
    "no flash attention": {"context_tokens": 4096, "flash": False},
    "a small batch": {"context_tokens": 4096, "micro_batch": 128},
    "a long context": {"context_tokens": 16384},
}


def models():
    """Return what was recorded: name to architecture, keys, tensors and what the engine said."""
    return json.loads(LOG.read_text("utf-8"))["models"]


def tensors(model):
    """Return name, shape and type of every tensor."""
    for name, shape, kind, blocks in model["tensors"]:
        for block in blocks or [None]:
            yield name.replace("*", str(block)), tuple(shape), kind


def size(shape, kind):
    """Return the bytes of a tensor of that type."""
    numbers, each = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    return math.prod(shape) // numbers * each


def write(file, architecture, keys, listed, words=VOCABULARY):
    """Write a file with this header, with the official writer; its tensors are a hole that takes no room on a disk."""
    writer = gguf.GGUFWriter(file, architecture)
    add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, list: writer.add_array}
    for key, value in keys.items():
        add[type(value)](f"{architecture}.{key}", value)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *(f"word{number}" for number in range(words - 3))])
    writer.add_token_scores([0.0] * words)
    writer.add_token_types([2, 3, 3] + [1] * (words - 3))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    room = 0
    for name, shape, kind in listed:
        held = size(shape, kind)
        writer.add_tensor_info(name, shape[::-1], np.dtype(np.float32), held, gguf.GGMLQuantizationType[kind])
        room += -(-held // 32) * 32
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with Path(file).open("r+b") as written:
        end = written.seek(0, 2)
        written.truncate(-(-end // 32) * 32 + room)
    return file
