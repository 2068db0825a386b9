"""Each value is found where it stands, whole and no more; what a text hides is found in the text as it was written."""

import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.label import Label
from tierwise.policy import national
from tierwise.policy.detect import Detectors, fold
from tierwise.policy.settings import LabelSettings, Pattern
from tierwise.policy.spans import Finder, Unplaced

CARD = "4024007134564847"
SETTINGS = LabelSettings(patterns={"merger": Pattern(pattern="project falcon", label=Label.RESTRICTED)})
DETECTORS_IN_FORCE = Detectors(SETTINGS)
FINDER = Finder(DETECTORS_IN_FORCE)
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("nothing here, 12 34", []),
        (f"pay {CARD} now", [CARD]),
        ("pay 4024 0071 3456 4847 now", ["4024 0071 3456 4847"]),
        ("pay ４０２４００７１３４５６４８４７ now", ["４０２４００７１３４５６４８４７"]),
        ("é pay 4024\u200b0071\u200b3456\u200b4847 ü", ["4024\u200b0071\u200b3456\u200b4847"]),
        ("to DE26 5001 0517 5260 1815 90, please", ["DE26 5001 0517 5260 1815 90"]),
        ("mein SSN: 536221234 ok", ["536221234"]),
        ("the password is hunter2xyz, ok", ["hunter2xyz"]),
        ("password: 'correct horse 9'!", ["correct horse 9"]),
        ('password: "hunter2\\"xyz", and "more"', ['hunter2\\"xyz']),
        ('the password is "hunter2"xyz" ok', ['hunter2"xyz']),
        ("AKIAQYLPMN5HHHFPZAM2.txt", ["AKIAQYLPMN5HHHFPZAM2"]),
        ("Authorization: Bearer abcdEFGH0123456789ijkl end", ["abcdEFGH0123456789ijkl"]),
        ("api_key = zK9mQ2xW7vB4nT8pL5rD and", ["zK9mQ2xW7vB4nT8pL5rD"]),
        ("postgres://ann:s3cretpw@db/x", ["ann:s3cretpw"]),
        (f"my key\n{KEY}\nbye", [KEY]),
        ("about project falcon and project falcon", ["project falcon", "project falcon"]),
        (f"{CARD} and {CARD}", [CARD, CARD]),
    ],
)
def test_a_value_is_found_whole_and_without_its_neighbours(text: str, values: list[str]) -> None:
    assert [text[start:end] for start, end, _ in sorted(FINDER.spans(text))] == values


def test_a_member_s_name_can_give_its_value_away() -> None:
    assert FINDER.spans("hunter2xyz") == []
    assert FINDER.member("password", "hunter2xyz") == [(0, 10, "PASSWORD")]


EXTRA = Detectors(LabelSettings(identifiers=True, phone_regions=("DE",)), load=importlib.import_module)


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("PESEL: 44051401359, ok", "44051401359", "PL_PESEL"),
        ("hetu 131052-308T.", "131052-308T", "FI_HETU"),
        ("T.C. Kimlik No: 17291716060 evet", "17291716060", "TR_KIMLIK"),
        ("ring me at +49 30 901820, please", "+49 30 901820", "PHONE"),
        ("Telefon: 030 901820", "030 901820", "PHONE"),
        ("é tel. ＋４９ ３０ ９０１８２０!", "＋４９ ３０ ９０１８２０", "PHONE"),
    ],
)
def test_of_a_number_that_a_word_names_only_the_number_is_the_value(text: str, value: str, kind: str) -> None:
    ((start, end, named),) = Finder(EXTRA).spans(text)
    assert (text[start:end], named) == (value, kind)


@pytest.mark.parametrize("text", ["+49 30 901820\n" * (national.MOST + 1), "pay 4024007134564847"])
def test_a_search_that_breaks_off_places_nothing_and_says_so(text: str) -> None:
    late = iter([0.0, *[9.0] * 9])
    with pytest.raises(Unplaced, match="broke off"):
        Finder(EXTRA if "+" in text else Detectors(LabelSettings(), clock=lambda: next(late))).spans(text)


def test_a_check_that_breaks_places_nothing_and_says_so() -> None:
    class Broken:
        SUPPORTED_REGIONS = frozenset({"DE"})

    broken = Detectors(LabelSettings(identifiers=True), load=lambda _name: Broken())
    with pytest.raises(Unplaced, match="broke off"):
        Finder(broken).spans("call +49 30 901820")


def test_a_text_of_an_earlier_turn_is_not_searched_again() -> None:
    detectors = Detectors(LabelSettings())
    text = f"pay {CARD} " + "and so on " * 40
    first = Finder(detectors).spans(text)
    examined = detectors.examined_chars
    assert Finder(detectors).spans(text) == first
    assert detectors.examined_chars == examined > 0


def test_a_pattern_of_the_user_s_own_does_not_tell_its_name() -> None:
    assert FINDER.spans("project falcon")[0][2] == "VALUE"


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [CARD, "4024 0071\u200b 3456 4847", " ", "e\u0301", "4\u0301", "\u200b", "한", "각", "ｶﾞ", "½"]
            ),
            st.text(max_size=3),
        ),
        max_size=8,
    )
)
def test_a_place_holds_what_was_found_there(parts: list[str]) -> None:
    text = "".join(parts)
    try:
        found = FINDER.spans(text)
    except Unplaced:
        return
    matches = DETECTORS_IN_FORCE.matches(text) or []
    for (start, end, _), (_, first, last) in zip(found, matches, strict=True):
        assert fold(text)[first:last] in fold(text[start:end])
        assert len(text[start:end]) <= last - first + 24  # marks and what nobody sees; never the text around it
