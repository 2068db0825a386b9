"""Is the recipe's split fixed by the text alone, whole, and free of straddling?"""

import random

from recipes.banking77.data import SET_ASIDE, Message, digest, read, split

LABELS = ("card_arrival", "exchange_rate", "Refund_not_showing_up")
ROWS = [Message(f"Message number {n}", LABELS[n % 3]) for n in range(2600)]


def test_every_message_is_in_exactly_one_part() -> None:
    parts = split(ROWS)
    assert sorted(row for part in parts for row in part) == sorted(ROWS)
    assert len(parts.report) == len(parts.fit) == SET_ASIDE


def test_set_aside_are_the_smallest_hashes() -> None:
    parts = split(ROWS)
    ordered = sorted(ROWS, key=lambda row: digest(row.text))
    assert parts.report + parts.fit == ordered[: 2 * SET_ASIDE]


def test_order_of_rows_does_not_matter() -> None:
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    assert split(shuffled) == split(ROWS)


def test_validation_is_a_tenth_of_every_intent() -> None:
    parts = split(ROWS)
    for label in LABELS:
        held = sum(row.label == label for row in parts.validation)
        rest = held + sum(row.label == label for row in parts.training)
        assert held == max(1, round(rest / 10))


def test_equal_messages_count_once(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "train.csv").write_text(
        'text,category\n"Where is\nmy card?",card_arrival\nwhere  is my card?,card_arrival\nHello,exchange_rate\n',
        encoding="utf-8",
    )
    assert read(tmp_path) == [Message("Where is my card?", "card_arrival"), Message("Hello", "exchange_rate")]
