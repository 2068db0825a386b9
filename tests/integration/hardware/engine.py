"""Shows the embedded engine a file and reads what it says of its memory. It runs in a process of its own: it may die."""

import json
import re
import subprocess
import sys

CHILD = """
import json, os, sys, time, xllamacpp
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
given.no_extra_bufts = given.offline = True
given.cache_ram_mib = given.port = 0
given.cpuparams.n_threads = given.cpuparams_batch.n_threads = 1
given.hostnames = ["127.0.0.1"]
given.chat_template = "{{ messages[0].content }}"
given.verbosity = 4
try:
    server = xllamacpp.Server(given)
finally:
    time.sleep(0.05)  # its log is written by a thread
    os._exit(0)
"""


def log(file, setup):
    """Return what the engine wrote while it loaded the file."""
    command = [sys.executable, "-c", CHILD, str(file), json.dumps(setup)]
    done = subprocess.run(
        command, capture_output=True, timeout=60, check=False, env={"GGML_NO_BACKTRACE": "1"}, errors="replace"
    )
    return done.stderr


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
