"""What did another tool measure? Scores that are none stay none, and answers that are missing get their own class."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tierwise.cli.imports.results import Gathered, gathered, items_of
from tierwise.core.errors import ConfigError

HEADER = {"status": "error", "eval": {"model": "m", "task": "t"}}


def sample(ident: int, value: object, **more: Any) -> dict[str, Any]:
    one = {"id": ident, "epoch": 1, "input": f"question {ident}", "target": "yes", "scores": {"s": {"value": value}}}
    return one | {"output": {"choices": [{"stop_reason": "stop"}]}} | more


def log(folder: Path, *samples: dict[str, Any]) -> Gathered:
    path = folder / "log.json"
    path.write_text(json.dumps(HEADER | {"samples": samples}))
    return gathered([path])


@pytest.mark.parametrize(
    ("value", "outcome", "score"),
    [
        ("C", "answered", 1.0),
        ("I", "answered", 0.0),
        (0.25, "answered", 0.25),
        (True, "answered", 1.0),
        (float("nan"), "scorer_failed", None),
        (float("inf"), "scorer_failed", None),
        (7, "scorer_failed", None),
        (10**400, "scorer_failed", None),
        ("maybe", "scorer_failed", None),
        ({"a": 1}, "scorer_failed", None),
    ],
)
def test_a_score_counts_where_it_lies_between_0_and_1(
    tmp_path: Path, value: object, outcome: str, score: float
) -> None:
    result = log(tmp_path, sample(1, value)).results[0]
    assert (result.outcome, result.score) == (outcome, score)


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({"error": {"message": "Request timed out"}}, "timeout"),
        ({"error": {"message": "500"}}, "failed"),
        ({"limit": {"type": "time"}}, "timeout"),
        ({"limit": {"type": "token"}}, "truncated"),
        ({"output": {"choices": [{"stop_reason": "max_tokens"}]}}, "truncated"),
        ({"output": {"choices": [{"stop_reason": "content_filter"}]}}, "refusal"),
    ],
)
def test_what_is_missing_has_a_class_and_no_score(tmp_path: Path, more: dict[str, Any], outcome: str) -> None:
    result = log(tmp_path, sample(1, "I", **more)).results[0]
    assert (result.outcome, result.score) == (outcome, None)


def test_a_packed_log_says_the_same_as_a_plain_one(tmp_path: Path) -> None:
    path = tmp_path / "log.eval"
    samples = [sample(n, "CI"[n % 2]) for n in range(4)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(HEADER))
        for one in samples:
            archive.writestr(f"samples/{one['id']}_epoch_1.json", json.dumps(one))
    packed, plain = gathered([path]), log(tmp_path, *samples)
    assert packed.results == plain.results
    assert items_of(packed, path) == items_of(plain, path)
    assert any("status error" in note for note in packed.notes)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ConfigError, match=r"cannot be unpacked .* --to json"):
        gathered([path])


def test_words_that_lie_apart_are_put_back_and_other_items_of_a_name_are_refused(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "attachment://abc"}]
    found = log(tmp_path, sample(1, "C", input=said, attachments={"abc": "the long question"}))
    assert found.rows["1"]["fields"]["messages"] == [{"role": "user", "content": "the long question"}]
    with pytest.raises(ConfigError, match="item '1' is not the same"):
        log(tmp_path, sample(1, "C"), sample(1, "C", input="another"))


def test_cached_answers_have_no_latency_and_repeats_are_counted(tmp_path: Path) -> None:
    row = {
        "vars": {"q": "x"}, "provider": {"id": "p"}, "score": 1, "latencyMs": 3, "failureReason": 0,
        "response": {"output": "y", "cached": True},
    }  # fmt: skip
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"results": [row, row | {"response": {"output": "y"}}]}))
    first, second = gathered([path]).results
    assert (first.repeat, first.duration_ms, second.repeat, second.duration_ms) == (0, None, 1, 3)


def test_an_archive_that_is_damaged_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples/1.json", json.dumps(sample(1, "C")))
    data = bytearray(path.read_bytes())
    begins = data.find(b"samples/1.json") + len("samples/1.json")
    data[begins : begins + 20] = bytes(255 - byte for byte in data[begins : begins + 20])
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="cannot be unpacked"):
        gathered([path])


def test_numbers_beyond_all_measure_are_not_taken_for_measured(tmp_path: Path) -> None:
    usage = {"input_tokens": 10**400, "output_tokens": 10**13, "total_cost": 10**400}
    result = log(tmp_path, sample(1, "C", total_time=10**400, epoch=10**400, model_usage={"m": usage})).results[0]
    assert (result.duration_ms, result.input_tokens, result.output_tokens, result.cost_usd) == (None,) * 4
    assert result.repeat == 0
