"""What is masked comes back, however the answer is cut; what is sent holds nothing of a value; nobody reads another's."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.policy.pseudonyms import (
    MAX_VALUES,
    Pseudonyms,
    Restorer,
    Span,
    TooManyValues,
    joined,
    kinds_from,
    tag_of,
)

TAG = "7QK2MX"
KINDS = ("CARD", "KEY", "CLOUD_KEY", "VALUE")
# Words of which placeholders are made stand beside the values, so that beginnings of them are everywhere.
WORDS = st.sampled_from(
    ["CARD", "CARD_", "KEY_1_", "_", "7QK", TAG, f"CARD_1_{TAG}", f"KEY_2_{TAG}", "a", " ", "é", "😀", '"', "\\"]
)
VALUES = st.sampled_from(["4024007134564847", "hunter2!x", 'a"b\\c\nd', "ÄÖ", "CARD_1", TAG])
TEXTS = st.lists(
    st.tuples(st.booleans(), st.one_of(WORDS, VALUES, st.text(max_size=4)), st.sampled_from(KINDS)), max_size=12
)


def told(parts: list[tuple[bool, str, str]]) -> tuple[str, list[Span]]:
    text, spans = "", []
    for secret, said, kind in parts:
        if secret and said:
            spans.append((len(text), len(text) + len(said), kind))
        text += said
    return text, spans


def masked(pseudonyms: Pseudonyms, text: str, spans: list[Span]) -> str:
    return pseudonyms.masked(text, [*spans, *pseudonyms.known_in(text)])


@given(TEXTS, st.data())
def test_any_split_of_what_was_masked_restores_to_what_it_was(
    parts: list[tuple[bool, str, str]], data: st.DataObject
) -> None:
    pseudonyms = Pseudonyms(TAG)
    text, spans = told(parts)
    out = masked(pseudonyms, text, spans)
    assert pseudonyms.restored(out) == text
    cuts = sorted(data.draw(st.lists(st.integers(0, len(out)), max_size=8)))
    restorer = Restorer(pseudonyms)
    assert "".join(restorer.feed(out[a:b]) for a, b in pairwise([0, *cuts, len(out)])) + restorer.finish() == text


@given(TEXTS)
def test_no_more_is_held_back_than_could_begin_a_placeholder(parts: list[tuple[bool, str, str]]) -> None:
    pseudonyms = Pseudonyms(TAG)
    out = masked(pseudonyms, *told(parts))
    restorer = Restorer(pseudonyms)
    said = restorer.feed(out)
    held = restorer.finish()
    assert not held or any(name.startswith(held) and name != held for name in pseudonyms.originals)
    assert pseudonyms.restored(out) == said + held


@given(TEXTS)
def test_a_value_has_one_placeholder_and_stands_nowhere_in_what_is_sent(parts: list[tuple[bool, str, str]]) -> None:
    pseudonyms = Pseudonyms(TAG)
    text, spans = told(parts)
    masked(pseudonyms, text, spans)
    again = masked(pseudonyms, text, spans)
    assert again == masked(pseudonyms, text, spans)
    for value in pseudonyms.names:
        if len(value) >= 6 and TAG not in value and value != "CARD_1":
            assert value not in pseudonyms.without(again, "~")
    assert pseudonyms.restored(again) == text


def test_the_same_value_has_the_same_placeholder_in_every_turn_and_another_in_another_session() -> None:
    ours, theirs = Pseudonyms(TAG), Pseudonyms("3ABCDE")
    first = ours.name("CARD", "4024007134564847")
    assert ours.name("PASSWORD", "4024007134564847") == first == f"CARD_1_{TAG}"
    assert theirs.name("CARD", "4024007134564847") != first
    assert theirs.restored(f"read me {first}") == f"read me {first}"


def test_a_placeholder_that_the_caller_sends_is_a_value_and_not_a_way_to_another_value() -> None:
    pseudonyms = Pseudonyms(TAG)
    stolen = pseudonyms.name("CARD", "4024007134564847")
    sent = masked(pseudonyms, f"what is {stolen}?", [])
    assert stolen not in sent
    assert pseudonyms.restored(sent) == f"what is {stolen}?"


def test_a_known_value_needs_no_detector_where_it_stands_again() -> None:
    pseudonyms = Pseudonyms(TAG)
    pseudonyms.name("PASSWORD", "hunter2xyz")
    assert masked(pseudonyms, "and then I typed hunter2xyz!", []) == f"and then I typed PASSWORD_1_{TAG}!"


def test_a_session_holds_no_more_values_than_it_may() -> None:
    pseudonyms = Pseudonyms(TAG)
    for number in range(MAX_VALUES):
        pseudonyms.name("VALUE", f"value {number}")
    assert pseudonyms.name("VALUE", "value 0") == f"VALUE_1_{TAG}"
    with pytest.raises(TooManyValues):
        pseudonyms.name("VALUE", "one more")


def test_spans_that_overlap_are_one_value() -> None:
    assert joined([(5, 9, "KEY"), (0, 3, "A"), (7, 12, "VALUE")]) == [(0, 3, "A"), (5, 12, "KEY")]


@given(st.binary(min_size=6, max_size=6))
def test_a_tag_is_in_no_kind(random: bytes) -> None:
    tag = tag_of(random)
    assert len(tag) == 6
    assert tag[0].isdigit()
    assert tag.isalnum()


def test_only_names_that_everybody_knows_are_told_outside() -> None:
    assert kinds_from(["us_ssn", "merger"], ["us_ssn"]) == {"us_ssn": "US_SSN", "merger": "VALUE"}


def test_a_seal_is_known_to_the_endpoint_that_made_it() -> None:
    pseudonyms = Pseudonyms(TAG)
    pseudonyms.remember_seal("far", "abc")
    assert pseudonyms.knows_seal("far", "abc")
    assert not pseudonyms.knows_seal("other", "abc")


def test_a_part_restores_its_own_placeholders_alone_and_its_seals_are_the_sessions() -> None:
    session = Pseudonyms("7QK2MX")
    one, two = session.name("CARD", "4024007134564847"), session.name("CARD", "4917484589897107")
    part, weight = session.only([two]), session.weight_chars
    assert part.restored(f"{one} {two}") == f"{one} 4917484589897107"
    part.remember_seal("far", "sealed")
    assert session.knows_seal("far", "sealed") and part.knows_seal("far", "sealed")
    assert session.weight_chars > weight
