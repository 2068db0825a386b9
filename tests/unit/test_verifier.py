"""The verifier believes a log where nothing was changed, and finds a change of any cell to any value."""

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.audit.checkpoint import checkpoint
from tierwise.audit.notes import Signer
from tierwise.audit.removed import statement
from tierwise.audit.tree import leaf_hash, root_of
from tierwise.verifier import MOST_FINDINGS, Row, Verifier

SIGNER = Signer("ledger.example", bytes(range(32)))
KEYS = [str(SIGNER.key)]
SIZE = 12
GONE = {3, 4}
RECORDS = [f"record {number}".encode() for number in range(1, SIZE + 1)]
LEAVES = [leaf_hash(number, record) for number, record in enumerate(RECORDS, 1)]
ROWS: list[Row] = [
    (number, None if number in GONE else record, leaf)
    for number, (record, leaf) in enumerate(zip(RECORDS, LEAVES, strict=True), 1)
]
NOTES = [checkpoint(SIGNER, size, root_of(LEAVES[:size])) for size in (5, SIZE)]
REMOVAL = statement(SIGNER, [(3, 4)])
ANYTHING: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.binary(max_size=40), st.text(max_size=5), st.integers(), st.floats()
)


def findings(
    rows: list[Row] = ROWS, notes: list[str] | None = None, removal: str | None = REMOVAL, witnessed: Any = ()
) -> list[str]:
    verifier = Verifier(KEYS, witnessed)
    verifier.begin(NOTES if notes is None else notes, removal)
    verifier.take(rows[:5])
    verifier.take(rows[5:])
    return verifier.end()


def test_a_log_that_nobody_touched_is_whole() -> None:
    assert findings(witnessed=NOTES) == []
    assert findings(rows=[], notes=[], removal=None) == []


@given(st.integers(0, SIZE - 1), st.integers(1, 2), ANYTHING)
def test_no_cell_can_become_anything_else(at: int, column: int, value: Any) -> None:
    row = list(ROWS[at])
    if row[column] == value and type(row[column]) is type(value):
        return
    row[column] = value
    rows = [*ROWS[:at], tuple(row), *ROWS[at + 1 :]]
    assert findings(rows=rows), "found, and no error of ours"


@pytest.mark.parametrize("number", [-1, 0, 5, "6", None])
def test_a_row_whose_number_is_no_place_was_put_in(number: Any) -> None:
    rows: list[Any] = sorted(
        [*ROWS, (number, b"record", b"")], key=lambda row: row[0] if isinstance(row[0], int) else 0
    )
    assert findings(rows=rows) == [f"a record {number!a} was put in"]


@given(st.integers(0, SIZE - 1), st.integers(0, 7), st.data())
def test_no_bit_of_a_record_can_change(at: int, bit: int, data: st.DataObject) -> None:
    number, record, leaf = ROWS[at]
    if record is None:
        return
    bent = bytearray(record)
    bent[data.draw(st.integers(0, len(bent) - 1))] ^= 1 << bit
    told = findings(rows=[*ROWS[:at], (number, bytes(bent), leaf), *ROWS[at + 1 :]])
    assert told[0] == f"record {number} is not what was signed"


@given(st.permutations(range(SIZE)))
def test_records_cannot_change_places(order: list[int]) -> None:
    moved = [(number, ROWS[place][1], ROWS[place][2]) for number, place in enumerate(order, 1)]
    assert bool(findings(rows=moved)) == (moved != ROWS)


@given(st.sets(st.integers(1, SIZE), min_size=1))
def test_records_cannot_be_taken_out(numbers: set[int]) -> None:
    assert findings(rows=[row for row in ROWS if row[0] not in numbers])
    bare = [(number, None if number in numbers else record, leaf) for number, record, leaf in ROWS]
    assert bool(findings(rows=bare)) == bool(numbers - GONE)


def test_the_end_cannot_be_cut_off_and_nothing_be_put_in_there_later() -> None:
    assert findings(rows=ROWS[:-1]) == ["the end is cut off: 12 records were signed, 11 are here"]
    assert findings(rows=[*ROWS, (13, b"new", None)]) == [], "what is newer is not signed yet"
    assert findings(rows=[*ROWS, (13, b"new", leaf_hash(13, b"other"))]) == ["record 13 is not what was signed"]


def test_a_fork_is_seen_by_its_witness() -> None:
    other = checkpoint(SIGNER, 6, root_of([leaf_hash(1, b"other"), *LEAVES[1:6]]))
    assert findings(witnessed=[other]) == ["the records up to 6 are not those that a witness has seen"]
    assert findings(witnessed=["nonsense"])[0].startswith("a witness cannot be believed")


@settings(max_examples=200)
@given(st.integers(0, 1), st.text(max_size=6), st.data())
def test_no_text_of_a_note_can_change(which: int, text: str, data: st.DataObject) -> None:
    note = NOTES[which]
    at = data.draw(st.integers(0, len(note.rstrip()) - 1))
    bent = note[:at] + text + note[at + 1 :]
    told = findings(notes=[bent, NOTES[1 - which]])
    assert told or _same(bent, note)


def _same(bent: str, note: str) -> bool:
    """Say whether only such signs of base64 differ as say nothing."""
    one, other = (text.rpartition(" ") for text in (bent, note))
    try:
        return one[0] == other[0] and base64.b64decode(one[2]) == base64.b64decode(other[2])
    except ValueError:
        return False


@pytest.mark.parametrize(
    "note", [statement(SIGNER, [(3, 3)]), SIGNER.sign("ledger.example\nother\n3-4\n"), "x", NOTES[0]]
)
def test_only_the_signed_statement_explains_what_is_gone(note: str) -> None:
    assert findings(removal=note)
    assert findings(removal=None)


def test_of_very_many_findings_the_first_are_told() -> None:
    told = findings(rows=[(10**15, b"x", None)])
    assert told[0] == "record 1 is missing"
    assert len(told) == MOST_FINDINGS


def test_another_keys_checkpoint_is_not_believed() -> None:
    other = Signer("ledger.example", bytes(32))
    assert findings(notes=[checkpoint(other, SIZE, root_of(LEAVES))])[0].startswith("a checkpoint cannot be believed")
