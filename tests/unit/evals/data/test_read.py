"""Files of items: what is read, into which cluster and split, and what is said of those that cannot be."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tierwise.core.errors import ConfigError
from tierwise.core.label import Label
from tierwise.evals.data.read import Dataset, read
from tierwise.evals.data.rows import MAX_LINE_BYTES
from tierwise.evals.data.splits import Shares


def written(folder: Path, text: str | bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def lines(folder: Path, *rows: dict[str, Any]) -> Dataset:
    return read(written(folder, "\n".join(map(json.dumps, rows)), "rows.jsonl"))


def test_the_same_rows_are_the_same_data_set_in_every_format(tmp_path: Path) -> None:
    rows = [{"text": "one, two", "category": "a"}, {"text": 'said "three"', "category": "b"}]
    table = read(written(tmp_path, 'text,category\n"one, two",a\n"said ""three""",b\n'))
    semicolons = read(written(tmp_path, 'text;category\none, two;a\n"said ""three""";b\n', "s.csv"))
    array = read(written(tmp_path, json.dumps(rows), "rows.json"))
    parquet = str(tmp_path / "rows.parquet")
    duckdb.sql(f"COPY (SELECT * FROM read_json('{tmp_path / 'rows.json'}')) TO '{parquet}' (FORMAT parquet)")
    for found in (semicolons, array, lines(tmp_path, *rows), read(Path(parquet))):
        assert found.items == table.items
        assert found.digest == table.digest
    assert [(one.fields, one.reference) for one in table.items] == [
        ({"text": "one, two"}, "a"), ({"text": 'said "three"'}, "b"),
    ]  # fmt: skip
    assert table.reference == "category"


def test_ids_are_made_of_the_content_where_none_are_given(tmp_path: Path) -> None:
    first = read(written(tmp_path, "text,label\nhello,a\nhi,b\nhello,a\n"))
    again = read(written(tmp_path, "text,label\nhi,b\nhello,a\nhello,a\n"))
    assert first.made_ids
    assert len({one.id for one in first.items}) == 3
    assert {one.id for one in first.items} == {one.id for one in again.items}
    assert first.digest == again.digest
    assert [one.id for one in lines(tmp_path, {"id": 7, "text": "x"}, {"id": "b", "text": "y"}).items] == ["7", "b"]


def test_items_of_one_document_or_customer_are_one_cluster_over_any_number_of_steps(tmp_path: Path) -> None:
    found = lines(
        tmp_path,
        {"text": "first", "document": "d1", "customer": "c1"},
        {"text": "second", "document": "d2", "customer": "c1"},
        {"text": "third", "document": "d2"},
        {"text": "fourth", "document": "d3"},
        {"text": "fifth"},
    )
    names = [one.cluster for one in found.items]
    assert names[0] == names[1] == names[2] == "customer:c1"
    assert len(set(names)) == 3
    assert not found.made_clusters
    assert lines(tmp_path, {"text": "a", "cluster": "x", "document": "d"}).items[0].cluster == "x"


def test_without_names_what_says_nearly_the_same_is_one_cluster(tmp_path: Path) -> None:
    found = lines(
        tmp_path,
        {"text": "My order number 12345 has not arrived yet"},
        {"text": "my order number 98 has  not arrived yet"},
        {"text": "I would like to change the address of my delivery, please"},
        {"text": "I would like to change the address of my delivery please"},
        {"text": "What is 3 + 4?"},
        {"text": "What is 9 + 1?"},
    )
    names = [one.cluster for one in found.items]
    assert names[0] == names[1] != names[2]
    assert names[2] == names[3]
    assert names[4] != names[5], "so short a text with other numbers is another question"


def test_splits_hold_clusters_together_and_stay_when_rows_are_added(tmp_path: Path) -> None:
    rows = [{"id": n, "text": f"text {n}", "cluster": f"c{n % 500}"} for n in range(2000)]
    path = written(tmp_path, "\n".join(map(json.dumps, rows)), "rows.jsonl")
    whole, more = read(path), read(path, Shares(train=0.5, tune=0.25))
    half = lines(tmp_path, *rows[:1000])
    assert {one.id: one.split for one in half.items}.items() <= {one.id: one.split for one in whole.items}.items()
    by_cluster = {(one.cluster, one.split) for one in whole.items}
    assert len(by_cluster) == 500
    assert (len(whole.of("train")), whole.made_splits) == (0, True)
    assert 0.2 < len(whole.of("tune")) / 2000 < 0.4
    assert 0.4 < len(more.of("train")) / 2000 < 0.6


