"""What do we look for? The built-in detectors, one row each, and the checks that secrets must pass.

Does not know calls or settings. Patterns are RE2 (linear time) and loose; the check has the last word.
Invariant: a detector's name is stable, because configurations and decision records carry it.
"""

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Callable

import msgspec

from tierwise.core.label import Label
from tierwise.policy import identifiers as ids

Check = Callable[[bytes, int, int], bool]


class Detector(msgspec.Struct, frozen=True):
    """One row: `check(data, start, end)` decides on a match; `label` None means off until configured.

    `overlap` true looks for the next candidate one byte after a rejected one, not behind it.
    """

    name: str
    label: Label | None
    pattern: str
    check: Check
    why: str
    overlap: bool = False


# What a value of a secret looks like

_PLACEHOLDER = re.compile(
    rb"(?i)example|sample|dummy|changeme|change[_-]me|placeholder|redacted|your[_-]|my[_-](?:key|token|secret|pass)|"
    rb"insert|x{5,}|\*{3,}|\.{3}|^<|^\$|^%|^\{|^(?:none|null|true|false|undefined|string|test)"
)
_VALUE = re.compile(rb"""(["'`]?)([^\s"'`,;<>]{1,256})""")
_CODE = re.compile(rb"^[A-Za-z_][A-Za-z0-9_]*(?:[.(\[]|$)")


