"""Identifiers and secrets that pass every check and belong to nobody that we know of: drawn, not collected.

Written from the public rules of each issuer, without a line of `tierwise.policy`, so that an error there shows here.
"""

import base64
import json
import string
from collections.abc import Callable
from random import Random

DIGITS = string.digits
UPPER = string.ascii_uppercase
ALNUM = string.ascii_letters + DIGITS


def draw(r: Random, count: int, alphabet: str = DIGITS) -> str:
    return "".join(r.choice(alphabet) for _ in range(count))


def completed(head: str, tail: str, check: Callable[[str], bool], alphabet: str = DIGITS) -> str:
    """The one character between head and tail with which the check passes."""
    (found,) = (head + char + tail for char in alphabet if check(head + char + tail))
    return found


# check sums


def luhn(number: str) -> bool:
    doubled = [int(char) * (1 + place % 2) for place, char in enumerate(reversed(number))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def mod97(text: str) -> int:
    return int("".join(str(int(char, 36)) for char in text)) % 97


def verhoeff(number: str) -> bool:
    """Verhoeff by its definition: the dihedral group of order ten and powers of one permutation."""

    def times(a: int, b: int) -> int:
        if a < 5:
            return (a + b) % 5 if b < 5 else 5 + (a + b - 5) % 5
        return 5 + (a - 5 - b) % 5 if b < 5 else (a - b) % 5

    step, check = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), 0
    for place, char in enumerate(reversed(number)):
        value = int(char)
        for _ in range(place % 8):
            value = step[value]
        check = times(check, value)
    return check == 0


def weighted(number: str, weights: tuple[int, ...]) -> int:
    return sum(weight * int(char) for weight, char in zip(weights, number, strict=True))


# identifiers, as compact as they can be written

CARD_HEADS = (
    ("4539", 16),
    ("5412", 16),
    ("2230", 16),
    ("3712", 15),
    ("3621", 14),
    ("6512", 16),
    ("3541", 16),
    ("6212", 16),
)


def card(r: Random) -> str:
    head, length = r.choice(CARD_HEADS)
    return completed(head + draw(r, length - len(head) - 1), "", luhn)


IBANS = {"DE": "8d10d", "GB": "4a14d", "FR": "10d11c2d", "ES": "20d", "IT": "1a10d12c", "NL": "4a10d", "PL": "24d",
         "CH": "5d12c", "NO": "11d", "BE": "12d", "AT": "16d", "SE": "20d", "PT": "21d", "MT": "4a5d18c"}  # fmt: skip


def iban(r: Random) -> str:
    country = r.choice(sorted(IBANS))
    bban, count = "", ""
    for char in IBANS[country]:
        if char.isdigit():
            count += char
            continue
        bban += draw(r, int(count), {"d": DIGITS, "a": UPPER, "c": UPPER + DIGITS}[char])
        count = ""
    return f"{country}{98 - mod97(bban + country + '00'):02}{bban}"


def us_ssn(r: Random) -> str:
    area = r.choice([n for n in range(130, 772) if n != 666])
    return f"{area:03}{r.randrange(1, 100):02}{r.randrange(1, 10_000):04}"


def uk_nino(r: Random) -> str:
    return r.choice(["JG", "AB", "CE", "HJ", "LM", "PR", "SK", "WZ", "YA"]) + draw(r, 6) + r.choice("ABCD")


def es_dni(r: Random) -> str:
    number, head = r.randrange(1_000_000, 10_000_000), r.choice(["", "X", "Y", "Z"])
    if head:
        return f"{head}{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[('XYZ'.index(head) * 10_000_000 + number) % 23]}"
    number += 10_000_000 * r.randrange(1, 9)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


_CF_ODD = dict(zip(DIGITS, (1, 0, 5, 7, 9, 13, 15, 17, 19, 21), strict=True)) | dict(
    zip(UPPER, (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23), strict=True)
)  # fmt: skip


def it_codice_fiscale(r: Random) -> str:
    consonants = "BCDFGLMNPRSTV"
    day = r.randrange(1, 32) + r.choice([0, 40])
    head = (
        draw(r, 6, consonants)
        + draw(r, 2)
        + r.choice("ABCDEHLMPRST")
        + f"{day:02}"
        + r.choice("ABCDEFGHIL")
        + draw(r, 3)
    )
    total = sum(_CF_ODD[char] for char in head[::2])
    total += sum(int(char) if char.isdigit() else UPPER.index(char) for char in head[1::2])
    return head + UPPER[total % 26]


