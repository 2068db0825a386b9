"""Who writes to this ledger? A lock file beside it, held by the writing process as long as that lives.

The lock is the operating system's, so it falls with its holder, whatever kills that; the process id in the file is
only for the message.
Invariant: at most one writer at a time, on one machine.
"""

import os
import sys
from pathlib import Path

from tierwise.core.errors import StoreError

if sys.platform == "win32":
    import msvcrt

    # Locked bytes cannot be read by others on Windows: lock one far behind the process id.
    _LOCK_AT = 1 << 20

    def _lock(fd: int) -> None:
        os.lseek(fd, _LOCK_AT, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def held(path: Path) -> bool:
    """Say whether a process writes to the ledger at `path` now. Who takes the lock in this instant is refused it."""
    try:
        fd = os.open(path.with_name(path.name + ".lock"), os.O_RDWR)
    except OSError:
        return False
    try:
        _lock(fd)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


class WriterLock:
    """The right to write to the ledger at `path`; taken when constructed, given back by `release`."""

    def __init__(self, path: Path) -> None:
        """Take the lock; `StoreError` names the process that holds it."""
        lock = path.with_name(path.name + ".lock")
        fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(fd)
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise StoreError(
                f"{path}: process {holder} already writes to this ledger: stop it, "
                "or use another folder with TIERWISE_HOME"
            ) from error
        except OSError:
            os.close(fd)
            raise
        self._fd = fd

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two writers in."""
        os.close(self._fd)
