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
from tierwise.policy.fixtures import EXAMPLE_TOKEN

Check = Callable[[bytes, int, int], bool]


class Detector(msgspec.Struct, frozen=True):
    """One row: `hint` wakes it, `pattern` gives candidates, `check(data, start, end)` decides; `label` None means off.

    All hints run as one automaton over every text, so each must be simple: many exact patterns at once multiply its
    states, and digits at random then cost 1,000 times as much (measured). `overlap` true looks for the next candidate
    one byte after a rejected one, not behind it. `most` limits the candidates of a slow check, 0 as for all. `opens`:
    the match is but the first line of what was found, so to declassify that line declassifies nothing.
    """

    name: str
    label: Label | None
    hint: str
    pattern: str
    check: Check
    why: str
    overlap: bool = False
    most: int = 0
    opens: bool = False


# What a value of a secret looks like

_PLACEHOLDER = re.compile(
    rb"(?i)example|sample|dummy|changeme|change[_-]me|placeholder|redacted|your[_-]|my[_-](?:key|token|secret|pass)|"
    rb"insert|x{5,}|\*{3,}|\.{3}|^<|^\$|^%|^\{|^(?:none|null|true|false|undefined|string|test|hunter2\W*$)"
)
# To the first blank; in quotes, a quote that a letter follows is within, with or without a backslash.
_VALUE = re.compile(rb"""(["'`])((?:[^\s"'`,;<>\\]|\\?["'`](?=[A-Za-z0-9])){1,256})|()([^\s"'`,;<>\\]{1,256})""")
_CODE = re.compile(rb"^[A-Za-z_][A-Za-z0-9_]*(?:[.()\[\]{}:|]|$)")
# What everybody types who needs any password: it guards nothing.
_WEAK = re.compile(
    rb"(?i)\A(?:my|the|your|a|user|test|new|old|bad|wrong|default|super|top)?[_-]?(?:p[a4@]ss(?:w(?:or)?d|phrase|w0rd)?|pwd|"
    rb"passwort|secret|admin|root|letmein|qwerty|welcome|abc|foo|bar|baz|hidden|token|key)[0-9!_.-]{0,6}\Z"
)
# A name and no value: words joined by points or underscores, or a type in camel case.
_NAME = re.compile(
    rb"\A(?:[A-Za-z0-9]{0,16}[._])+[A-Za-z0-9]{0,16}[)\]}]*\Z|\A(?:[A-Z]+[0-9]*)?(?:[A-Z][a-z]{2,})+[0-9]*[)\]}]*\Z"
)
# Where a value is kept and not the value: `env:NAME`, or the name of a variable that says what it holds.
_REFERENCE = re.compile(
    rb"\A(?:env:[A-Z_][A-Z0-9_]{0,63}|(?:[A-Z0-9]{1,16}_){1,6}(?:PASSWORD|PASS|PASSWD|PWD|SECRET|TOKEN|KEY)[0-9]{0,2})\Z"
)


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
    if value is None or not random_looking(value[0]):
        return False
    return data[end - 1 : end] in (b'"', b"'") or not _NAME.match(value[0])


def _password(data: bytes, _start: int, end: int) -> bool:
    """True if what follows is a literal and not code, a placeholder or a reference to one."""
    found = _VALUE.match(data, end)
    if found is None:
        return False
    quote, value = found[1] or b"", found[2] or found[4]
    if len(value) < 6 or _PLACEHOLDER.search(value) or _WEAK.match(value) or _REFERENCE.match(value):
        return False
    code = _CODE.match(value)
    return bool(quote) or code is None or (code.end() == len(value) and value[-1:].isalnum() and _mixed(value))


def _mixed(value: bytes) -> bool:
    return bool(re.search(rb"[0-9]", value) and re.search(rb"[A-Za-z]", value))


def _url_password(data: bytes, start: int, end: int) -> bool:
    password = data[start:end].rsplit(b":", 1)[1][:-1]
    return len(password) >= 3 and not _PLACEHOLDER.search(password) and not _WEAK.match(password)


def _jwt(data: bytes, start: int, end: int) -> bool:
    head, claims, _ = data[start:end].split(b".", 2)
    if claims.startswith(EXAMPLE_TOKEN):
        return False
    try:
        return "alg" in json.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        return False


def _ssn(data: bytes, _start: int, end: int) -> bool:
    return ids.us_ssn(data, end - (11 if data[end - 5 : end - 4] in (b" ", b"-") else 9), end)


