"""Does importing do anything? Run as `python -m tests.architecture.watch MODULE…`: prints one line per effect.

Everything that is not ours is imported first, then an audit hook watches while the named modules are.
Reading code is what importing is; any other file, socket, process, thread or database is an effect.
"""

import contextlib
import importlib
import os
import sys
import sysconfig
import threading
import traceback
from pathlib import Path

EFFECTS = (
    "socket.", "subprocess.", "sqlite3.connect", "os.system", "os.fork", "os.exec", "os.posix_spawn",
    "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.putenv", "os.unsetenv", "shutil.", "tempfile.", "urllib.",
    "glob.", "signal.", "ctypes.dlopen",
)  # fmt: skip
STANDARD = sysconfig.get_path("stdlib")
CODE = (".py", ".pyc", ".so", ".pyd", ".dylib", ".pth")


def effect(event: str, args: tuple[object, ...]) -> str | None:
    """Name the effect that an audit event reports, or None."""
    if event == "open":
        path = os.fsdecode(args[0]) if isinstance(args[0], str | bytes) else str(args[0])
        return None if path.endswith(CODE) or ".pyc." in path or Path(path).is_dir() else f"opens {path}"
    return f"{event} {args}" if event.startswith(EFFECTS) else None


def main(names: list[str]) -> None:
    """Import the modules with the hook on; the innermost line of Tierwise is named as the culprit."""
    watching = [True]

    def hook(event: str, args: tuple[object, ...]) -> None:
        if not watching[0]:
            return
        watching[0] = False
        if (what := effect(event, args)) is not None:
            frames = [f for f in traceback.extract_stack() if not f.filename.startswith(("<", STANDARD, __file__))]
            print(f"{frames[-1].filename}:{frames[-1].lineno}: {what}" if frames else what)
        watching[0] = True

    started: set[str] = set()  # threads raise no audit event before Python 3.13, but each calls its profile function
    threading.setprofile(lambda *_: started.add(threading.current_thread().name))
    sys.addaudithook(hook)
    for name in names:
        importlib.import_module(name)
        if started:
            print(f"{name}: starts {', '.join(sorted(started))}")
            started.clear()
    watching[0] = False


if __name__ == "__main__":
    others, ours = sys.argv[1].split(","), sys.argv[2].split(",")
    for other in others:
        with contextlib.suppress(ModuleNotFoundError):  # `from a import b` names a module only sometimes
            importlib.import_module(other)
    main(ours)
