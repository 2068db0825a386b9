"""What runs apart from Tierwise? Started as a program of its own, it imports nothing but the standard library.

`child.py limit CPU_S BYTES COMMAND…` becomes the command under limits. `child.py function BYTES FILE FUNCTION` reads a
path of a JSON file in each line of its input and writes what the function returns in a line of JSON.
"""

import importlib.util
import json
import os
import resource
import sys
from collections.abc import Callable, Sequence
from typing import Any

MAX_FILE_BYTES = 64 * 1024 * 1024
NOT_FOUND = 127


def limit(memory_bytes: int, cpu_s: int | None = None) -> None:
    """Bind this process and what it starts; where the system knows no such limit, it stays without."""
    limits = [(resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_FSIZE, MAX_FILE_BYTES), (resource.RLIMIT_CORE, 0)]
    limits += [] if cpu_s is None else [(resource.RLIMIT_CPU, cpu_s)]
    for what, most in limits:
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError) as error:
            sys.stderr.write(f"a limit is not set: {error}\n")


def loaded(file: str, name: str) -> Callable[..., Any]:
    """Return a function of a file."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(file)))  # noqa: PTH100, PTH120  # nothing but the least
    spec = importlib.util.spec_from_file_location("scorer", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[..., Any] = getattr(module, name)
    return found


def said(function: Callable[..., Any], path: str) -> dict[str, Any]:
    """Return what the function says of one answer."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            asked = json.load(file)
        value = function(asked["text"], asked["reference"], asked["item"])
        return {"value": value if isinstance(value, dict) or value is None else float(value)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:200]}


def main(arguments: Sequence[str]) -> None:
    """Do what the first word says."""
    if arguments[0] == "limit":
        limit(int(arguments[2]), int(arguments[1]))
        try:
            os.execvp(arguments[3], list(arguments[3:]))  # noqa: S606
        except OSError:
            raise SystemExit(NOT_FOUND) from None
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the function prints is no answer
    limit(int(arguments[1]))
    try:
        function = loaded(arguments[2], arguments[3])
    except BaseException as error:
        out.write(json.dumps({"error": f"{type(error).__name__}: {error}"[:200]}) + "\n")
        out.flush()
        raise SystemExit(1) from None
    out.write(json.dumps({"ready": True}) + "\n")
    out.flush()
    for line in sys.stdin:
        out.write(json.dumps(said(function, line.rstrip("\n")), default=str) + "\n")
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
