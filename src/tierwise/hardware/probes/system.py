"""What may a probe ask? Files by their path, names in a folder, the output of a tool. And how is a number read in text?

Pure: the machine at hand answers in `detect`, a recorded one in tests. Invariant: what is not there is empty, and a
number that is not one is None.
"""

import re
from typing import Any, Protocol

import msgspec

MIB = 1024 * 1024


class System(Protocol):
    """A machine that can be asked. Nothing raises: what is missing, forbidden or too slow is empty, or None."""

    kind: str
    """Linux, Darwin or Windows."""
    cores: int
    """How many processors this process may run on, before any quota."""

    def read(self, path: str) -> str:
        """Return the beginning of a file, empty where there is none."""
        ...

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder, sorted."""
        ...

    def run(self, *command: str) -> str | None:
        """Return what a tool prints, whatever its exit code; None where there is no such tool or it takes too long."""
        ...


def field(text: str, pattern: str, unit: int = 1) -> int | None:
    """Return the number that a pattern's first group finds, in `unit`s."""
    match = re.search(pattern, text, re.MULTILINE)
    return count * unit if match and (count := whole(match[1])) is not None else None


def mebibytes(text: str) -> int | None:
    """Read a count of MiB, with or without the unit; None for `N/A` and everything else that is none."""
    match = re.fullmatch(r"(\d{1,18})(?:\.\d+)?(?: ?MiB| ?MB)?", text.strip())
    return int(match[1]) * MIB if match else None


def parsed(text: str | None) -> Any:
    """Return what JSON says; None where it is none. Lines before its beginning, such as warnings, do not count."""
    match = re.search(r"^[\[{]", text or "", re.MULTILINE)
    try:
        return msgspec.json.decode((text or "")[match.start() :].encode()) if match else None
    except msgspec.DecodeError:
        return None


def at(value: Any, *keys: str) -> Any:
    """Follow keys into what was parsed; None where the way ends."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def word(value: Any) -> str | None:
    """Return a text that says something."""
    text = value.strip() if isinstance(value, str) else ""
    return text if text and text.upper() != "N/A" else None


def whole(value: Any) -> int | None:
    """Return a number, or the number that a text is; one of more than 18 digits is no count of anything."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"\d{1,18}", value.strip()) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
