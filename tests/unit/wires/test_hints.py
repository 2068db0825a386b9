"""Hints: whole or refused; headers win; labels add up."""

from decimal import Decimal

import pytest

from tierwise.core.call import Hints
from tierwise.core.errors import InvalidCall
from tierwise.core.label import Label
from tierwise.wires.hints import read_hints
from tierwise.wires.known import CALLERS, SHARED
from tierwise.wires.wire import Recipient


def test_all_of_them() -> None:
    said = [
        ("x-tierwise-workflow", "banking"),
        ("X-Tierwise-Label", "confidential"),
        ("x-tierwise-quality", "0.95"),
        ("x-tierwise-max-cost-usd", "0.002"),
        ("x-tierwise-latency-ms", "1500"),
        ("x-tierwise-session", "s 1"),
    ]
    assert read_hints(said) == Hints(
        workflow="banking",
        label=Label.CONFIDENTIAL,
        quality=0.95,
        max_cost_usd=Decimal("0.002"),
        latency_ms=1500.0,
        session="s 1",
    )


def test_what_is_there_already_wins_but_for_the_label() -> None:
    over = Hints(workflow="a", label=Label.INTERNAL, quality=0.5, max_cost_usd=Decimal(1), latency_ms=1.0, session="s")
    said = [
        ("x-tierwise-workflow", "b"),
        ("x-tierwise-label", "restricted"),
        ("x-tierwise-quality", 1),
        ("x-tierwise-max-cost-usd", 2),
        ("x-tierwise-latency-ms", 2),
        ("x-tierwise-session", "t"),
    ]
    assert read_hints(said, over=over) == Hints(
        workflow="a", label=Label.RESTRICTED, quality=0.5, max_cost_usd=Decimal(1), latency_ms=1.0, session="s"
    )
    assert read_hints([("x-tierwise-label", "public")], over=over).label is Label.INTERNAL


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("label", "secret"),
        ("label", ""),
        ("label", None),
        ("quality", "1.1"),
        ("quality", "-0.1"),
        ("quality", "nan"),
        ("quality", "high"),
        ("quality", "1" * 40),
        ("max-cost-usd", "Infinity"),
        ("max-cost-usd", "-1"),
        ("latency-ms", "soon"),
        ("latency-ms", "-1"),
        ("workflow", ""),
        ("workflow", "a\nb"),
        ("session", "x" * 257),
        ("anything", "1"),
    ],
)
def test_a_wrong_hint_is_never_ignored(name: str, value: object) -> None:
    with pytest.raises(InvalidCall) as caught:
        read_hints([("x-tierwise-" + name, value)], place="metadata.")
    assert caught.value.param == "metadata.x-tierwise-" + name


def test_a_wrong_hint_is_refused_even_if_another_wins() -> None:
    with pytest.raises(InvalidCall):
        read_hints([("x-tierwise-quality", "much")], over=Hints(quality=1.0))


@pytest.mark.parametrize("wire", ["chat", "responses", "messages"])
def test_a_hint_in_metadata_counts_in_any_spelling_of_its_name_and_stays_here(wire: str) -> None:
    said = b'"input":"hi"' if wire == "responses" else b'"messages":[{"role":"user","content":"hi"}],"max_tokens":9'
    call = CALLERS[wire].decode_request(b'{"model":"m","metadata":{"X-Tierwise-Label":"restricted"},%b}' % said)
    assert call.hints.label is Label.RESTRICTED
    sent = SHARED[wire].splice_request(call, Recipient(endpoint="e", served_name="m", stream=False))
    assert b"ierwise" not in sent.body
