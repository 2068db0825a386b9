"""The child process of an engine: one file, one loopback port, until its standard input ends.

Run as a script by `child`, never imported. It is told everything by one line of JSON on standard input (format of the
file, options and key) and answers with one on standard output: `{"port": n}` or `{"error": code, "detail": text}`.
Invariant: it never outlives its parent, not even one that was killed while the engine held the interpreter's lock.
"""

import fcntl
import importlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

EXIT_NO_ENGINE, EXIT_NOT_LOADED = 3, 4
PROGRAMS = {
    "gguf": "tierwise.providers.engine_gguf",
    "linear": "tierwise.providers.engine_linear",
    "pages": "tierwise.bootstrap.drawn",
}
"""By the format of the file, or what else is served: whose `start(orders)` returns the port, and what answers there as
long as it is kept."""


def main() -> None:
    """Load, report, and wait for the end of the pipe."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever the engine prints goes to standard error
    orders = json.loads(sys.stdin.buffer.readline())
    _end_with_parent()
    try:
        port, _kept = importlib.import_module(PROGRAMS[orders["format"]]).start(orders)
    except ImportError as error:
        _report(answers, {"error": "no_engine", "detail": str(error)})
        os._exit(EXIT_NO_ENGINE)
    except (RuntimeError, ValueError, OSError) as error:
        _report(answers, {"error": "not_loaded", "detail": str(error)})
        os._exit(EXIT_NOT_LOADED)
    _report(answers, {"port": port})
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


def _report(answers: int, message: dict[str, Any]) -> None:
    os.write(answers, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    # Isolated, it knows no paths but the interpreter's: the package it takes is the one that this file is part of.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    importlib.import_module("tierwise")
    del sys.path[0]
    main()
