"""Files of labelled messages: what is read, and what is said of those that cannot be."""

from pathlib import Path

import pytest

from tierwise.core.errors import ConfigError
from tierwise.evals.dataset import read

LABELS = ("a", "b")


def written(folder: Path, text: str, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_csv_and_json_lines_are_the_same_rows(tmp_path: Path) -> None:
    table = written(tmp_path, 'text,category\n" one,\n two ",a\nthree,b\nThree,b\n')
    lines = written(
        tmp_path, '{"text":"one, two","label":"a"}\n\n{"text":"three","label":"b"}\n{"text":"Three","label":"b"}', "r.jsonl"
    )  # fmt: skip
    first, second = read(table, LABELS), read(lines, LABELS)
    assert first.rows == second.rows
    assert [row.text for row in first.rows] == ["one, two", "three", "Three"]
    assert first.duplicates == second.duplicates == 1


def test_a_field_that_never_ends_is_said_with_its_line(tmp_path: Path) -> None:
    rows = "".join(f"some words,{LABELS[n % 2]}\n" for n in range(20_000))
    path = written(tmp_path, f'text,label\nfine,a\n"never closed,b\n{rows}')
    with pytest.raises(ConfigError, match=r"rows\.csv, line \d+: not CSV: field larger than .*never closed") as caught:
        read(path, LABELS)
    assert caught.value.file == str(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no rows"),
        ("text,label\n", "no rows"),
        ("text\nhello\n", "needs the columns"),
        ("text,label\nhello,a\n,b\n", "line 3: text and label must both"),
        ("text,label\nhello,a\nhi\n", "line 3: text and label must both"),
        ("text,label\nhello,c\nhi,a\n", "'c' \\(1\\)"),
        ("text,label\nhello,a\nhi,a\n", "one class"),
    ],
)
def test_what_is_wrong_names_file_line_and_mend(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        read(written(tmp_path, text), LABELS)
    assert caught.value.file is not None
