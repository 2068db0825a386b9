"""Where are the results of probes kept? One small JSON file in the data directory, which only this module touches.

Written whole and put in place at once, readable by its owner only; the last writer wins.
Invariant: a file that cannot be read is an error: what was found broken is never forgotten in silence.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.registry.probed import Probed


class _File(msgspec.Struct, frozen=True, kw_only=True):
    probes: tuple[Probed, ...] = ()
    format: Literal[1] = 1


def read(path: Path) -> tuple[Probed, ...]:
    """Return what is kept; nothing where there is no file. Raises ConfigError for one that cannot be understood."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File).probes
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=str(path)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        mend = "remove it, then probe again: tierwise doctor --probe"
        raise ConfigError(f"{path} is not a file of probe results: {error}; {mend}", file=str(path)) from error


def keep(path: Path, results: Iterable[Probed]) -> None:
    """Add results, each in the place of an earlier one of the same model and endpoint. Raises ConfigError."""
    kept = {(one.endpoint, one.model): one for one in (*read(path), *results)}
    ordered = tuple(kept[place] for place in sorted(kept))
    data = msgspec.json.format(msgspec.json.encode(_File(probes=ordered)), indent=1)
    try:
        put(path, data + b"\n")
    except OSError as error:
        mend = "make the folder writable, or set TIERWISE_HOME to another"
        raise ConfigError(f"{path} cannot be written: {error.strerror}; {mend}", file=str(path)) from error


def put(path: Path, data: bytes) -> None:
    """Write a file whole and put it in place at once, readable by its owner only. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes it readable by its owner only.
    number, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
