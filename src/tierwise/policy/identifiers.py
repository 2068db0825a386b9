"""Is this run of characters a real identifier? Shapes and check digits, each against `data[start:end]`.

Does not know labels. Bytes are folded UTF-8 (see `detect`), so digits are ASCII and separators are ` `, `.` or `-`.
Invariant: a number embedded in a longer word or number is not an identifier, so hashes and logs stay clean.
Sources: ISO/IEC 7812 and 7064, ISO 13616 (IBAN registry), and the public rules of each country's issuer.
"""

import datetime
import itertools
import re
from collections.abc import Callable

from tierwise.policy.fixtures import FIXTURES, TEST_BIN, TEST_CARDS

MAX_GROUPS = 256
"""Groups of one digit run that are tried as a card number; a longer run counts as one (fail closed)."""


def digits(data: bytes) -> bytes:
    """Return only the ASCII digits."""
    return bytes(byte for byte in data if 48 <= byte <= 57)


def alone(data: bytes, start: int, end: int) -> bool:
    """True if nothing alphanumeric touches the span, nor a digit across a `.` or `-` (then it is a part of more)."""
    if start and data[start - 1 : start].isalnum():
        return False
    if data[end : end + 1].isalnum():
        return False
    if start > 1 and data[start - 1 : start] in (b".", b"-") and data[start - 2 : start - 1].isdigit():
        return False
    return not (data[end : end + 1] in (b".", b"-") and data[end + 1 : end + 2].isdigit())


def in_a_row(data: bytes, start: int, end: int, words: re.Pattern[bytes]) -> bool:
    """Say whether the span is one of a row of values that neither its surroundings nor the first line calls by name."""
    before = data[max(0, start - 2) : start]
    if before[-1:] not in (b",", b";", b"(", b"[", b"\t") and before not in (b", ", b"; "):
        return False
    around = data[max(0, start - 64) : end + 64] + data[: data.find(b"\n") + 1][:512]
    return data[end : end + 1] in (b",", b";", b")", b"]", b"\t", b"\n", b"\\", b"") and not words.search(around)


# Payment cards

_DOUBLED = bytes.maketrans(b"0123456789", bytes([0, 2, 4, 6, 8, 1, 3, 5, 7, 9]))
_PLAIN = bytes.maketrans(b"0123456789", bytes(range(10)))

# Lowest prefix, highest prefix, lengths: the issuer ranges in use in 2026.
_ISSUERS: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (34, 34, (15,)),
    (37, 37, (15,)),
    (36, 36, (14, 16)),
    (38, 39, (14, 16)),
    (300, 305, (14, 16)),
    (3095, 3095, (14, 16)),
    (3528, 3589, (16, 17, 18, 19)),
    (4, 4, (13, 16, 19)),
    (51, 55, (16,)),
    (2221, 2720, (16,)),
    (2200, 2204, (16, 17, 18, 19)),
    (60, 60, (16, 17, 18, 19)),
    (62, 62, (16, 17, 18, 19)),
    (644, 659, (16, 17, 18, 19)),
    (81, 82, (16, 17, 18, 19)),
    (508, 508, (16,)),
    (5018, 5018, tuple(range(13, 20))),
    (5020, 5020, tuple(range(13, 20))),
    (5038, 5038, tuple(range(13, 20))),
    (5893, 5893, tuple(range(13, 20))),
    (6304, 6304, tuple(range(13, 20))),
    (6759, 6759, tuple(range(13, 20))),
    (6761, 6763, tuple(range(13, 20))),
    (9792, 9792, (16,)),
)


def luhn(number: bytes) -> bool:
    """True if the ASCII digits pass the Luhn check (ISO/IEC 7812-1, annex B)."""
    return (sum(number[-1::-2].translate(_PLAIN)) + sum(number[-2::-2].translate(_DOUBLED))) % 10 == 0


_LENGTHS = {b"%d" % prefix: lengths for low, high, lengths in _ISSUERS for prefix in range(low, high + 1)}


def _issued(number: bytes) -> bool:
    return any(len(number) in _LENGTHS.get(number[:size], ()) for size in (1, 2, 3, 4))


def _is_test(number: bytes) -> bool:
    return number in TEST_CARDS or (number.startswith(TEST_BIN) and luhn(number))


def _is_card(number: bytes) -> bool:
    return _issued(number) and luhn(number) and len(set(number)) > 1 and not _is_test(number)


