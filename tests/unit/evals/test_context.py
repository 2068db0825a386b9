"""What are requests made of? Tokens by part, passages said twice, dates that have passed, scores by length."""

from datetime import date

import pytest

from tierwise.evals.context import measure
from tierwise.evals.item import Item
from tierwise.evals.prompt import Example, Prompt, parts
from tierwise.wires.tokens import tokens_upper

DAY = date(2026, 11, 21)
PROMPT = Prompt(system="S" * 200, user="Answer: {{text}}", example=(Example(user="u" * 50, assistant="a" * 50),))


def item(text: str, **more: object) -> Item:
    return Item(id="1", fields={"text": text, **more}, cluster="c", split="prove")


def test_each_part_has_its_share_of_what_is_read() -> None:
    found = measure([item("x" * 100), item("x" * 300)], PROMPT, DAY)
    shares = {one.part: one.share for one in found.parts}
    assert list(shares) == ["system", "fields", "examples", "instructions"]
    assert sum(shares.values()) == pytest.approx(1)
    assert found.fixed_share == pytest.approx(1 - shares["fields"])
    short, long = (sum(map(tokens_upper, parts(PROMPT, item("x" * n)).values())) for n in (100, 300))
    assert (found.tokens["p50"], found.tokens["max"]) == (short, long)


def test_a_passage_that_stands_twice_in_a_request_is_repeated() -> None:
    passage = "This paragraph was retrieved from the handbook of the company."
    once = measure([item(f"{passage}\nsomething else")], PROMPT, DAY)
    twice = measure([item(f"{passage}\nsomething else\n  {passage}"), item(passage)], PROMPT, DAY)
    assert (once.repeating, once.repeated_share) == (0, 0)
    assert twice.repeating == 1
    assert 0 < twice.repeated_share < 0.2


def test_a_request_is_stale_where_its_newest_date_is_long_past() -> None:
    rows = [
        item("as of 2024-01-31"),
        item("2024-01-31, then 2026-11-01"),
        item("no date"),
        item("2024-99-99, 2024-02-31"),
    ]
    found = measure(rows, Prompt(system="Prices of 2023-05-01.", user="{{text}}"), DAY)
    assert (found.stale, found.stale_prompt) == (3, True)
    assert measure(rows, Prompt(user="{{text}}"), DAY).stale == 1


def test_fields_that_the_prompt_does_not_ask_for_are_named() -> None:
    assert measure([item("x", secret="y")], PROMPT, DAY).unused_fields == ("secret",)
    assert measure([item("x", n=3)], None, DAY).unused_fields == ()