def fr_nir(r: Random) -> str:
    department = r.choice([f"{n:02}" for n in range(1, 96) if n != 20] + ["2A", "2B"])
    head = f"{r.choice('12')}{draw(r, 2)}{r.randrange(1, 13):02}{department}{r.randrange(1, 990):03}{r.randrange(1, 999):03}"
    return head + f"{97 - int(head.replace('2A', '19').replace('2B', '18')) % 97:02}"


def de_steuer_id(r: Random) -> str:
    kinds = r.sample(DIGITS, 9)
    while True:
        ten = [*kinds, kinds[0]]
        r.shuffle(ten)
        if ten[0] != "0":
            break
    product = 10
    for char in ten:
        product = ((int(char) + product) % 10 or 10) * 2 % 11
    return "".join(ten) + str((11 - product) % 10)


def nl_bsn(r: Random) -> str:
    while True:
        head = r.choice("123456789") + draw(r, 7)
        rest = weighted(head, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
        if rest < 10:
            return head + str(rest)


def br_cpf(r: Random) -> str:
    number = draw(r, 9)
    for length in (9, 10):
        number += str(weighted(number, tuple(range(length + 1, 1, -1))) * 10 % 11 % 10)
    return number


def in_aadhaar(r: Random) -> str:
    return completed(r.choice("3456789") + draw(r, 10), "", verhoeff)


def cn_resident_id(r: Random) -> str:
    head = r.choice(["110105", "310104", "440305", "510107"]) + f"{r.randrange(1950, 2010)}{r.randrange(1, 13):02}"
    head += f"{r.randrange(1, 29):02}{draw(r, 3)}"
    return head + "10X98765432"[weighted(head, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11]


# kind: (how to draw it, sizes of its groups, what stands between them, the word it is called by)
Identifier = tuple[Callable[[Random], str], tuple[int, ...], str, str]
IDENTIFIERS: dict[str, Identifier] = {
    "card": (card, (4, 4, 4, 7), " ", ""),
    "iban": (iban, (4,) * 9, " ", "IBAN"),
    "us_ssn": (us_ssn, (3, 2, 4), "-", "SSN"),
    "uk_nino": (uk_nino, (2, 2, 2, 2, 1), " ", "National Insurance"),
    "es_dni": (es_dni, (8, 1), "-", "DNI"),
    "it_codice_fiscale": (it_codice_fiscale, (3, 3, 5, 5), " ", "codice fiscale"),
    "fr_nir": (fr_nir, (1, 2, 2, 2, 3, 3, 2), " ", "NIR"),
    "de_steuer_id": (de_steuer_id, (2, 3, 3, 3), " ", "Steuer-ID"),
    "nl_bsn": (nl_bsn, (4, 2, 3), ".", "BSN"),
    "br_cpf": (br_cpf, (3, 3, 3, 2), "", "CPF"),
    "in_aadhaar": (in_aadhaar, (4, 4, 4), " ", "Aadhaar"),
    "cn_resident_id": (cn_resident_id, (18,), "", "身份证"),
}
NAMED_WHEN_COMPACT = frozenset({"us_ssn", "nl_bsn", "br_cpf", "in_aadhaar"})
"""Nine or twelve bare digits with a weak check are every other order number: they count only where they are named."""


def groups(kind: str, number: str) -> list[str]:
    sizes = (4, 6, 5) if kind == "card" and len(number) == 15 else IDENTIFIERS[kind][1]
    if kind == "es_dni" and not number[0].isdigit():
        sizes = (1, 7, 1)
    if kind == "card" and len(number) == 14:
        sizes = (4, 6, 4)
    if kind == "card" and len(number) == 13:
        sizes = (4, 3, 3, 3)
    found, place = [], 0
    for size in sizes:
        found.append(number[place : place + size])
        place += size
    return [group for group in found if group]


def written(kind: str, number: str) -> str:
    """The number as people write it."""
    if kind == "br_cpf":
        return f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"
    return IDENTIFIERS[kind][2].join(groups(kind, number))


def spoiled(kind: str, number: str, r: Random) -> str:
    """The same shape with a wrong check digit; where there is none, a number that is never issued."""
    if kind == "us_ssn":
        return r.choice(["000", "666", "900"]) + number[3:]
    if kind == "uk_nino":
        return r.choice(["BG", "GB", "NK", "ZZ", "QQ"]) + number[2:]
    last = max(place for place, char in enumerate(number) if char.isdigit())
    if kind == "cn_resident_id":
        last = 16
    return number[:last] + str((int(number[last]) + r.randrange(1, 10)) % 10) + number[last + 1 :]


# secrets: the shapes that issuers publish


def _b64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def jwt(r: Random) -> str:
    head = _b64({"alg": r.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"})
    return f"{head}.{_b64({'sub': draw(r, 8), 'iat': r.randrange(10**9, 2 * 10**9)})}.{draw(r, 43, ALNUM)}"


def private_key(r: Random) -> str:
    kind = r.choice(["RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", ""])
    body = "\n".join(draw(r, 64, ALNUM + "+/") for _ in range(4))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


def mixed(r: Random, count: int, alphabet: str = ALNUM) -> str:
    """Random characters with at least three digits among them, as keys of this length have."""
    while True:
        text = draw(r, count, alphabet)
        if sum(char.isdigit() for char in text) >= 3 and any(char.isalpha() for char in text):
            return text


# Written in pieces, so that no scanner of repositories takes this file for a leak.
SECRETS: dict[str, tuple[Callable[[Random], str], ...]] = {
    "private_key": (private_key,),
    "cloud_key": (
        lambda r: "AK" + "IA" + draw(r, 16, UPPER + "234567"),
        lambda r: "AS" + "IA" + draw(r, 16, UPPER + "234567"),
        lambda r: "AI" + "za" + mixed(r, 35),
    ),
    "forge_token": (
        lambda r: r.choice(["ghp", "gho", "ghu", "ghs"]) + "_" + mixed(r, 36),
        lambda r: "github" + "_pat_" + mixed(r, 22) + "_" + mixed(r, 59),
        lambda r: "glp" + "at-" + mixed(r, 20),
        lambda r: "np" + "m_" + mixed(r, 36),
    ),
    "chat_token": (lambda r: r.choice(["xoxb", "xoxp"]) + f"-{draw(r, 12)}-{draw(r, 12)}-{mixed(r, 24)}",),
    "payment_key": (lambda r: r.choice(["sk", "rk"]) + "_live_" + mixed(r, 24), lambda r: "whs" + "ec_" + mixed(r, 32)),
    "model_key": (lambda r: "sk" + "-proj-" + mixed(r, 48), lambda r: "sk" + "-ant-api03-" + mixed(r, 80)),
    "jwt": (jwt,),
    "bearer": (lambda r: "Authorization: Bearer " + mixed(r, 40), lambda r: "authorization: Basic " + mixed(r, 28)),
    "secret_value": (
        lambda r: "API_KEY=" + mixed(r, 32),
        lambda r: f'"client_secret": "{mixed(r, 40)}"',
        lambda r: "aws_secret_access_key = " + mixed(r, 40, ALNUM + "+/"),
        lambda r: "export DEPLOY_TOKEN='" + mixed(r, 24, "0123456789abcdef") + "'",
    ),
    "url_password": (
        lambda r: f"postgres://app:{mixed(r, 14)}@db.{draw(r, 6, string.ascii_lowercase)}.net:5432/main",
        lambda r: f"https://deploy:{mixed(r, 20)}@git.{draw(r, 5, string.ascii_lowercase)}.org/x.git",
    ),
    "password": (
        lambda r: "password: " + mixed(r, 10, ALNUM + "!#%+"),
        lambda r: 'password = "' + mixed(r, 12) + '"',
        lambda r: "DB_PASSWORD=" + mixed(r, 16),
        lambda r: "Passwort: " + mixed(r, 9),
        lambda r: "contraseña: " + mixed(r, 11),
        lambda r: "mot de passe : " + mixed(r, 10),
        lambda r: "пароль: " + mixed(r, 10),
        lambda r: "密码:" + mixed(r, 10),
    ),
}  # fmt: skip