_GROUP = re.compile(rb"[0-9]+")
_CARD_WORD = re.compile(
    r"(?i)card|karte|carte|tarjeta|carta|kaart|cart[aã]o|kart[aiıęy]|\bkort|карт|卡|カード|कार्ड|بطاق|\bpan\b|visa|maestro".encode()
)
_NEAR_BYTES = 48


def card(data: bytes, start: int, end: int) -> bool:
    """True if a payment card number stands in this run of digits: one group, groups of 3 to 8, or spaced digits."""
    return _card_in(data, start, end, _is_card)


def test_card(data: bytes, start: int, end: int) -> bool:
    """True if a card number that documentation or a payment sandbox prints stands in this run of digits."""
    return _card_in(data, start, end, _is_test)


def _card_in(data: bytes, start: int, end: int, accept: Callable[[bytes], bool]) -> bool:
    groups = [match.span() for match in itertools.islice(_GROUP.finditer(data, start, end), MAX_GROUPS + 1)]
    if len(groups) > MAX_GROUPS:
        return True
    # A group that a letter touches belongs to a name, such as A0; those beside it need not.
    first = 1 if start and data[start - 1 : start].isalpha() else 0
    groups = groups[first : len(groups) - (1 if data[end : end + 1].isalpha() else 0)]
    if not groups:
        return False
    if all(right - left <= 2 for left, right in groups):
        number = digits(data[groups[0][0] : groups[-1][1]])
        return 13 <= len(number) <= 19 and accept(number)
    return any(_card_from(data, groups[first : first + 7], accept) for first in range(len(groups)))


# What a program counts, or one of a list of numbers of another length.
_COUNTED = re.compile(
    rb"(?i)(?:(?:offset|trace|span|nonce|seq|ticks?|nanos|timestamp)(?:_?id)?[\"']?[ :=]{1,3}"
    rb"|(?<![0-9])[0-9]{7,14}, )\Z"
)
_DUMP = re.compile(rb"(?:\b[0-9a-f]{4} ){5}[0-9a-f]{4}\b")


def dumped(data: bytes, start: int, end: int) -> bool:
    """Say whether the span stands in a hexadecimal dump: many groups of four, letters among them."""
    around = data[max(0, start - 30) : end + 30]
    found = _DUMP.search(around)
    return found is not None and not found[0].replace(b" ", b"").isdigit()


def _named(data: bytes, left: int, right: int) -> bool:
    """Say whether a card is spoken of nearby: 13, 14 (barcodes) and 17 to 19 digits (ids, clocks) pass by chance."""
    return _CARD_WORD.search(data[max(0, left - _NEAR_BYTES) : right + _NEAR_BYTES]) is not None


def _card_from(data: bytes, groups: list[tuple[int, int]], accept: Callable[[bytes], bool]) -> bool:
    left, right = groups[0]
    if left > 1 and data[left - 1 : left] == b"." and data[left - 2 : left - 1].isdigit() and right - left > 7:
        return False  # the fraction of a decimal number
    number = data[left:right]
    if 13 <= len(number) <= 19 and accept(number):
        if 15 <= len(number) <= 16 and not _COUNTED.search(data[max(0, left - 24) : left]):
            return True
        if _named(data, left, right):
            return True
    if len(number) not in (4, 6, 8):
        return False  # no issuer prints another first group
    for left, right in groups[1:]:
        number += data[left:right]
        if not 3 <= right - left <= 8 or len(number) > 19:
            return False
        if len(number) >= 13 and accept(number) and not dumped(data, left, right):
            return True
    return False


# Bank accounts

