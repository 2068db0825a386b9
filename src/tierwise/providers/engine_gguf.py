"""What answers from a GGUF file? A llama.cpp server within the child process, which `engine_child` calls.

Knows no pipe. Imports the extra `embedded` only when it starts.
Invariant: it has answered once before it says its port, as one that has not can hang when it ends.
"""

from typing import Any


def start(orders: dict[str, Any]) -> tuple[int, Any]:
    """Load the file, warm it; return the port, and what answers there. Raises ImportError, RuntimeError, ValueError."""
    import xllamacpp

    server = xllamacpp.Server(_parameters(xllamacpp, orders))
    _warm(server)
    return int(server.listening_address.rpartition(":")[2]), server


def _parameters(xllamacpp: Any, orders: dict[str, Any]) -> Any:
    given = xllamacpp.CommonParams()
    given.model.path = orders["file"]
    given.model_alias = {orders["name"]}
    given.n_parallel = orders["slots"]
    given.n_ctx = orders["context_tokens"] * orders["slots"]  # the engine divides it among the slots
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = orders["threads"]
    given.n_threads_http = orders["http_threads"]
    given.hostnames = ["127.0.0.1"]
    given.port = 0  # the engine takes a free one itself and tells which
    given.api_keys = [orders["key"]]
    given.cors_origins = ""
    given.offline = True
    given.fit_params = given.ui = given.warmup = False
    given.endpoint_slots = True
    given.cache_ram_mib = 0  # the prompt cache would take up to 8 GiB beyond what was checked
    given.n_ctx_checkpoints = orders["checkpoints"]  # its own 32 would take gigabytes where layers slide or recur
    given.verbosity = 1
    return given


def _warm(server: Any) -> None:
    """Answer one request: a server that is closed without having served one can hang."""
    question = {"messages": [{"role": "user", "content": "."}], "max_tokens": 1}
    try:
        answer = server.handle_chat_completions(question)
    except (RuntimeError, ValueError):  # a template that refuses this conversation is no reason to refuse the model
        answer = server.handle_completions({"prompt": ".", "n_predict": 1})
    if "error" in answer:
        raise ValueError(str(answer["error"]))
