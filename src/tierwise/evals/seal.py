"""When were the criteria declared, and what did they say? Seals, kept per workflow in a file that is only added to.

Invariant: the same criteria have the same digest; a seal once written stays, so that whoever changes the criteria after
results exist is seen to have done so.
"""

import hashlib
import os
from pathlib import Path

import msgspec

from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.evals.evidence import Seal

SEALS = "seals.jsonl"
_LINE = msgspec.json.Encoder(order="deterministic")


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """Criteria as they were sealed."""

    seal: Seal
    criteria: Criteria


def digest(criteria: Criteria) -> str:
    """Return the name of criteria: that of their canonical JSON, in which 1000 and 1000.0 are the same limit."""
    read = msgspec.json.decode(_LINE.encode(criteria), type=Criteria)
    return "sha256:" + hashlib.sha256(_LINE.encode(read)).hexdigest()


def sealed(criteria: Criteria, ts: float) -> Seal:
    """Seal criteria at a time, in Unix seconds."""
    return Seal(digest=digest(criteria), ts=ts)


def seals(folder: Path) -> tuple[Stored, ...]:
    """Return what was sealed in a workflow's folder, the oldest first. ConfigError where the file is none."""
    file = folder / SEALS
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}", file=str(file)) from error
    try:
        return tuple(msgspec.json.decode(line, type=Stored) for line in lines)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{file}: no seals: {error}", file=str(file)) from error


def seal(folder: Path, criteria: Criteria, ts: float) -> Seal:
    """Return the seal in force for these criteria: the last one where they did not change since, else a new one."""
    known = seals(folder)
    if known and known[-1].seal.digest == digest(criteria):
        return known[-1].seal
    made = Stored(seal=sealed(criteria, ts), criteria=criteria)
    file = folder / SEALS
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "ab", buffering=0) as out:
            out.write(_LINE.encode(made) + b"\n")
            os.fsync(out.fileno())
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}", file=str(file)) from error
    return made.seal


def changed(before: Criteria, after: Criteria) -> tuple[str, ...]:
    """Say what was changed, in the words of the configuration."""
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in before.__struct_fields__)
    return tuple(f"{name}: {_said(old)} → {_said(new)}" for name, old, new in pairs if old != new)


def _said(value: object) -> str:
    return "unset" if value is None else str(value)
