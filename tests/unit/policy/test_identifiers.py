"""Check digits and shapes against published examples, and against single-digit errors."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tierwise.policy.identifiers as ids

Check = Callable[[bytes, int, int], bool]

# Drawn by `tests.detectors.numbers`, which knows the public rules by itself; the printed examples are no hits.
VALID: list[tuple[Check, list[str]]] = [
    (ids.card, ["4539148803436467", "4539 1488 0343 6467", "4539-1488-0343-6467", "3714 496353 98449"]),
    (ids.iban, ["GB40FEIC54990951454752", "AT03 0332 2453 8323 6405", "it46p2040560865ya2clmhp3w6w"]),
    (ids.us_ssn, ["536-22-1234", "219 09 9998"]),
    (ids.uk_nino, ["AB358952C", "LM 81 45 42 A"]),
    (ids.es_dni, ["53928441L", "X1533959C", "Y-6768558-V"]),
    (ids.it_codice_fiscale, ["SBVNLF29C05G126W", "bmg dnr 28m12 h574k"]),
    (ids.fr_nir, ["215127260268013", "2 58 12 05 685 288 42"]),
    (ids.de_steuer_id, ["61073854207", "70 963 580 141", "57981290363"]),
    (ids.nl_bsn, ["985945266", "798572292"]),
    (ids.br_cpf, ["966.637.476-57", "629.944.746-03"]),
    (ids.in_aadhaar, ["3547 4270 1971", "440260788439"]),
    (ids.cn_resident_id, ["44030519960901755X", "110105195103104853"]),
]


@pytest.mark.parametrize(("check", "text"), [(check, text) for check, texts in VALID for text in texts])
def test_real_numbers_pass(check: Check, text: str) -> None:
    data = text.encode()
    assert check(data, 0, len(data))
    framed = b"number: " + data + b", thanks"
    assert check(framed, 8, 8 + len(data))


@pytest.mark.parametrize(
    ("check", "text"),
    [
        *((check, text) for check, texts in VALID for text in texts if check not in (ids.us_ssn, ids.uk_nino)),
    ],
)
def test_one_wrong_digit_is_rejected(check: Check, text: str) -> None:
    last = max(place for place, char in enumerate(text) if char.isdigit())
    for step in range(1, 10):
        wrong = text[:last] + str((int(text[last]) + step) % 10) + text[last + 1 :]
        assert not check(wrong.encode(), 0, len(wrong))


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (ids.us_ssn, "000-12-3456"),
        (ids.us_ssn, "666-12-3456"),
        (ids.us_ssn, "900-12-3456"),
        (ids.us_ssn, "536-00-1234"),
        (ids.us_ssn, "536-22-0000"),
        (ids.us_ssn, "078-05-1120"),
        (ids.uk_nino, "QQ123456C"),
        (ids.uk_nino, "GB123456C"),
        (ids.cn_resident_id, "110105194913310020"),
        (ids.in_aadhaar, "2018 2019 2020"),
        (ids.iban, "ZZ82WEST12345698765432"),
        (ids.iban, "GB40FEIC549909514547521"),
        (ids.card, "1539148803436467"),
        (ids.card, "4111111111111111"),
        (ids.card, "4242 4242 4242 4242"),
        (ids.card, "4000 0000 0000 9995"),
        (ids.card, "0.4539148803436467"),
        (ids.card, "4716-446655440000"),
    ],
)
def test_what_cannot_have_been_issued_is_rejected(check: Check, text: str) -> None:
    assert not check(text.encode(), 0, len(text))


@pytest.mark.parametrize(("check", "text"), [(check, texts[0]) for check, texts in VALID])
def test_a_number_inside_a_word_is_no_identifier(check: Check, text: str) -> None:
    data = text.encode() + b"f"
    assert not check(data, 0, len(data) - 1)


def test_known_test_cards_are_told_apart() -> None:
    for text in (b"4111 1111 1111 1111", b"5555555555554444", b"378282246310005"):
        assert ids.test_card(text, 0, len(text))
        assert not ids.card(text, 0, len(text))
    assert not ids.test_card(b"4539148803436467", 0, 16)


def test_a_card_is_found_beside_other_groups() -> None:
    for text in ("2026-10-01 4539 1488 0343 6467", "4539148803436467 12 2029", "12 345 4539 1488 0343 6467"):
        assert ids.card(text.encode(), 0, len(text)), text


@pytest.mark.parametrize(
    ("text", "found"),
    [("A0 4539 1488 0343 6467", True), ("4539 1488 0343 6467 12b", True), ("A4539148803436467", False),
     ("4539 1488 0343 6467b", False), ("x1", False)],
)  # fmt: skip
def test_only_the_group_that_a_letter_touches_is_left_out(text: str, found: bool) -> None:
    start = text.index(next(filter(str.isdigit, text)))
    end = len(text.rstrip("b"))
    assert ids.card(text.encode(), start, end) is found


def test_a_run_of_too_many_groups_counts_as_a_card() -> None:
    run = b"123 " * (ids.MAX_GROUPS + 1)
    assert ids.card(run, 0, len(run) - 1)


def doubled(digit: int) -> int:
    return digit * 2 - 9 if digit > 4 else digit * 2


@given(st.text("0123456789", min_size=1, max_size=24))
def test_luhn_agrees_with_the_rule_written_out(number: str) -> None:
    total = 0
    for place, char in enumerate(reversed(number)):
        total += doubled(int(char)) if place % 2 else int(char)
    assert ids.luhn(number.encode()) == (total % 10 == 0)


@given(st.binary(max_size=60), st.integers(0, 60), st.sampled_from([ids.card, ids.test_card, ids.iban]))
def test_any_bytes_are_judged_without_an_error(data: bytes, start: int, check: Check) -> None:
    start = min(start, len(data))
    assert check(data, start, len(data)) in (True, False)
