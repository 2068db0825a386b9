"""Is this log whole? An independent reading of what an audited ledger promises.

Shares no code with the writer, on purpose: it is written from RFC 6962 (the tree), C2SP's signed-note and tlog-checkpoint
(what is signed) and the page `docs/reference/audit.md` (what a leaf is). Needs Python and `cryptography`; a copy of this
one file is enough: `python verifier.py LEDGER.sqlite --key NAME+ID+KEY [--witness FILE …]`.
Invariant: a finding is reported for every change, deletion, reorder, cut tail or fork of what any checkpoint covers.
"""

import argparse
import base64
import hashlib
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MOST_FINDINGS = 20
Row = tuple[int, bytes | None, bytes | None]
"""A record's number, its bytes (None: taken away), and its leaf as the ledger kept it (None: not signed yet)."""


class Unsigned(Exception):
    """A text that the key has not signed."""


def signed(note: str, key: str) -> list[str]:
    """Return the lines of a note that the key NAME+ID+KEY has signed."""
    name, ident, encoded = key.strip().split("+", 2)
    text, _, signatures = note.rpartition("\n\n")
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
    for line in signatures.split("\n"):
        if line.startswith(f"— {name} "):
            raw = base64.b64decode(line.split(" ")[-1])
            try:
                public.verify(raw[4:], text.encode() + b"\n")
            except InvalidSignature:
                continue
            if raw[:4].hex() == ident and text.split("\n")[0].split(" ")[0] == name:
                return text.split("\n")
    raise Unsigned(f"not signed with the key {name}")


class Verifier:
    """Reads rows in order of their numbers; `findings` says what is wrong, nearest to the beginning first."""

    def __init__(self, key: str, notes: Iterable[str], witnessed: Iterable[str] = (), removals: Iterable[str] = ()):
        self.findings: list[str] = []
        self.rows = self.size = self.removed = 0
        self._stack: list[tuple[int, bytes]] = []
        self._expected: dict[int, set[tuple[str, bytes]]] = {}
        self._gone, self._gone_to = 0, 0
        for whose, several in (("a checkpoint", notes), ("a witness", witnessed)):
            for note in several:
                try:
                    lines = signed(note, key)
                    size, root = int(lines[1]), base64.b64decode(lines[2])
                except (Unsigned, ValueError, IndexError) as error:
                    self._found(f"{whose} cannot be believed: {error}")
                    continue
                self._expected.setdefault(size, set()).add((whose, root))
                self.size = max(self.size, size)
        for note in removals:
            try:
                _, what, last, count = signed(note, key)[:4]
                if what != "removed":
                    raise ValueError(what)
                self._gone, self._gone_to = self._gone + int(count), max(self._gone_to, int(last))
            except (Unsigned, ValueError) as error:
                self._found(f"a statement of what was removed cannot be believed: {error}")

    def _found(self, text: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(text)

    def read(self, rows: Iterable[Row]) -> "Verifier":
        """Take all rows, from number 1 on."""
        sha256, stack, expected = hashlib.sha256, self._stack, self._expected
        covered, number = self.size, 0
        for number, record, leaf in rows:
            if number != self.rows + 1:
                self._found(f"record {self.rows + 1} is missing: {number} comes in its place")
                return self
            self.rows = number
            if record is None:
                self.removed += 1
                if leaf is None or number > self._gone_to:
                    self._found(f"record {number} is missing, and nothing signed says that it was removed")
                if leaf is None:
                    return self
                grown = leaf
            else:
                grown = sha256(b"\x00" + number.to_bytes(8, "big") + record).digest()
                if leaf is None and number <= covered:
                    self._found(f"the leaf of record {number} is missing")
                elif leaf is not None and leaf != grown:
                    self._found(f"record {number} is not what was signed")
                    grown = leaf
            weight = 1
            while stack and stack[-1][0] == weight:
                grown = sha256(b"\x01" + stack.pop()[1] + grown).digest()
                weight *= 2
            stack.append((weight, grown))
            if number in expected:
                self._compare(number)
        return self

    def _compare(self, size: int) -> None:
        grown = self._stack[-1][1]
        for _, left in reversed(self._stack[:-1]):
            grown = hashlib.sha256(b"\x01" + left + grown).digest()
        for whose, root in self._expected[size]:
            if root != grown:
                self._found(f"the records up to {size} are not those that {whose} has seen")

    def end(self) -> list[str]:
        """Return the findings, once all rows were read."""
        if self.rows < self.size:
            self._found(f"the end is cut off: {self.size} records were signed, {self.rows} are here")
        if self.removed != self._gone and not self.findings:
            self._found(f"{self.removed} records are missing, but {self._gone} were removed by what was signed")
        return self.findings


def rows_of(db: sqlite3.Connection) -> Iterator[Row]:
    """Give the rows of a ledger, those that were taken away too."""
    yield from db.execute(
        "SELECT seq, record, hash FROM records LEFT JOIN leaves USING (seq) UNION ALL "
        "SELECT seq, NULL, hash FROM leaves WHERE seq NOT IN (SELECT seq FROM records) ORDER BY 1"
    )


def main(arguments: list[str] | None = None) -> int:
    """Read a ledger's file; 0 where it is whole, 1 where it is not."""
    asked = argparse.ArgumentParser(prog="verifier", description="Is this log whole?")
    asked.add_argument("ledger", type=Path)
    asked.add_argument("--key", required=True, help="NAME+ID+KEY, as `tierwise audit key` prints it")
    asked.add_argument("--witness", type=Path, action="append", default=[], help="checkpoints kept elsewhere")
    given = asked.parse_args(arguments)
    db = sqlite3.connect(f"file:{given.ledger}?mode=ro", uri=True)
    notes = [note for (note,) in db.execute("SELECT note FROM checkpoints ORDER BY size")]
    removals = [note for (note,) in db.execute("SELECT note FROM removals ORDER BY rowid")]
    witnessed = [note for file in given.witness for note in file.read_text().split("\n\n\n") if note.strip()]
    found = Verifier(given.key, notes, witnessed, removals).read(rows_of(db))
    for finding in found.end():
        print(finding)
    print(f"{found.rows} records, {found.size} of them signed in {len(notes)} checkpoints; {len(found.findings)} findings")
    return 1 if found.findings else 0


if __name__ == "__main__":
    sys.exit(main())
