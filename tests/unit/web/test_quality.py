"""Quality where it was measured: the last word of each counts, an answer counts once, and what nobody judged has no figure."""

from typing import Any

from tierwise.ledger.remarks import Remark
from tierwise.web.quality import asked, held

FLOWS = {"a": "mail", "b": "mail", "c": "bank"}


def flow(name: str, certificate: str | None, *void: str) -> dict[str, Any]:
    return {"name": name, "certificate": certificate, "void": list(void)}


def test_the_last_word_of_each_counts_and_an_answer_counts_once() -> None:
    said = [
        Remark(decision="a", score=0.0, who="ann"), Remark(decision="a", score=1.0, who="ann"),
        Remark(decision="a", score=0.0, who="ben"), Remark(decision="b", score=1.0), Remark(decision="gone", score=0.0),
    ]  # fmt: skip
    (row,) = held(said, FLOWS, [flow("mail", None)])
    assert (row.workflow, row.judged, row.mean, row.certificate) == ("mail", 2, 0.75, "")


def test_a_certificate_without_a_judgement_has_no_figure_and_a_void_one_says_why() -> None:
    rows = held([], FLOWS, [flow("mail", "sha256:1"), flow("bank", "sha256:2", "it has ended")])
    assert [(row.workflow, row.mean, row.certificate, row.void) for row in rows] == [
        ("bank", None, "void", ("it has ended",)), ("mail", None, "in force", ()),
    ]  # fmt: skip


def test_the_address_carries_a_name_as_it_is() -> None:
    assert asked(3600, "a & b") == "/ui/quality?seconds=3600&workflow=a+%26+b"