def entropy(text: bytes) -> float:
    """Return Shannon entropy of the byte frequencies, in bits per byte."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def random_looking(value: bytes) -> bool:
    """True for at least 16 bytes that mix digits with letters as generated keys do, and are no placeholder."""
    if len(value) < 16 or _PLACEHOLDER.search(value):
        return False
    return bool(re.search(rb"[0-9]", value) and re.search(rb"[A-Za-z]", value)) and entropy(value) >= 3.0


def _always(_data: bytes, _start: int, _end: int) -> bool:
    return True


def _real(data: bytes, start: int, end: int) -> bool:
    return not _PLACEHOLDER.search(data[start:end]) and not data[max(0, start - 1) : start].isalnum()


def _key(data: bytes, start: int, end: int) -> bool:
    return not data[max(0, start - 1) : start].isalnum() and random_looking(data[start:end])


def _token_after(data: bytes, _start: int, end: int) -> bool:
    value = re.match(rb"[A-Za-z0-9._~+/=\-]{16,512}", data[end : end + 512])
    return value is not None and random_looking(value[0])


def _password(data: bytes, _start: int, end: int) -> bool:
    """True if what follows is a literal and not code, a placeholder or a reference to one."""
    found = _VALUE.match(data, end)
    if found is None:
        return False
    quote, value = found.groups()
    if len(value) < 6 or _PLACEHOLDER.search(value):
        return False
    return bool(quote) or (not _CODE.match(value) or _mixed(value))


def _mixed(value: bytes) -> bool:
    return not re.search(rb"[.(\[]", value) and bool(re.search(rb"[0-9]", value) and re.search(rb"[A-Za-z]", value))


def _url_password(data: bytes, start: int, end: int) -> bool:
    password = data[start:end].rsplit(b":", 1)[1][:-1]
    return len(password) >= 3 and not _PLACEHOLDER.search(password) and password not in (b"password", b"pass", b"pwd")


def _jwt(data: bytes, start: int, end: int) -> bool:
    head = data[start:end].split(b".", 1)[0]
    try:
        return "alg" in json.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        return False


_NATIONAL = Label.CONFIDENTIAL
_SECRET = Label.RESTRICTED
_CARD = r"[0-9](?:[ .\-]{0,2}[0-9]){12,}"

DETECTORS: tuple[Detector, ...] = (
    Detector("card", _NATIONAL, _CARD, ids.card, "payment card: issuer range, length, Luhn"),
    Detector("test_card", None, _CARD, ids.test_card, "card numbers of documentation and sandboxes; off by default"),
    Detector(
        "iban",
        _NATIONAL,
        r"(?i)[A-Z]{2}[0-9]{2}(?:[ .\-]?[A-Z0-9]){11}",
        ids.iban,
        "IBAN: country length, mod 97",
        True,
    ),
    Detector(
        "us_ssn",
        _NATIONAL,
        r"[0-9]{3}[ \-][0-9]{2}[ \-][0-9]{4}|(?i:\bssn|social security)[^0-9\n]{0,24}[0-9]{9}",
        lambda data, start, end: ids.us_ssn(data, end - 11 if data[end - 5 : end - 4] in b" -" else end - 9, end),
        "US Social Security number: areas in use, written 3-2-4 or named",
    ),
    Detector(
        "uk_nino",
        _NATIONAL,
        r"[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]|"
        r"(?i:national insurance|\bnino\b)[^0-9\n]{0,24}(?i:[A-Z]{2}) ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d]",
        ids.uk_nino,
        "UK National Insurance number: prefixes in use",
    ),
    Detector("es_dni", _NATIONAL, r"(?:[0-9]{8}|[XYZ]-?[0-9]{7})[ \-]?[A-Z]", ids.es_dni, "Spanish DNI, NIE: letter"),
    Detector(
        "it_codice_fiscale",
        _NATIONAL,
        r"(?i)[A-Z]{3} ?[A-Z]{3} ?[0-9][0-9L-V][A-EHLMPRST][0-9L-V]{2} ?[A-Z][0-9L-V]{3}[A-Z]",
        ids.it_codice_fiscale,
        "Italian codice fiscale: check letter",
    ),
    Detector(
        "fr_nir",
        _NATIONAL,
        r"[1-478] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?[0-9][0-9ABab] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
        ids.fr_nir,
        "French social security number: key mod 97",
    ),
    Detector(
        "de_steuer_id",
        _NATIONAL,
        r"[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}",
        ids.de_steuer_id,
        "German tax number: digit pattern, mod 11,10",
    ),
    Detector(
        "nl_bsn",
        _NATIONAL,
        r"(?i)(?:\bbsn|burgerservicenummer|sofi-?nummer)[^0-9\n]{0,24}[0-9](?:[ .]?[0-9]){7,8}",
        ids.nl_bsn,
        "Dutch BSN, where named: eleven test",
    ),
    Detector(
        "br_cpf",
        _NATIONAL,
        r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}|(?i:\bcpf)[^0-9\n]{0,24}[0-9](?:[ .\-]?[0-9]){10}",
        ids.br_cpf,
        "Brazilian CPF, written with points or named: two check digits",
    ),
    Detector(
        "in_aadhaar",
        _NATIONAL,
        r"[2-9][0-9]{3}[ \-][0-9]{4}[ \-][0-9]{4}|(?i:aadhaa?r|आधार)[^0-9\n]{0,24}[2-9][0-9]{11}",
        ids.in_aadhaar,
        "Indian Aadhaar, written 4-4-4 or named: Verhoeff",
    ),
    Detector(
        "cn_resident_id", _NATIONAL, r"[1-8][0-9]{16}[0-9Xx]", ids.cn_resident_id, "Chinese resident id: mod 11-2"
    ),
    Detector(
        "private_key", _SECRET, r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY", _always, "PEM or PGP private key block"
    ),
    Detector("cloud_key", _SECRET, r"(?:AKIA|ASIA)[A-Z2-7]{16}|AIza[0-9A-Za-z_\-]{35}", _real, "cloud access key ids"),
    Detector(
        "forge_token",
        _SECRET,
        r"gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22}|glpat-[A-Za-z0-9_\-]{20}|npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_\-]{40}",
        _real,
        "access tokens of code forges and package registries",
    ),
    Detector(
        "chat_token",
        _SECRET,
        r"xox[abeoprs]-[A-Za-z0-9\-]{10}|hooks\.slack\.com/services/T[A-Z0-9]{6}",
        _real,
        "tokens and web hooks of chat services",
    ),
    Detector("payment_key", _SECRET, r"[rs]k_live_[A-Za-z0-9]{16}|whsec_[A-Za-z0-9]{24}", _real, "live payment keys"),
    Detector("model_key", _SECRET, r"sk-[A-Za-z0-9_\-]{20,200}", _key, "keys of model APIs (sk-…)"),
    Detector(
        "jwt",
        _SECRET,
        r"eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8}",
        _jwt,
        "JSON web token, signed",
    ),
    Detector(
        "bearer", _SECRET, r"(?i)\b(?:bearer|basic) +[A-Za-z0-9._~+/=\-]{16}", _token_after, "authorization header"
    ),
    Detector(
        "password",
        _SECRET,
        r"(?i)(?:passw(?:or)?d|passwort|passphrase|\bpwd|contraseña|wachtwoord|mot de passe|пароль|密码)"
        r"[\"']? ?(?:=|:|\bis\b|\bist\b|:=) ?",
        _password,
        "a password with its value",
    ),
    Detector(
        "secret_value",
        _SECRET,
        r"(?i)(?:api[_\-]?key|secret|token|access[_\-]?key|private[_\-]?key|credential)"
        r"[a-z0-9_]{0,16}[\"']? ?(?:=|:|:=) ?[\"']?",
        _token_after,
        "a random value assigned to something called key, secret or token",
    ),
    Detector(
        "url_password",
        _SECRET,
        r"[a-z][a-z0-9+]{1,15}://[^\s/:@\"']{0,64}:[^\s/@\"']{3,128}@",
        _url_password,
        "URL login",
    ),
)