_PERSONAL = Label.CONFIDENTIAL
_SECRET = Label.RESTRICTED
_RUN = r"[0-9](?:[ .\-]{0,2}[0-9]){8}"
_CARD = r"[0-9](?:[ .\-]{0,2}[0-9]){12,}"
_SSN = r"\bssn|social security"
_NINO = r"national insurance|\bnino"
_BSN = r"\bbsn|burgerservicenummer|sofi-?nummer"
_AADHAAR = "aadhaa?r|आधार"
_LOGIN_WORDS = r"passw(?:or)?d|passwort|passphrase|\bpwd|contraseña|wachtwoord|mot de passe|пароль|密码"
_KEY_WORDS = r"api[_\-]?key|secret|token|access[_\-]?key|private[_\-]?key|credential"
_CLOUD = r"AKIA|ASIA|AIza"
_FORGE = r"gh[pousr]_|github_pat_|glpat-|npm_|pypi-AgE"
_CHAT = r"xox[abeoprs]-|hooks\.slack\.com"
_PAYMENT = r"[rs]k_live_|whsec_"
_GAP = r"[^0-9\n]{0,24}"

DETECTORS: tuple[Detector, ...] = (
    Detector("card", _PERSONAL, _RUN, _CARD, ids.card, "payment card: issuer range, length, Luhn"),
    Detector("test_card", None, _RUN, _CARD, ids.test_card, "cards of documentation and sandboxes; off by default"),
    Detector(
        name="iban",
        label=_PERSONAL,
        hint=r"(?i)[A-Z]{2}[0-9]{2}[ .\-]?[A-Z0-9]",
        pattern=r"(?i)[A-Z]{2}[0-9]{2}(?:[ .\-]?[A-Z0-9]){11}",
        check=ids.iban,
        why="IBAN: country length, mod 97",
        overlap=True,
    ),
    Detector(
        name="us_ssn",
        label=_PERSONAL,
        hint=f"{_RUN}|(?i:{_SSN})",
        pattern=rf"[0-9]{{3}}[ \-][0-9]{{2}}[ \-][0-9]{{4}}|(?i:{_SSN}){_GAP}[0-9]{{9}}",
        check=_ssn,
        why="US Social Security number: areas in use, written 3-2-4 or named",
    ),
    Detector(
        name="uk_nino",
        label=_PERSONAL,
        hint=f"[A-Z]{{2}} ?[0-9]{{2}}|(?i:{_NINO})",
        pattern=rf"(?:[A-Z]{{2}}|(?i:(?:{_NINO}){_GAP}[A-Z]{{2}}))(?: ?[0-9]{{2}}){{3}} ?[A-Da-d]",
        check=ids.uk_nino,
        why="UK National Insurance number: prefixes in use",
    ),
    Detector(
        name="es_dni",
        label=_PERSONAL,
        hint=r"[0-9]{7}[ \-]?[A-Z0-9]",
        pattern=r"(?:[0-9]{8}|[XYZ][ \-]?[0-9]{7})[ \-]?[A-Z]",
        check=ids.es_dni,
        why="Spanish DNI and NIE: check letter",
    ),
    Detector(
        name="it_codice_fiscale",
        label=_PERSONAL,
        hint=r"(?i)[A-Z]{3}[ \-]?[0-9][0-9L-V][A-Z]",
        pattern=r"(?i)[A-Z]{3}[ \-]?[A-Z]{3}[ \-]?[0-9][0-9L-V][A-EHLMPRST][0-9L-V]{2}[ \-]?[A-Z][0-9L-V]{3}[A-Z]",
        check=ids.it_codice_fiscale,
        why="Italian codice fiscale: check letter",
    ),
    Detector(
        name="fr_nir",
        label=_PERSONAL,
        hint=_RUN + r"|[0-9]{2}[ \-]?2[ABab][ \-]?[0-9]{3}",
        pattern=(
            r"[1-478][ \-]?[0-9]{2}[ \-]?(?:0[1-9]|1[0-2]|[2-9][0-9])[ \-]?(?:[0-9]{2}|2[ABab])[ \-]?[0-9]{3}"
            r"[ \-]?[0-9]{3}[ \-]?[0-9]{2}"
        ),
        check=ids.fr_nir,
        why="French social security number: key mod 97",
    ),
    Detector(
        name="de_steuer_id",
        label=_PERSONAL,
        hint=_RUN,
        pattern=r"[1-9][0-9][ \-]?[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{3}",
        check=ids.de_steuer_id,
        why="German tax number: digit pattern, mod 11,10",
    ),
    Detector(
        name="nl_bsn",
        label=_PERSONAL,
        hint=f"(?i){_BSN}",
        pattern=rf"(?i)(?:{_BSN}){_GAP}[0-9](?:[ .]?[0-9]){{7,8}}",
        check=ids.nl_bsn,
        why="Dutch citizen service number, where named: eleven test",
    ),
    Detector(
        name="br_cpf",
        label=_PERSONAL,
        hint=rf"{_RUN}|(?i:\bcpf)",
        pattern=rf"[0-9]{{3}}\.[0-9]{{3}}\.[0-9]{{3}}-[0-9]{{2}}|(?i:\bcpf){_GAP}[0-9](?:[ .\-]?[0-9]){{10}}",
        check=ids.br_cpf,
        why="Brazilian CPF, written with points or named: two check digits",
    ),
    Detector(
        name="in_aadhaar",
        label=_PERSONAL,
        hint=f"{_RUN}|(?i:{_AADHAAR})",
        pattern=rf"[2-9][0-9]{{3}}[ \-][0-9]{{4}}[ \-][0-9]{{4}}|(?i:{_AADHAAR}){_GAP}[2-9][0-9]{{11}}",
        check=ids.in_aadhaar,
        why="Indian Aadhaar, written 4-4-4 or named: Verhoeff",
    ),
    Detector(
        name="cn_resident_id",
        label=_PERSONAL,
        hint=_RUN,
        pattern=r"[1-8][0-9]{16}[0-9Xx]",
        check=ids.cn_resident_id,
        why="Chinese resident identity number: province, birth date, mod 11-2",
    ),
    Detector(
        name="private_key",
        label=_SECRET,
        hint="PRIVATE KEY",
        pattern=r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY",
        check=_always,
        why="PEM or PGP private key block",
        opens=True,
    ),
    Detector(
        name="cloud_key",
        label=_SECRET,
        hint=_CLOUD,
        pattern=r"(?:AKIA|ASIA)[A-Z2-7]{16}|AIza[0-9A-Za-z_\-]{35}",
        check=_real,
        why="access key ids of clouds (AKIA…, AIza…)",
    ),
    Detector(
        name="forge_token",
        label=_SECRET,
        hint=_FORGE,
        pattern=rf"(?:{_FORGE})[A-Za-z0-9_\-]{{20,255}}",
        check=_key,
        why="tokens of code forges and package registries (ghp_…, glpat-…, npm_…)",
    ),
    Detector(
        name="chat_token",
        label=_SECRET,
        hint=_CHAT,
        pattern=r"xox[abeoprs]-[A-Za-z0-9\-]{10,255}|hooks\.slack\.com/services/T[A-Z0-9]{6}",
        check=_real,
        why="tokens and web hooks of chat services (xoxb-…)",
    ),
    Detector(
        name="payment_key",
        label=_SECRET,
        hint=_PAYMENT,
        pattern=rf"(?:{_PAYMENT})[A-Za-z0-9]{{16,255}}",
        check=_real,
        why="live keys of payment services (sk_live_…)",
    ),
    Detector(
        name="model_key",
        label=_SECRET,
        hint=r"sk-[A-Za-z0-9_\-]{4}",
        pattern=r"sk-[A-Za-z0-9_\-]{20,255}",
        check=_key,
        why="keys of model services (sk-…)",
    ),
    Detector(
        name="jwt",
        label=_SECRET,
        hint="eyJ",
        pattern=r"eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8}",
        check=_jwt,
        why="signed JSON web token",
    ),
    Detector(
        name="bearer",
        label=_SECRET,
        hint="(?i)bearer |basic ",
        pattern=r"(?i)\b(?:bearer|basic) +",
        check=_token_after,
        why="authorization header with its value",
    ),
    Detector(
        name="password",
        label=_SECRET,
        hint=f"(?i){_LOGIN_WORDS}",
        pattern=rf"""(?i)(?:{_LOGIN_WORDS})["']? ?(?::=|=|:|is\b|ist\b) ?""",
        check=_password,
        why="a password with its value",
    ),
    Detector(
        name="secret_value",
        label=_SECRET,
        hint=f"(?i){_KEY_WORDS}",
        pattern=rf"""(?i)(?:{_KEY_WORDS})[a-z0-9_]{{0,16}}["']? ?(?::=|=|:) ?["']?""",
        check=_token_after,
        why="a random value assigned to something called key, secret or token",
    ),
    Detector(
        name="url_password",
        label=_SECRET,
        hint="://",
        pattern=r"[a-z][a-z0-9+]{1,15}://[^\s/:@\"']{0,64}:[^\s/@\"']{3,128}@",
        check=_url_password,
        why="a URL with user and password",
    ),
)