def test_what_stands_in_a_split_that_shapes_is_no_proof_in_another(tmp_path: Path) -> None:
    found = lines(
        tmp_path,
        {"id": "a", "text": "How do I change the address of my delivery?", "split": "training"},
        {"id": "b", "text": "how do I change the address of my delivery", "split": "test"},
        {"id": "c", "text": "Something else", "split": "dev"},
        {"id": "d", "text": "And again something", "split": "test"},
    )
    assert [one.split for one in found.items] == ["train", "train", "tune", "prove"]
    assert found.moved == ("b",)
    assert not found.made_splits


def test_an_item_as_tierwise_writes_it_is_read_back(tmp_path: Path) -> None:
    row = {
        "id": "x", "fields": {"label": "a field", "n": 3}, "reference": {"intent": "a"}, "cluster": "c",
        "split": "tune", "label": "confidential",
    }  # fmt: skip
    one = lines(tmp_path, row).items[0]
    assert (one.fields, one.reference, one.label) == (row["fields"], row["reference"], Label.CONFIDENTIAL)
    assert lines(tmp_path, {"text": "a", "sensitivity": "Restricted"}).items[0].label is Label.RESTRICTED


def test_what_nobody_answered_has_no_reference_and_is_kept(tmp_path: Path) -> None:
    found = read(written(tmp_path, "text,label\nhello,a\nhi,\n"))
    assert [one.reference for one in found.items] == ["a", None]
    assert lines(tmp_path, {"text": "a", "expected": 0}, {"text": "b", "expected": False}).items[0].reference == 0


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("r.csv", "", "holds no rows"),
        ("r.csv", "text,label\n", "holds no rows"),
        ("r.csv", "text,label\nhello,a\nhi\n", "line 3: 1 cells under 2 columns"),
        ("r.csv", "text,label\nhello,a\n,b\n", "line 3: there is nothing to ask"),
        ("r.csv", "id,text\n1,a\n2,b\n1,c\n", "line 4: the id '1' stands in 2 too"),
        ("r.csv", "text,text\na,b\n", "line 1: two columns are named 'text'"),
        ("r.csv", "text,split\na,later\n", "line 2: the split 'later' is none"),
        ("r.csv", "text,sensitivity\na,secret\n", "line 2: the sensitivity 'secret' is none; there are public"),
        ("r.csv", 'text,label\nfine,a\n"' + "x" * 200_000, "not CSV: .*never closed"),
        ("r.jsonl", '{"text": "a"}\n{"text": NaN}\n', "line 2: NaN and Infinity are no JSON numbers"),
        ("r.jsonl", '{"text": "a"}\n\n["b"]\n', "line 3: not a JSON object"),
        ("r.jsonl", '{"text": "a"}\n{"text": "b"\n', "line 2: not JSON"),
        ("r.jsonl", '{"text": "\\ud800"}\n', "line 1: not JSON"),
        ("r.jsonl", '{"fields": {"a": "b"}, "answer": "c"}\n', "line 1: beside `fields` there is 'answer'"),
        ("r.jsonl", '{"text": "a", "id": [1]}\n', "line 1: id must be a short text"),
        ("r.json", '{"text": "a"}', "not a JSON array"),
        ("r.parquet", "PAR1", "not Parquet"),
        ("r.xlsx", "PK", "'.xlsx' is none that is read"),
    ],
)
def test_what_is_wrong_names_file_line_and_mend(tmp_path: Path, name: str, text: str, told: str) -> None:
    path = written(tmp_path, text, name)
    with pytest.raises(ConfigError, match=told) as caught:
        read(path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize("name", ["r.csv", "r.jsonl"])
def test_text_that_is_not_utf_8_is_said_with_its_line(tmp_path: Path, name: str) -> None:
    row = b"caf\xe9,a\n" if name == "r.csv" else b'{"text": "caf\xe9"}\n'
    head = b"text,label\n" if name == "r.csv" else b'{"text": "a"}\n'
    with pytest.raises(ConfigError, match="line 2: not UTF-8 text"):
        read(written(tmp_path, head + row, name))


def test_a_line_of_100_megabytes_is_refused_with_its_number(tmp_path: Path) -> None:
    long = b'{"text": "' + b"x" * (100 * 1024**2) + b'"}\n'
    with pytest.raises(ConfigError, match=f"line 2: 100 MiB long; no item is longer than {MAX_LINE_BYTES // 1024**2}"):
        read(written(tmp_path, b'{"text": "a"}\n' + long, "r.jsonl"))


def test_numbers_that_are_none_are_refused_in_parquet_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    duckdb.sql(f"COPY (SELECT 'a' AS text, 'nan'::DOUBLE AS score) TO '{path}' (FORMAT parquet)")
    with pytest.raises(ConfigError, match="row 1: NaN"):
        read(path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    for name in ("none.csv", "none.parquet", "none.jsonl"):
        with pytest.raises(ConfigError, match="cannot be read"):
            read(tmp_path / name)
