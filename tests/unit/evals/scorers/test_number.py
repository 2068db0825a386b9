from decimal import Decimal

import pytest

from tests.unit.evals.scorers.scoring import score
from tierwise.core.errors import ConfigError
from tierwise.evals.scorers.number import last_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The sum of 3 and 4 is 7.", "7"),
        ("1,234.5", "1234.5"),
        ("1.234,5", "1234.5"),
        ("1,234,567", "1234567"),
        ("1'234", "1234"),
        ("3,14", "3.14"),
        ("3.141", "3.141"),
        ("−5", "-5"),
        ("$42", "42"),
        ("5kg", "5"),
        ("1e3", "1000"),
        ("in 2019 100", "100"),
        ("none", None),
        ("i5 abc12", None),
    ],
)  # fmt: skip
def test_the_last_number_counts(text: str, number: str | None) -> None:
    assert last_number(text) == (None if number is None else Decimal(number))


def test_a_tolerance_is_absolute_or_a_share_of_the_reference() -> None:
    assert score("numeric", "7.0", 7).value == 1.0
    assert score("numeric", "7.01", 7).value == 0.0
    assert score("numeric:0.02", "7.01", 7).value == 1.0
    assert score("numeric:1%", "99", 100).value == 1.0
    assert score("numeric:1%", "98.9", 100).value == 0.0


def test_an_answer_without_a_number_is_unparsed_and_a_reference_without_one_the_scorers_fault() -> None:
    assert score("numeric", "seven", 7).problem == "unparsed"
    assert score("numeric", "7", "seven").problem == "scorer_failed"


@pytest.mark.parametrize("spec", ["numeric:x", "numeric:-1", "numeric:nan", "numeric:inf%"])
def test_what_is_no_tolerance_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="tolerance"):
        score(spec, "7", 7)
