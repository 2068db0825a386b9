"""How does a secret of this installation come to be? Made once, in a file of its own, whole or not at all.

Invariant: the file is readable by its owner only; whoever makes it at the same time reads what the first one wrote.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tierwise.core.errors import StoreError
from tierwise.sqlite.connect import explained


def written_once(path: Path, text: str) -> None:
    """Write the text there, unless somebody did before."""
    _write(path, text, replace=False)


def replaced(path: Path, text: str) -> None:
    """Write the text there in place of what there was, in one step."""
    _write(path, text, replace=True)


def _write(path: Path, text: str, *, replace: bool) -> None:
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(fd, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                draft.replace(path)
            else:
                os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink(missing_ok=True)


def appended(path: Path, text: str) -> None:
    """Add the text at the file's end; it is on the disk when this returns. Its folder is not made: that of a disk
    that is not mounted would be one on this disk."""
    with _said():
        _checked(path)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def last_bytes(path: Path, count: int) -> bytes:
    """Return the end of the file, nothing for a file that is not there."""
    with _said():
        if not _checked(path):
            return b""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - count))
            return file.read(count)


def _checked(path: Path) -> bool:
    """Return whether the file is there. A device or a pipe may never end."""
    if path.exists() and not path.is_file():
        raise StoreError("it is no file")
    if not path.parent.is_dir():
        raise StoreError("its folder is not there: make or mount it")
    return path.exists()


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(str(error.strerror or error)) from error
