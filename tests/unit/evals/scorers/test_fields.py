import json
from pathlib import Path

import pytest

from tests.unit.evals.scorers.scoring import score
from tierwise.core.errors import ConfigError
from tierwise.evals.scorers.fields import NOTHING, at, same


def test_one_field_is_compared_with_the_reference_or_with_its_own_field() -> None:
    assert score("json:intent", '{"intent": "card"}', "card").value == 1.0
    assert score("json:intent", '{"intent": "card"}', {"intent": "card", "more": 1}).value == 1.0
    assert score("json:intent", '{"intent": "cash"}', "card").value == 0.0
    assert score("json:a.b.1", '{"a": {"b": [1, 2]}}', 2).value == 1.0


def test_a_fence_or_prose_round_the_json_does_not_count_against_it() -> None:
    assert score("json:a", 'Sure:\n```json\n{"a": 1}\n```', 1).value == 1.0


@pytest.mark.parametrize("text", ["card", "{}", "[]", '{"b": 1}', '{"a": ', "[" * 100_000])
def test_an_answer_without_the_field_is_unparsed(text: str) -> None:
    found = score("json:a", text, 1)
    assert (found.value, found.problem) == (None, "unparsed")


def test_fields_are_scored_each_and_together() -> None:
    found = score("fields", '{"name": "Ann", "age": "41"}', {"name": "Ann", "age": 41, "city": "Bern", "x": None})
    assert found.value == 0.5
    assert found.details == {"name": 1.0, "age": 1.0, "city": 0.0, "x": 0.0}
    assert score("fields:name", '{"name": "Ann"}', {"name": "Ann", "age": 41}).value == 1.0
    assert score("fields", "none", {"a": 1}).problem == "unparsed"
    assert score("fields", "{}", "a").problem == "scorer_failed"


def test_truth_is_no_number_and_a_number_is_its_text() -> None:
    assert not same(True, 1)
    assert same(1, 1.0)
    assert same("1", 1)
    assert not same(None, "None")


def test_a_name_with_points_comes_before_a_path() -> None:
    assert at({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert at({"a": [1]}, "a.5") is NOTHING


def test_a_schema_is_a_form(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps({"type": "object", "required": ["a"]}))
    assert score("schema:s.json", '{"a": 1}', base=tmp_path).value == 1.0
    assert score("schema:s.json", "{}", base=tmp_path).value == 0.0
    assert score("schema:s.json", "no", base=tmp_path).problem == "unparsed"
    (tmp_path / "s.json").write_text(json.dumps({"$ref": "elsewhere"}))
    assert score("schema:s.json", "{}", base=tmp_path).problem == "scorer_failed"


def test_a_file_without_a_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no JSON schema"):
        score("schema:none.json", "{}", base=tmp_path)
    with pytest.raises(ConfigError, match="which field"):
        score("json", "{}", 1)
