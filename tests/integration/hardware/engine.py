"""Shows the embedded engine a file and reads what it says of its memory. It runs in a process of its own: it may die."""

import json
import re
import subprocess
import sys
import tempfile

CHILD = """
import json, os, re, resource, sys, time, xllamacpp
file, setup = sys.argv[1], json.loads(sys.argv[2])
given = xllamacpp.CommonParams()
given.model.path = file
given.n_parallel = setup.get("sequences", 1)
given.n_ctx = setup["context_tokens"] * given.n_parallel
given.n_ubatch = setup.get("micro_batch", 512)
for which in ("k", "v"):
    kind = setup.get(which + "_type", "f16").upper()
    setattr(given, "cache_type_" + which, getattr(xllamacpp.ggml_type, "GGML_TYPE_" + kind))
if not setup.get("flash", True):
    given.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
given.fit_params = given.ui = given.warmup = False
given.no_extra_bufts = not setup.get("repack", False)
given.offline = True
given.cache_ram_mib = given.port = 0
given.n_ctx_checkpoints = setup.get("checkpoints", 32)
given.cpuparams.n_threads = given.cpuparams_batch.n_threads = setup.get("threads", 1)
given.hostnames = ["127.0.0.1"]
given.chat_template = "{{ messages[0].content }}"
given.verbosity = 4

def held():
    with open("/proc/self/status") as status:
        return {line[3:7].lower(): int(line.split()[1]) << 10 for line in status if re.match("Rss(Anon|File)", line)}

def written(deadline_s=10):
    "Its log is written by a thread: wait for the last line of a start, good or bad."
    until = time.monotonic() + deadline_s
    while time.monotonic() < until:
        with open("/proc/self/fd/2", errors="replace") as log:
            if re.search("all slots are idle|exiting due to", log.read()):
                return
        time.sleep(0.002)

told = {"bare": held()}
if limit := setup.get("limit_bytes"):
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    server = xllamacpp.Server(given)
    written()
    for slot, tokens in enumerate(setup.get("prompts", ())):
        prompt = [7 * number % 60 + 3 for number in range(tokens)]
        asked = {"prompt": prompt, "n_predict": 2, "ignore_eos": True, "cache_prompt": False, "id_slot": slot}
        answer = server.handle_completions(asked)
        told["answered"] = told.get("answered", 0) + ("error" not in answer)
    told["loaded"] = held()
except (RuntimeError, MemoryError) as error:
    told["error"] = str(error)
    written()
finally:
    print(json.dumps(told), flush=True)
    os._exit(0)
"""


def shown(file, setup, timeout_s=60):
    """Return what the engine wrote while it loaded the file, and what its process held; None where it died."""
    command = [sys.executable, "-c", CHILD, str(file), json.dumps(setup)]
    with tempfile.TemporaryFile() as written:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE, stderr=written, timeout=timeout_s, check=False, env={"GGML_NO_BACKTRACE": "1"},
        )  # fmt: skip
        written.seek(0)
        text = written.read().decode(errors="replace")
    return text, json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else None


def log(file, setup):
    """Return what the engine wrote while it loaded the file."""
    return shown(file, setup)[0]


def said(text):
    """Return the MiB that a log names, by what for; None where the engine did not come so far."""
    find = {
        "cache": r"llama_kv_cache(?:_\w+)?: size =\s+([\d.]+) MiB",
        "recurrent": r"llama_memory_recurrent: size =\s+([\d.]+) MiB",
        "weights": r"model buffer size =\s+([\d.]+)",
        "compute": r"compute buffer size =\s+([\d.]+)",
    }
    found = {what: [float(one) for one in re.findall(pattern, text)] for what, pattern in find.items()}
    if "sched_reserve" not in text and not found["compute"]:
        return None  # it ended before its caches were laid out
    return {what: round(sum(some), 2) if some else None for what, some in found.items()}
