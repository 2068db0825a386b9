"""What a linear model sees of a text."""

from hypothesis import given
from hypothesis import strategies as st

from tierwise.linear.words import features, words


def test_case_spelling_and_signs_make_no_difference() -> None:
    assert words("Where is MY card?!") == ["where", "is", "my", "card"]
    assert features("ﬁne, Straße") == features("FINE STRASSE")


def test_words_pairs_and_characters_within_words_are_counted() -> None:
    told, pieces = features("to be to be")
    assert sorted(told.values()) == [1, 2, 2, 2], "be to once; to, be and to be twice"
    assert len(pieces) == len({" t", "to", "o ", " to", "to ", " to ", " b", "be", "e ", " be", "be ", " be "})
    assert set(pieces.values()) == {2}


def test_a_word_is_no_piece_of_a_word() -> None:
    told, pieces = features("ab")
    assert not told.keys() & pieces.keys()


@given(st.text())
def test_any_text_has_features_that_are_numbers_of_32_bits(text: str) -> None:
    for block in features(text):
        assert all(0 <= key < 1 << 32 and times > 0 for key, times in block.items())


def test_numbers_are_the_same_on_every_machine() -> None:
    told, pieces = features("card")
    assert list(told) == [1366619153]
    assert list(pieces)[:3] == [1906693457, 1157605563, 4067920871]
