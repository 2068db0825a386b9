"""How sure an answer is: by its log-probability, by its repeats, or by a verifier."""

from pathlib import Path

import msgspec
import pytest

from tierwise.core.errors import ConfigError
from tierwise.evals.evidence import Observation
from tierwise.evals.signals import agreement, of_observation, signal

ONE = Observation(
    item="1", cluster="c", split="tune", subject="s", outcome="answered", score=1.0, confidence=-0.5, scores={"v": 0.3}
)


def written(path: Path, *texts: str | None) -> Path:
    lines = [msgspec.json.encode({"item": "1", "subject": "s", "repeat": at, "text": t}) for at, t in enumerate(texts)]
    path.write_bytes(b"".join(line + b"\n" for line in lines) + b'{"item": "1", "cut short')
    return path


def test_the_log_probability_is_the_answers_own_and_any_other_name_is_a_score():
    assert of_observation("logprob")(ONE) == -0.5
    assert signal("v", Path("nowhere"))(ONE) == 0.3
    assert of_observation("absent")(ONE) is None


@pytest.mark.parametrize(
    ("texts", "share"),
    [
        (("yes", "yes", "no", "yes"), 2 / 3),
        (('{"a": 1, "b": 2}', '{"b":2,"a":1}'), 1.0),
        (("two  words", " two words\n", "three"), 0.5),
        (("yes", None), 0.0),
        (("yes",), None),
        ((), None),
    ],
)
def test_agreement_is_the_share_of_repeats_that_say_the_same(tmp_path: Path, texts: tuple[str, ...], share: float):
    assert agreement(written(tmp_path / "answers.jsonl", *texts))(ONE) == share


def test_answers_that_cannot_be_read_are_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read"):
        signal("agreement", tmp_path / "none")
    (tmp_path / "answers.jsonl").write_bytes(b"nonsense\n")
    with pytest.raises(ConfigError, match="no file of answers"):
        signal("agreement", tmp_path / "answers.jsonl")
