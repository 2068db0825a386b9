"""Which message belongs to which part? Reading, normalising and splitting Banking77's training file.

Deliberately knows nothing about models. Run as a module, it writes one part as CSV (`text,label`).
Invariant: a message's part follows from its text alone (hash), so no seed and no row order can move it,
and equal messages (white space and case aside) are one message and never straddle two parts.
"""

import argparse
import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_DATA = ROOT.parent / "shared" / "data" / "banking77"
SOURCE = "PolyAI-LDN/task-specific-datasets @ 57ec275d8078, banking_data"
LICENCE = "CC BY 4.0"
CITATION = "Casanueva et al. 2020"
PARTS = ("report", "fit", "validation", "training")
SET_ASIDE = 1000  # messages in each of "report" and "fit"
VALIDATION_SHARE = 0.1


class Message(NamedTuple):
    """What a customer wrote (white space normalised) and the intent that people gave it."""

    text: str
    label: str


class Split(NamedTuple):
    """The four parts. `report` and `fit` are set aside: no training, no choice and no tuning may look at them."""

    report: list[Message]
    fit: list[Message]
    validation: list[Message]
    training: list[Message]


def normalise(text: str) -> str:
    """Collapse every run of white space to one blank."""
    return " ".join(text.split())


def digest(text: str, purpose: str = "") -> str:
    """Hash the normalised, lower-cased text; `purpose` gives an independent order."""
    return hashlib.sha256((purpose + normalise(text).lower()).encode()).hexdigest()


def read(folder: Path) -> list[Message]:
    """Read `train.csv` of FOLDER, each distinct message once (the first of equal ones)."""
    file = folder / "train.csv"
    if not file.exists():
        raise SystemExit(f"{file} is missing: name the folder that holds Banking77's train.csv with --data")
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [Message(normalise(row["text"]), row["category"]) for row in csv.DictReader(lines)]
    distinct: dict[str, Message] = {}
    for row in rows:
        distinct.setdefault(row.text.lower(), row)
    return list(distinct.values())


def labels(rows: Iterable[Message]) -> list[str]:
    """Name the intents, sorted."""
    return sorted({row.label for row in rows})


def split(rows: Sequence[Message]) -> Split:
    """Set 2 x 1,000 messages aside by hash; of the rest, a tenth of every intent is validation."""
    ordered = sorted(rows, key=lambda row: digest(row.text))
    report, fit, rest = ordered[:SET_ASIDE], ordered[SET_ASIDE : 2 * SET_ASIDE], ordered[2 * SET_ASIDE :]
    by_label: dict[str, list[Message]] = defaultdict(list)
    for row in sorted(rest, key=lambda row: digest(row.text, "validation:")):
        by_label[row.label].append(row)
    validation: list[Message] = []
    training: list[Message] = []
    for label in sorted(by_label):
        held = max(1, round(len(by_label[label]) * VALIDATION_SHARE))
        validation += by_label[label][:held]
        training += by_label[label][held:]
    return Split(report, fit, validation, training)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is either the old or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    draft.write_bytes(content)
    draft.replace(path)


def main() -> None:
    """Write one part as CSV, for whoever wants to measure on the same messages."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--part", choices=[*PARTS, "set-aside"], required=True, help="set-aside: report and fit")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    parts = split(read(args.data))
    rows = parts.report + parts.fit if args.part == "set-aside" else getattr(parts, args.part)
    with args.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Message._fields)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
