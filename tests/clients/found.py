"""What came of driving the clients? found.json holds the last outcome of each client at each place; runs add to it.

Invariant: nothing stands there that was not run; a row that left the catalog leaves the file.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from tests.clients.catalog import HERE, Catalog

FILE = HERE / "found.json"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one client at one place. `faults` names each step that failed, with the reason; `inexact` says how
    the ledger differs from the bill or from what the client was told, None where all agree. `read` and `written` are
    the ledger's tokens, None where an endpoint reported none."""

    steps: tuple[str, ...]
    faults: Mapping[str, str]
    inexact: str | None
    requests: int
    read: int | None
    written: int | None
    dropped: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether every step was taken and every token accounted for."""
        return not self.faults and self.inexact is None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome, and what it is of. `isolated` where nothing but this machine could be reached."""

    client: str
    place: str
    version: str
    as_of: str
    isolated: bool
    outcome: Outcome


def found(file: Path = FILE) -> tuple[Finding, ...]:
    """Read what stands there."""
    return msgspec.json.decode(file.read_bytes(), type=tuple[Finding, ...]) if file.exists() else ()


def merged(rows: Catalog, old: Iterable[Finding], new: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the newest finding of each client and place, in the catalog's order."""
    order = {client.id: place for place, client in enumerate(rows.client)}
    last = {(finding.client, finding.place): finding for finding in (*old, *new) if finding.client in order}
    return tuple(sorted(last.values(), key=lambda finding: (order[finding.client], finding.place)))


def write(findings: tuple[Finding, ...], file: Path = FILE) -> None:
    """Write them, one to a line, so that a change is seen."""
    lines = ",\n".join(msgspec.json.encode(finding, order="deterministic").decode() for finding in findings)
    file.write_text(f"[\n{lines}\n]\n", "utf-8")
