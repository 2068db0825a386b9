"""Is this log whole? An independent reading of what an audited ledger promises.

Shares no code with the writer, on purpose: it is written from RFC 6962 (the tree), C2SP's signed-note and
tlog-checkpoint (what is signed) and the page `docs/reference/audit.md` (what a leaf is). Needs Python, `cryptography`
and nothing else: `python verifier.py ledger.sqlite --key NAME+ID+KEY [--witness FILE …]`, with a copy of this file.
Invariant: a finding is reported for every change, deletion, reorder, cut tail or fork of what any checkpoint covers.
"""

import argparse
import base64
import hashlib
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MOST_FINDINGS = 20
Row = tuple[int, bytes | None, bytes | None]
"""A record's number, its bytes (None: taken away), and its leaf as the ledger kept it (None: not hashed yet)."""
SQL = (
    "SELECT seq, record, hash FROM records LEFT JOIN leaves USING (seq) UNION ALL "
    "SELECT seq, NULL, hash FROM leaves WHERE seq NOT IN (SELECT seq FROM records) ORDER BY 1"
)


class Unsigned(Exception):
    """A text that no key of the log has signed."""


def signed(note: str, keys: Iterable[str]) -> list[str]:
    """Return the lines of a note that one of the keys NAME+ID+KEY has signed, for the log of that name."""
    text, _, signatures = str(note).rpartition("\n\n")
    for key in keys:
        name, ident, encoded = key.strip().split("+", 2)
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
        for line in signatures.split("\n"):
            if not line.startswith(f"— {name} "):
                continue
            raw = base64.b64decode(line.split(" ")[-1])
            try:
                public.verify(raw[4:], text.encode() + b"\n")
            except InvalidSignature:
                continue
            if raw[:4].hex() == ident and text.split("\n")[0] == name:
                return text.split("\n")
    raise Unsigned("it is not signed with a key of this log")


class Verifier:
    """Reads a log once, in the order of its numbers. Then `end` says what is wrong, the first wrong row first.

    `witnessed` are notes that were kept elsewhere. `records` were there, `removed` were taken away on purpose, and
    `signed` of both together are covered by the log's own checkpoints, `size` by those of witnesses too.
    """

    def __init__(self, keys: Sequence[str], witnessed: Iterable[str] = ()) -> None:
        self.findings: list[str] = []
        self.rows = self.records = self.removed = self.signed = self.size = self.checkpoints = self.witnessed = 0
        self.keys = keys
        self._stack: list[tuple[int, bytes]] = []
        self._expected: dict[int, set[tuple[str, bytes]]] = {}
        self._gone: set[int] = set()
        for note in witnessed:
            self.witnessed += self._expect("a witness", note) is not None

    def _found(self, text: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(text)

    def _expect(self, whose: str, note: str) -> int | None:
        try:
            _, told, root = signed(note, self.keys)[:3]
            size = int(told)
            self._expected.setdefault(size, set()).add((whose, base64.b64decode(root)))
        except (Unsigned, ValueError) as error:
            self._found(f"{whose} cannot be believed: {error}")
            return None
        self.size = max(self.size, size)
        return size

    def begin(self, checkpoints: Sequence[str], removal: str | None) -> None:
        """Take the signed notes, before any row."""
        for note in checkpoints:
            size = self._expect("a checkpoint", note)
            if size is not None:
                self.checkpoints, self.signed = self.checkpoints + 1, max(self.signed, size)
        if removal is not None:
            try:
                _, what, ranges = signed(removal, self.keys)[:3]
                for first, last in (pair.split("-") for pair in ranges.split(",") if what == "removed"):
                    self._gone.update(range(int(first), int(last) + 1))
            except (Unsigned, ValueError) as error:
                self._found(f"the statement of what was removed cannot be believed: {error}")

    def take(self, rows: Iterable[Row]) -> None:
        """Take the next rows."""
        sha256, stack, expected, gone = hashlib.sha256, self._stack, self._expected, self._gone
        for number, record, leaf in rows:
            if not isinstance(number, int) or number <= self.rows:  # a log begins at 1, and has each number once
                self._found(f"a record {number!a} was put in")
                continue
            while number > self.rows + 1 and len(self.findings) < MOST_FINDINGS:
                self.rows += 1
                self._found(f"record {self.rows} is missing")
            self.rows = number
            if record is None:
                self.removed += number in gone
                if number not in gone:
                    self._found(f"record {number} is missing, and nothing signed says that it was removed")
                grown = leaf if isinstance(leaf, bytes) else b""
            else:
                self.records += 1
                told = record if isinstance(record, bytes) else b""  # SQLite keeps a value of any type in any column
                grown = sha256(b"\x00" + number.to_bytes(8, "big") + told).digest()
                if number in gone:
                    self._found(f"record {number} was removed, and is here again")
                if leaf != grown and (leaf is not None or number <= self.size):
                    self._found(f"record {number} is not what was signed")
            weight = 1
            while stack and stack[-1][0] == weight:
                grown = sha256(b"\x01" + stack.pop()[1] + grown).digest()
                weight *= 2
            stack.append((weight, grown))
            if number in expected:
                self._compare(number)

    def _compare(self, size: int) -> None:
        grown = self._stack[-1][1]
        for _, left in reversed(self._stack[:-1]):
            grown = hashlib.sha256(b"\x01" + left + grown).digest()
        for whose, root in sorted(self._expected[size]):
            if root != grown:
                self._found(f"the records up to {size} are not those that {whose} has seen")

    def end(self) -> list[str]:
        """Return the findings, once all rows were taken."""
        if self.rows < self.size:
            self._found(f"the end is cut off: {self.size} records were signed, {self.rows} are here")
        return self.findings


def main(arguments: list[str] | None = None) -> int:
    """Read a ledger's file as it is at one moment; 0 where it is whole, 1 where it is not."""
    asked = argparse.ArgumentParser(prog="verifier", description="Is this log whole?")
    asked.add_argument("ledger", type=Path)
    asked.add_argument("--key", required=True, action="append", help="NAME+ID+KEY, as `tierwise audit key` prints it")
    asked.add_argument("--witness", type=Path, action="append", default=[], help="checkpoints that were kept elsewhere")
    given = asked.parse_args(arguments)
    for file in (given.ledger, *given.witness):
        if not file.is_file():
            asked.error(f"there is no file {file}")
    witnessed = [
        f"{note}\n" for file in given.witness for note in file.read_text("utf-8").split("\n\n\n") if note.strip()
    ]
    found = Verifier(given.key, witnessed)
    db = sqlite3.connect(f"{given.ledger.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    db.execute("BEGIN")
    notes = [note for (note,) in db.execute("SELECT note FROM checkpoints ORDER BY size")]
    found.begin(notes, next((note for (note,) in db.execute("SELECT note FROM removals")), None))
    found.take(db.execute(SQL))
    sums = (
        f"{found.records} records, {found.removed} removed, {found.signed} covered by {found.checkpoints} checkpoints"
    )
    sys.stdout.write("".join(f"{line}\n" for line in [*found.end(), sums]))
    return 1 if found.findings else 0


if __name__ == "__main__":
    sys.exit(main())
