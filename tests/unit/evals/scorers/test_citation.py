import pytest

from tests.unit.evals.scorers.scoring import score
from tierwise.evals.scorers.citation import cited

PAGES = [
    {"page": 1, "text": "The tenant pays the rent on the first day of each month."},
    {"page": 2, "text": "Either party may end the lease with three months’ notice."},
]


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ('It says "pays the rent on the first day" (p. 1).', 1.0),
        ('It says "pays the rent on the first day" (p. 2).', 0.0),
        ('It says "pays the rent on the first day".', 1.0),
        ("„The tenant  pays THE rent“ (S. 1) and «ends the lease at once».", 0.5),
        ("“three months' notice …” (page 2)", 1.0),
        ("See page 2, and page 7.", 0.5),
        ("Nothing is cited.", 0.0),
        ('The "rent" is no quotation; p. 1 is there.', 1.0),
    ],
)
def test_what_is_cited_must_stand_there(answer: str, share: float) -> None:
    assert score("citations", answer, documents=PAGES).value == share


def test_a_page_belongs_to_the_quotation_before_it() -> None:
    assert cited('"one two three" and "four five six" (p. 2)') == [("one two three", None), ("four five six", "2")]


def test_documents_may_be_a_text_in_another_field() -> None:
    assert score("citations:context", '"in the beginning was"', context="In the beginning was the word.").value == 1.0


def test_an_item_without_documents_is_not_the_answers_fault() -> None:
    assert score("citations", '"one two three"').problem == "scorer_failed"
