"""Files that are none, files that are cut, and files that lie."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.linear.files import HEADER, TINY, changed
from tierwise.linear.header import MAX_FILE_BYTES, Unreadable, places, read_header, written


def test_a_file_is_read_without_its_weights() -> None:
    found = read_header(TINY, len(TINY))
    assert (found.header, found.features) == (HEADER, 3)
    assert found.begins % 8 == 0, "numbers are aligned"
    assert found.begins + found.places["weights"].data_offsets[1] == len(TINY)


def test_other_programs_that_read_the_format_find_the_arrays() -> None:
    length = int.from_bytes(TINY[:8], "little")
    told = json.loads(TINY[8 : 8 + length])
    assert told.pop("__metadata__").keys() == {"tierwise.linear"}
    assert {name: one["shape"] for name, one in told.items()} == {
        "keys": [3],
        "idf": [3],
        "bias": [2],
        "weights": [3, 2],
    }
    ends = sorted(one["data_offsets"] for one in told.values())
    assert [end for _, end in ends[:-1]] == [begin for begin, _ in ends[1:]], "without gaps"


@given(st.integers(1, 10**6), st.integers(2, 4096))
def test_every_place_follows_from_two_counts(features: int, labels: int) -> None:
    found = places(features, labels)
    assert found["weights"].data_offsets[1] == 8 * features + 4 * labels + 2 * features * labels


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a file of a linear model"),
        (b"PK\x03\x04" + bytes(64), "not a file of a linear model"),
        (b"GGUF" + bytes(64), "not a file of a linear model"),
        ((1 << 60).to_bytes(8, "little") + b"{}", "not a file of a linear model"),
        (bytes(8) + b"{}", "not a file of a linear model"),
        (TINY[:-1], "cut off"),
        (TINY + b"\0", "something follows"),
        (TINY[:40], "not a file of a linear model"),
        (TINY.replace(b'"U32"', b'"I64"'), "arrays are not those"),
        (TINY.replace(b'"F16"', b'"F64"'), "arrays are not those"),
        (TINY.replace(b'"shape":[3,2]', b'"shape":[2,3]'), "arrays are not those"),
        (TINY.replace(b'"shape":[3,2]', b'"shape":[6,1]'), "arrays are not those"),
        (TINY.replace(b'[0,12]', b'[4,16]'), "arrays are not those"),
        (TINY.replace(b'"keys"', b'"code"'), "unknown field `code`"),
        (changed(format=2), "train anew"),
        (changed(features="other"), "train anew"),
        (changed(labels=("lost",)), "between 2 and 4096"),
        (changed(labels=("lost", "lost")), "that differ"),
        (changed(labels=("lost", "")), "cannot be shown"),
        (changed(labels=("lost", "\x1b[2J")), "cannot be shown"),
        (changed(field="x" * 201), "too long"),
    ],
)  # fmt: skip
def test_what_is_no_linear_model_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read_header(data, len(data))


def test_a_file_of_enormous_size_is_refused_before_anything_is_read() -> None:
    with pytest.raises(Unreadable, match="larger than 1024 MiB"):
        read_header(TINY, MAX_FILE_BYTES + 1)


def test_counts_that_do_not_fit_the_file_take_no_memory() -> None:
    head = written(HEADER, 1 << 30)
    with pytest.raises(Unreadable, match="cut off"):
        read_header(head, len(head))


@given(st.binary(max_size=400))
def test_whatever_the_bytes_it_ends(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read_header(data, len(data))
