"""Which models could there be? Draws some like those of the engine's record, with other numbers, and makes their files.

Run as a script it is the child that asks the embedded engine which tensors it wants: it names one that is missing or
of another shape, and so on, until it loads the file. The engine may refuse a drawn model, or die of it: there is none.
"""

import json
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.engine_memory import kind, pattern  # noqa: E402
from tests.unit.hardware import engine_log  # noqa: E402

TYPES = ("F16", "BF16", "Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q4_0", "IQ4_NL")
WIDTHS = (256, 512, 768, 1024, 1536, 2048, 2560, 3072, 4096, 5120, 6144)
WIDE = ("expert_count", "expert_feed_forward_length", "feed_forward_length", "embedding_length")
BY_WORD = re.compile(r"^(?:token_embd|output|per_layer_token_embd)\.")
QUESTIONS, DEADLINE_S, MOST_ASKED_BYTES = 400, 10.0, 6 << 30


def drawn(rng, model):
    """Return another model's entries: of the same architecture, with other numbers."""
    keys = {**model["keys"]}
    wide = rng.choice(WIDTHS)
    keys["block_count"] = blocks = rng.randint(2, 16 if wide < 2000 else 6)
    for name, value in keys.items():
        if isinstance(value, list):
            keys[name] = [value[number % len(value)] for number in range(blocks)]
    heads, kv = keys["attention.head_count"], keys.get("attention.head_count_kv", 0)
    if heads:
        size = keys.get("attention.key_length") or keys["embedding_length"] // heads
        least = max(1, math.lcm(*({*kv} - {0}))) if isinstance(kv, list) else 1
        if (
            size * keys["attention.head_count"] == keys["embedding_length"]
        ):  # a head is as wide as its share of the whole
            least = math.lcm(least, 256 // math.gcd(size, 256))
            heads = least * max(1, round(wide / size / least))
            wide = heads * size
        else:
            heads = least * rng.randint(1, max(1, 64 // least))
        keys["attention.head_count"] = heads
        if isinstance(kv, int) and kv > 1:
            keys["attention.head_count_kv"] = rng.choice([one for one in (1, 2, 4, 8, 16) if heads % one == 0])
    keys["embedding_length"] = wide
    if isinstance(inner := keys.get("feed_forward_length"), int) and inner:
        keys["feed_forward_length"] = 256 * max(1, round(wide * rng.uniform(1, 4) / 256))
    if "expert_count" in keys:
        keys["expert_count"] = rng.choice((12, 16, 32, 64))
        keys["expert_used_count"] = rng.choice([one for one in (1, 2, 4, 6, 8) if one <= keys["expert_count"]])
    if "expert_feed_forward_length" in keys:
        keys["expert_feed_forward_length"] = 256 * rng.randint(1, 8)
    if keys.get("attention.sliding_window", 0) and model["architecture"] != "phi3":
        keys["attention.sliding_window"] = rng.choice((128, 300, 512, 1024, 2048, 4096))
    if "ssm.inner_size" in keys and model["architecture"] != "qwen35":
        each = keys["ssm.inner_size"] // keys["ssm.time_step_rank"]
        keys["ssm.inner_size"] = 2 * wide
        keys["ssm.time_step_rank"] = 2 * wide // each
    keys["context_length"] = 65_536
    return keys


def made(rng, file, model, most_bytes):
    """Write a drawn model; return what was drawn, or None where the engine wants none such."""
    keys, words = drawn(rng, model), round(math.exp(rng.uniform(math.log(1000), math.log(200_000))))
    packing = rng.choice(TYPES)
    guess = {name: shape for name, shape, _ in engine_log.tensors(model)}
    blocks = {name: int(at[1]) for name in guess if (at := re.match(r"blk\.(\d+)\.", name))}
    others = {model["keys"][name]: keys[name] for name in WIDE if isinstance(model["keys"].get(name), int)}
    guess = {
        name: [others.get(one, one) for one in shape]
        for name, shape in guess.items()
        if blocks.get(name, 0) < keys["block_count"]
    }
    shapes = _answered(file, model["architecture"], keys, guess)
    if shapes is None:
        return None
    shapes = {name: (*one[:-1], words) if BY_WORD.match(name) else tuple(one) for name, one in shapes.items()}
    tensors = [(name, one, _packed(name, one, packing)) for name, one in shapes.items()]
    if sum(engine_log.size(one, type_) for _, one, type_ in tensors) > most_bytes:
        return None
    engine_log.write(file, model["architecture"], keys, tensors, words)
    return {"keys": keys, "words": words, "packing": packing}


def _packed(name, shape, packing):
    if kind(name, shape) == "F32":
        return "F32"
    return packing if shape[0] % 256 == 0 else "F16"


def _answered(file, architecture, keys, guess):
    command = [sys.executable, __file__, str(file), architecture, json.dumps(keys), json.dumps(guess)]
    env = {"GGML_NO_BACKTRACE": "1", "PYTHONPATH": str(ROOT / "src")}
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=90, env=env, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return None if done.returncode else json.loads(done.stdout.splitlines()[-1])


# the child


def asked(file, architecture, keys, guess):
    """Return the tensors that the engine loads, after what must be kept; None where it refuses the model."""
    shapes = {name: tuple(one) for name, one in guess.items()}
    mended = set()
    log = Path(f"{file}.log")
    os.dup2(os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND), 2)
    for _ in range(QUESTIONS):
        if sum(engine_log.size(one, "F16") for one in shapes.values()) > MOST_ASKED_BYTES:
            return None
        engine_log.write(file, architecture, keys, [(name, one, kind(name, one)) for name, one in shapes.items()])
        os.ftruncate(2, 0)
        if kept := _loaded(file):
            kept.append(shapes)
            return kept
        text = _ended(log)
        if wrong := re.search(r"tensor '([^']+)' has wrong shape; expected\s+([\d, ]+), got", text):
            found = [int(number) for number in wrong[2].split(",")]
            while len(found) > 1 and found[-1] == 1:
                found.pop()
            alike = [
                name for name, one in shapes.items() if (pattern(name), one) == (pattern(wrong[1]), shapes[wrong[1]])
            ]
            alike = [wrong[1]] if pattern(wrong[1]) in mended else alike  # the first time of all blocks, then of one
            mended.add(pattern(wrong[1]))
            shapes |= dict.fromkeys(alike, tuple(found))
        elif missing := re.search(r"tensor '([^']+)' not found", text):
            like = (one for name, one in shapes.items() if pattern(name) == pattern(missing[1]))
            shapes[missing[1]] = next(like, (1,))
        elif re.search(r"wrong number of tensors", text) and (unused := _unused(text, shapes)):
            for name in unused:
                del shapes[name]
        else:
            return None
    return None


def _loaded(file):
    """Return what must be kept where the engine loads the file: a server that is let go of may hang."""
    import xllamacpp

    given = xllamacpp.CommonParams()
    given.model.path, given.n_ctx, given.verbosity = str(file), 256, 4
    given.fit_params = given.ui = given.warmup = False
    given.no_extra_bufts = given.offline = True
    given.cache_ram_mib = given.port = 0
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = 1
    given.hostnames, given.chat_template = ["127.0.0.1"], "{{ messages[0].content }}"
    try:
        return [xllamacpp.Server(given)]
    except RuntimeError:
        return []


def _ended(log):
    """Return what the engine wrote, once its last line is there: a thread writes it."""
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        text = log.read_text("utf-8", errors="replace")
        if "exiting due to" in text:
            return text
        time.sleep(0.001)
    return ""


def _unused(text, shapes):
    return [name for name in re.findall(r"tensor ([\w.]+) .*unused", text) if name in shapes]


if __name__ == "__main__":
    answer = asked(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4]))
    if answer:
        print(json.dumps(answer[-1]), flush=True)
    os._exit(not answer)
