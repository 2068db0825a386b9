"""The child process of the embedded engine: one model, one loopback port, until its standard input ends.

Run as a script by `engine`, never imported. It is told everything by one line of JSON on standard input (options and
key) and answers with one on standard output: `{"port": n}` or `{"error": code, "detail": text}`.
Invariant: it never outlives its parent, not even one that was killed while the engine held the interpreter's lock.
"""

import fcntl
import json
import os
import signal
import sys
import threading
from typing import Any

EXIT_NO_ENGINE, EXIT_NOT_LOADED = 3, 4


def main() -> None:
    """Load, warm, report, and wait for the end of the pipe."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever the engine prints goes to standard error
    options = json.loads(sys.stdin.buffer.readline())
    _end_with_parent()
    try:
        import xllamacpp
    except ImportError as error:
        _report(answers, {"error": "no_engine", "detail": str(error)})
        os._exit(EXIT_NO_ENGINE)
    try:
        server = xllamacpp.Server(_parameters(xllamacpp, options))
        _warm(server)
    except (RuntimeError, ValueError) as error:
        _report(answers, {"error": "not_loaded", "detail": str(error)})
        os._exit(EXIT_NOT_LOADED)
    _report(answers, {"port": int(server.listening_address.rpartition(":")[2])})
    threading.Event().wait()


def _end_with_parent() -> None:
    """End this process when the other side of standard input is gone.

    The thread does it everywhere; the signal (whose default is to end the process, on Linux) does it also while the
    engine loads a model and lets no thread run.
    """
    if sys.platform == "linux":
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)  # not sys.exit: unloading a server that is idle can hang


def _parameters(xllamacpp: Any, options: dict[str, Any]) -> Any:
    given = xllamacpp.CommonParams()
    given.model.path = options["file"]
    given.model_alias = {options["name"]}
    given.n_parallel = options["slots"]
    given.n_ctx = options["context_tokens"] * options["slots"]  # the engine divides it among the slots
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = options["threads"]
    given.n_threads_http = options["http_threads"]
    given.hostnames = ["127.0.0.1"]
    given.port = 0  # the engine takes a free one itself and tells which
    given.api_keys = [options["key"]]
    given.cors_origins = ""
    given.offline = True
    given.fit_params = given.ui = given.warmup = False
    given.endpoint_slots = True
    given.cache_ram_mib = 0  # the prompt cache would take up to 8 GiB beyond what was checked
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


def _report(answers: int, message: dict[str, Any]) -> None:
    os.write(answers, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
