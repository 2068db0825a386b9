"""Which rows are learned, what the answer's field is called, and how sure the figure that is told may be."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.linear.samples import examples
from tierwise.core.errors import ConfigError
from tierwise.evals.data.read import Dataset, read
from tierwise.evals.training import held_out, train
from tierwise.linear.fit import Judged
from tierwise.linear.model import LinearModel


def data(tmp_path: Path, rows: list[dict[str, Any]]) -> Dataset:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read(file)


def rows(split: str = "train", **more: Any) -> list[dict[str, Any]]:
    return [
        {"message": one.text, "label": one.label, "cluster": f"{split} {one.cluster}", "split": split, **more}
        for one in examples()
    ]


def trained(dataset: Dataset, **more: Any) -> LinearModel:
    given = {"text": None, "field": None, "tell": lambda _told: None} | more
    return train(dataset, given.pop("splits", ("train",)), **given)


def test_only_the_splits_that_are_for_learning_are_learned(tmp_path: Path) -> None:
    wrong = [row | {"label": "poison"} for row in rows("prove") + rows("tune")]
    found = trained(data(tmp_path, rows() + wrong))
    assert found.header.labels == ("lost", "money")
    assert (found.header.trained.rows, found.header.trained.splits) == (60, ("train",))
    assert "poison" in trained(data(tmp_path, rows() + wrong), splits=("train", "tune")).header.labels


def test_the_file_says_what_it_was_learned_from(tmp_path: Path) -> None:
    dataset = data(tmp_path, rows())
    header = trained(dataset, field="intent").header
    assert header.trained.dataset == dataset.digest
    assert header.field == "intent"
    assert header.held_out is not None and header.held_out.rows == 60
    assert header.held_out.low < header.held_out.right / 60 <= header.held_out.high


def test_an_object_with_one_field_names_the_field(tmp_path: Path) -> None:
    named = [row | {"label": {"topic": row["label"]}} for row in rows()]
    assert trained(data(tmp_path, named)).header.field == "topic"
    assert trained(data(tmp_path, rows())).header.field == "label"


def test_the_message_is_the_one_text_or_the_one_that_is_named(tmp_path: Path) -> None:
    two = data(tmp_path, rows(channel="mail"))
    with pytest.raises(ConfigError, match=r"--text names it; there are: channel, message"):
        trained(two)
    assert trained(two, text="message").header.labels == ("lost", "money")
    with pytest.raises(ConfigError, match="no text in the field 'body'"):
        trained(two, text="body")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (rows("prove"), "no row of the split train has a label; name the split in a column `split`"),
        ([row | {"label": ["a", "b"]} for row in rows()], "one label"),
        (rows()[:5], "20 rows and 2 labels are the least"),
        ([row | {"label": row["label"] + "\u202e"} for row in rows()], "cannot be shown"),
    ],
)
def test_what_does_not_serve_is_said(tmp_path: Path, given: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        trained(data(tmp_path, given))


def judged(clusters: int, each: int, wrong: int) -> list[Judged]:
    return [
        Judged(cluster=str(at), right=at >= wrong, said=0.9) for at in range(clusters) for _ in range(each)
    ]  # fmt: skip


def test_rows_that_err_together_count_for_less_than_they_are() -> None:
    apart, together = held_out(judged(400, 1, 40)), held_out(judged(100, 4, 10))
    assert apart.right == together.right == 360
    assert together.high - together.low > 1.8 * (apart.high - apart.low)
    assert apart.said == 0.9


def test_never_wrong_is_not_known_to_be_always_right() -> None:
    found = held_out(judged(50, 1, 0))
    assert found.high == 1
    assert found.low < 0.95
