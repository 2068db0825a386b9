"""What a text can be read as, and that reading costs no more than its length allows."""

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.policy.readings import fold, readings

SECRET = "the number is 4539 1488 0343 6467, keep it"
B64 = base64.b64encode(SECRET.encode()).decode()
READABLE = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Cn", "Co")), min_size=12, max_size=80)


@pytest.mark.parametrize(
    "text",
    [
        urllib.parse.quote(SECRET),
        urllib.parse.quote_plus(SECRET),
        json.dumps({"a": f"x\n{SECRET}"}),
        "".join(f"\\u{ord(char):04x}" for char in SECRET),
        "".join(f"\\x{ord(char):02x}" for char in SECRET),
        "".join(f"&#x{ord(char):x};" for char in SECRET),
        SECRET.replace(" ", "&nbsp;"),
        B64,
        B64.rstrip("="),
        f'{{"data": "{B64}"}}',
        f"https://x.example/a/{B64}",
        f"token_{B64}",
        base64.encodebytes((SECRET * 4).encode()).decode(),
        SECRET.encode().hex(),
        json.dumps({"a": json.dumps({"b": f"\n{SECRET}"})}),
        base64.b64encode(json.dumps({"a": f"\n{SECRET}"}).encode()).decode(),
        base64.b64encode(B64.encode()).decode(),
    ],
)
def test_what_was_coded_is_read(text: str) -> None:
    assert b"4539 1488 0343 6467" in readings(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        SECRET,
        "9fceb02d0ae598e95dc970b74767f19372d61af8",
        "a_rather_long_name_of_a_function",
        "x = 100 % 7",
    ],
)
def test_what_was_not_coded_is_read_as_it_stands(text: str) -> None:
    assert readings(text) == text.encode()


@given(st.text(max_size=300))
def test_the_text_itself_is_always_among_its_readings(text: str) -> None:
    assert readings(text).startswith(fold(text))


@given(READABLE)
def test_any_text_in_base64_is_read(text: str) -> None:
    coded = base64.b64encode(text.encode()).decode()
    assert fold(text).strip() in readings(f"see {coded} there") or len(coded) < 16


@given(st.text("%\\u0123456789abcdefABCDEFxn+&#; \nQUJD/_-=", max_size=400))
def test_readings_stay_within_their_share_of_the_text(text: str) -> None:
    assert len(readings(text)) <= 8 * len(fold(text)) + 16


def test_a_phrase_in_one_character_does_not_make_the_text_longer() -> None:
    """Its plain form is eleven times as long: 4 MiB of it took three seconds."""
    text = "\ufdfa" * 1000 + " 4111"
    assert len(fold(text)) < 2 * len(text)
    assert b"4111" in fold(text)


def test_a_character_with_a_number_of_very_many_digits_is_none_or_the_one_that_it_means() -> None:
    assert b"A7" in readings("&#" + "0" * 5000 + "65;7")
    assert b"\xef\xbf\xbd y A" in readings("x &#" + "2" * 5000 + "; y &#65;")