_IBAN_LENGTHS = {
    **{b"AD": 24, b"AE": 23, b"AL": 28, b"AT": 20, b"AZ": 28, b"BA": 20, b"BE": 16, b"BG": 22, b"BH": 22, b"BI": 27},
    **{b"BR": 29, b"BY": 28, b"CH": 21, b"CR": 22, b"CY": 28, b"CZ": 24, b"DE": 22, b"DJ": 27, b"DK": 18, b"DO": 28},
    **{b"EE": 20, b"EG": 29, b"ES": 24, b"FI": 18, b"FK": 18, b"FO": 18, b"FR": 27, b"GB": 22, b"GE": 22, b"GI": 23},
    **{b"GL": 18, b"GR": 27, b"GT": 28, b"HN": 28, b"HR": 21, b"HU": 28, b"IE": 22, b"IL": 23, b"IQ": 23, b"IS": 26},
    **{b"IT": 27, b"JO": 30, b"KW": 30, b"KZ": 20, b"LB": 28, b"LC": 32, b"LI": 21, b"LT": 20, b"LU": 20, b"LV": 21},
    **{b"LY": 25, b"MC": 27, b"MD": 24, b"ME": 22, b"MK": 19, b"MN": 20, b"MR": 27, b"MT": 31, b"MU": 30, b"NI": 28},
    **{b"NL": 18, b"NO": 15, b"OM": 23, b"PK": 24, b"PL": 28, b"PS": 29, b"PT": 25, b"QA": 29, b"RO": 24, b"RS": 22},
    **{b"RU": 33, b"SA": 24, b"SC": 31, b"SD": 18, b"SE": 24, b"SI": 19, b"SK": 24, b"SM": 27, b"SO": 23, b"ST": 25},
    **{b"SV": 28, b"TL": 23, b"TN": 24, b"TR": 26, b"UA": 29, b"VA": 22, b"VG": 24, b"XK": 20, b"YE": 30},
}


def iban(data: bytes, start: int, _end: int) -> bool:
    """True if an IBAN of its country's length begins here and passes ISO 7064 mod 97-10."""
    if (start and data[start - 1 : start].isalnum()) or dumped(data, start, start + 20):
        return False
    if re.search(rb"[0-9a-f]{4}-\Z", data[max(0, start - 5) : start]):
        return False  # the rest of a UUID
    length = _IBAN_LENGTHS.get(data[start : start + 2].upper())
    if length is None:
        return False
    kept = bytearray()
    place = start
    while len(kept) < length and place < min(len(data), start + 3 * length):
        byte = data[place : place + 1]
        if byte.isalnum():
            kept += byte
        elif byte not in (b" ", b"-", b"."):
            return False
        place += 1
    if len(kept) < length or data[place : place + 1].isalnum():
        return False
    if bytes(kept).upper() in FIXTURES:
        return False
    text = bytes(kept).upper().decode("ascii")
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


# National identifiers


def _compact(data: bytes) -> bytes:
    return data.upper().replace(b" ", b"").replace(b"-", b"")


def us_ssn(data: bytes, start: int, end: int) -> bool:
    """True for a number that the US Social Security Administration can have issued (no check digit exists)."""
    number = digits(data[start:end])
    area = number[:3]
    issued = area not in (b"000", b"666") and area < b"900" and number[3:5] != b"00" and number[5:] != b"0000"
    return issued and number not in FIXTURES and alone(data, start, end)


