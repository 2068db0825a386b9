"""One more item: in the file's own format, under its own columns, once, and every earlier row as it stood."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.errors import ConfigError
from tierwise.core.label import Label
from tierwise.evals.data.add import New, add
from tierwise.evals.data.read import read


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def put(path: Path, **said: Any) -> str:
    """Add an item and return the file; whoever reads it has to find what was told."""
    made = add(path, New(**said), path.parent / "locks")
    found = read(path)
    assert made.item in found.items and made.digest == found.digest and made.items == len(found.items)
    return path.read_bytes().decode()


def test_a_file_that_is_not_there_is_begun_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.jsonl"
    assert json.loads(put(path, input="hello", reference="world")) == {
        "fields": {"text": "hello"}, "reference": "world",
    }  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.jsonl", '{"q": "one", "label": "x"}', '{"q": "one", "label": "x"}\n{"q":"two","label":"y"}\n'),
        ("b.jsonl", '{"fields":{"q":"one"}}\n', '{"fields":{"q":"one"}}\n{"fields":{"q":"two"},"reference":"y"}\n'),
        ("c.json", '[ {"q": "one", "label": "x"} ]\n', '[ {"q": "one", "label": "x"},\n{"q":"two","label":"y"}\n]\n'),
        ("d.csv", "q;Category\r\none;x\r\n", "q;Category\r\none;x\r\ntwo;y\r\n"),
        ("e.tsv", "id\tq\tgold\n7\tone\tx", "id\tq\tgold\n7\tone\tx\n\ttwo\ty\n"),
        ("f.csv", "\ufeffq,label\none,x\n", "\ufeffq,label\none,x\ntwo,y\n"),
    ],
)
def test_each_format_keeps_its_columns_and_what_stood_there(tmp_path: Path, name: str, before: str, after: str) -> None:
    path = written(tmp_path, name, before)
    path.chmod(0o644)
    assert put(path, input="two", reference="y") == after
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@given(
    text=st.text(min_size=1).filter(lambda one: one.strip()), right=st.text(min_size=1).filter(lambda one: one.strip())
)
def test_whatever_the_words_are_they_are_read_again(
    text: str, right: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("words")
    for name, before in (("a.csv", "q,label\none,x\n"), ("b.jsonl", ""), ("c.json", "")):
        path = written(folder, name, before)
        if text != "one":
            put(path, input=text, reference=right)
            assert read(path).items[-1].reference == right


def test_the_same_question_is_refused_whatever_its_answer_and_the_file_stays(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"q": "one", "label": "x"}\n')
    for right, told in (("x", "with the same answer"), ("y", "with another answer")):
        with pytest.raises(ConfigError, match=told):
            put(path, input="one", reference=right)
    assert path.read_text() == '{"q": "one", "label": "x"}\n'


def test_a_label_that_has_no_column_is_refused_and_never_lost(tmp_path: Path) -> None:
    table = written(tmp_path, "a.csv", "q,label\none,x\n")
    with pytest.raises(ConfigError, match="no column 'sensitivity'"):
        put(table, input="two", reference="y", label=Label.RESTRICTED)
    put(lines := tmp_path / "b.jsonl", input="two", reference="y", label=Label.RESTRICTED)
    assert read(lines).items[0].label is Label.RESTRICTED


def test_fields_have_to_be_those_that_a_prompt_finds_in_the_others(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"q": "one", "who": "ann", "label": "x"}\n')
    with pytest.raises(ConfigError, match="fields q, who"):
        put(path, input="two")
    with pytest.raises(ConfigError, match="this one q"):
        put(path, fields={"q": "two"})
    put(path, fields={"q": "two", "who": "bob"}, reference="y")


def test_a_conversation_is_an_item_where_the_others_are(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for text in ("one", "two"):
        put(path, fields={"messages": [{"role": "user", "content": text}]}, reference="y")
    with pytest.raises(ConfigError, match="messages"):
        put(path, input="three")


def test_where_what_is_right_is_json_a_text_is_read_as_json(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"q": "one", "expected": {"intent": "x"}}\n')
    put(path, input="two", reference='{"intent": "y"}')
    assert read(path).items[1].reference == {"intent": "y"}
    with pytest.raises(ConfigError, match="stands there as JSON"):
        put(path, input="three", reference="intent y")


@pytest.mark.parametrize(
    ("name", "before", "said", "told"),
    [
        ("a.parquet", "", {"input": "x"}, "items are added to"),
        ("a.csv", "q,label\none,x\n", {"input": "two", "reference": {"intent": "y"}}, "is no text"),
        ("a.csv", "q,label\none,x\n", {"input": " "}, "nothing to ask"),
        ("a.json", '{"q": "one"}', {"input": "x"}, "not a JSON array"),
        ("a.jsonl", "", {}, "say either"),
    ],
)
def test_what_cannot_be_added_leaves_the_file_alone(
    tmp_path: Path, name: str, before: str, said: dict[str, Any], told: str
) -> None:
    path = written(tmp_path, name, before)
    with pytest.raises(ConfigError, match=told):
        add(path, New(**said), tmp_path / "locks")
    assert path.read_text() == before and [one.name for one in tmp_path.glob(".*")] == []