def uk_nino(data: bytes, start: int, end: int) -> bool:
    """True for a UK National Insurance number with a prefix in use (no check digit exists)."""
    text = re.sub(rb"[^A-Z0-9]", b"", data[start:end].upper())[-9:]
    if text in FIXTURES:
        return False
    prefix = text[:2]
    usable = not set(prefix) & set(b"DFIQUV") and prefix[1:] != b"O"
    return usable and prefix not in (b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ") and alone(data, start, end)


def es_dni(data: bytes, start: int, end: int) -> bool:
    """True for a Spanish DNI or NIE whose letter is the number mod 23."""
    text = re.sub(rb"[^A-Z0-9]", b"", data[start:end].upper())
    if text in FIXTURES:
        return False
    number = int(text[:-1].replace(b"X", b"0").replace(b"Y", b"1").replace(b"Z", b"2"))
    return text[-1] == b"TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] and alone(data, start, end)


_CF_VALUES = "1 0 5 7 9 13 15 17 19 21 1 0 5 7 9 13 15 17 19 21 2 4 18 20 11 3 6 8 12 14 16 10 22 25 24 23"
_CF_ODD = dict(zip(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", map(int, _CF_VALUES.split()), strict=True))


def it_codice_fiscale(data: bytes, start: int, end: int) -> bool:
    """True for an Italian codice fiscale whose last letter checks (decree of 23 December 1976)."""
    text = _compact(data[start:end])
    if text in FIXTURES:
        return False
    total = sum(_CF_ODD[byte] for byte in text[0:15:2])
    total += sum(byte - (48 if byte < 58 else 65) for byte in text[1:15:2])
    return text[15] - 65 == total % 26 and alone(data, start, end)


_NIR_WORD = re.compile(rb"(?i)\bnir\b|s\xc3\xa9cu|secu|insee|assur|social")
_IDNR_WORD = re.compile(rb"(?i)steuer|tax|idnr|id-?nr|\btin\b")


def fr_nir(data: bytes, start: int, end: int) -> bool:
    """True for a French social security number whose key is 97 minus the number mod 97 (2A, 2B: Corsica)."""
    text = _compact(data[start:end])
    if text in FIXTURES:
        return False
    if (
        len(text) == end - start
    ):  # fifteen digits on end: only births in a month of the calendar, and no column of numbers
        born = text[:1] in b"12" and 1 <= int(text[3:5]) <= 12
        if not born or in_a_row(data, start, end, _NIR_WORD):
            return False
    number = text[:13].replace(b"2A", b"19").replace(b"2B", b"18")
    return number.isdigit() and 97 - int(number) % 97 == int(text[13:]) and alone(data, start, end)


def de_steuer_id(data: bytes, start: int, end: int) -> bool:
    """True for a German tax number: one digit two or three times among the first ten, ISO 7064 mod 11,10."""
    number = digits(data[start:end])
    if number in FIXTURES:
        return False
    if len(number) == end - start and in_a_row(data, start, end, _IDNR_WORD):
        return False
    counts = sorted(number[:10].count(byte) for byte in set(number[:10]))
    if counts[-1] not in (2, 3) or counts[-2] != 1 or not alone(data, start, end):
        return False
    product = 10
    for byte in number[:10]:
        total = (byte - 48 + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == number[10] - 48


def nl_bsn(data: bytes, start: int, end: int) -> bool:
    """True for a Dutch citizen service number (weighted sum divisible by 11)."""
    number = digits(data[start:end]).rjust(9, b"0")
    if number in FIXTURES:
        return False
    total = sum((9 - place) * (byte - 48) for place, byte in enumerate(number[:8])) - (number[8] - 48)
    return total % 11 == 0 and number != b"000000000" and not data[end : end + 1].isalnum()


def br_cpf(data: bytes, start: int, end: int) -> bool:
    """True for a Brazilian CPF with both check digits right."""
    number = digits(data[start:end])
    if number in FIXTURES:
        return False
    if len(set(number)) == 1 or not alone(data, start, end):
        return False
    for length in (9, 10):
        total = sum((length + 1 - place) * (byte - 48) for place, byte in enumerate(number[:length]))
        if total * 10 % 11 % 10 != number[length] - 48:
            return False
    return True


_VERHOEFF_D = (
    *((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6)),
    *((3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1)),
    *((6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4)),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_VERHOEFF_P = (
    *((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2)),
    *((8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1)),
    *((2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8)),
)


def in_aadhaar(data: bytes, start: int, end: int) -> bool:
    """True for an Indian Aadhaar number (Verhoeff check), unless it reads as three years."""
    if not alone(data, start, end):
        return False
    if re.match(rb"-[0-9A-Za-z]", data[end : end + 2]) or re.search(
        rb"[0-9A-Za-z]-\Z", data[max(0, start - 2) : start]
    ):
        return False  # the middle of a UUID
    if dumped(data, start, end):
        return False
    if re.match(rb" [0-9]{4}\b", data[end : end + 6]) or re.search(rb"\b[0-9]{4} \Z", data[max(0, start - 6) : start]):
        return False  # a group of a longer number
    number = digits(data[start:end])
    if number in FIXTURES:
        return False
    if all(number[place : place + 2] in (b"19", b"20") for place in (0, 4, 8)):
        return False
    check = 0
    for place, byte in enumerate(reversed(number)):
        check = _VERHOEFF_D[check][_VERHOEFF_P[place % 8][byte - 48]]
    return check == 0


def cn_resident_id(data: bytes, start: int, end: int) -> bool:
    """True for a Chinese resident identity number (GB 11643-1999): province, birth date, ISO 7064 mod 11-2."""
    text = data[start:end].upper()
    if text in FIXTURES:
        return False
    if not (11 <= int(text[:2]) <= 65 or text[:2] in (b"71", b"81", b"82", b"83")) or not alone(data, start, end):
        return False
    if not 1900 <= int(text[6:10]) < 2100:
        return False
    try:
        datetime.date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(weight * (byte - 48) for weight, byte in zip(weights, text[:17], strict=True))
    return text[17] == b"10X98765432"[total % 11]
