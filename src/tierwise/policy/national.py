"""Which identifiers does the extra add? National numbers by python-stdnum, phone numbers by phonenumbers.

Does not know labels, nor how to import: a loader is handed in, and asked for a module at its first candidate.
Invariant: a number counts where it is named or has a shape of its own; bare digits with a weak check do not.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from tierwise.core.errors import ConfigError
from tierwise.core.extras import install
from tierwise.core.label import Label
from tierwise.policy.identifiers import alone
from tierwise.policy.patterns import Check, Detector

MOST = 512
"""Candidates of one detector in one call that are checked: a check takes up to 0.1 ms. More count as a hit."""
MISSING = f"[labels] identifiers: the extra is not installed: {install('identifiers')}"

_GAP = r"[^0-9\n]{0,24}"
# name, module of stdnum, shape that stands alone ("" for none), words that name it, shape behind such a word, why
_ROWS = (
    ("at_svnr", "at.vnr", "", "svnr|sozialversicherungsnummer", r"[0-9]{4} ?[0-9]{6}", "Austrian insurance number"),
    ("au_tfn", "au.tfn", "", r"\btfn|tax file number", r"[0-9]{3} ?[0-9]{3} ?[0-9]{2,3}", "Australian tax file number"),
    ("be_nn", "be.nn", r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}", "rijksregisternummer|registre national",
     r"[0-9]{11}", "Belgian national number"),
    ("bg_egn", "bg.egn", "", r"\begn|егн", r"[0-9]{10}", "Bulgarian personal number"),
    ("ca_sin", "ca.sin", "", r"social insurance|\bsin\b", r"[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{3}",
     "Canadian social insurance number"),
    ("ch_ahv", "ch.ssn", r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}", "", "", "Swiss insurance number"),
    ("cl_rut", "cl.rut", r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Kk]", r"\brut\b|\brun\b", r"[0-9]{7,8}-?[0-9Kk]",
     "Chilean RUT"),
    ("cz_rc", "cz.rc", r"[0-9]{6}/[0-9]{4}", "rodné číslo|rodne cislo", r"[0-9]{9,10}", "Czech, Slovak birth number"),
    ("dk_cpr", "dk.cpr", r"[0-3][0-9][01][0-9]{3}-[0-9]{4}", r"\bcpr", r"[0-9]{10}", "Danish CPR number"),
    ("ee_ik", "ee.ik", "", "isikukood", r"[0-9]{11}", "Estonian personal code"),
    ("es_cif", "es.cif", "", r"\bcif\b", r"[A-HJNP-SUVW]-?[0-9]{7}[0-9A-J]", "Spanish company number"),
    ("fi_hetu", "fi.hetu", r"[0-3][0-9][01][0-9]{3}[+\-A-FU-Y][0-9]{3}[0-9A-Y]", "", "", "Finnish identity code"),
    ("gb_nhs", "gb.nhs", "", r"\bnhs", r"[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{4}", "NHS number"),
    ("gr_amka", "gr.amka", "", "amka|αμκα", r"[0-9]{11}", "Greek AMKA"),
    ("hr_oib", "hr.oib", "", r"\boib", r"[0-9]{11}", "Croatian OIB"),
    ("ie_pps", "ie.pps", "", r"\bpps", r"[0-9]{7}[A-Wa-w][A-IWTXa-iwtx]?", "Irish PPS number"),
    ("il_idnr", "il.idnr", "", "teudat zehut|תעודת זהות", r"[0-9]{9}", "Israeli identity number"),
    ("is_kennitala", "is_.kennitala", "", "kennitala|kennitölu", r"[0-9]{6}-?[0-9]{4}", "Icelandic kennitala"),
    ("kr_rrn", "kr.rrn", r"[0-9]{2}[01][0-9][0-3][0-9]-[0-9]{7}", "주민등록번호", r"[0-9]{13}",
     "South Korean resident number"),
    ("lt_asmens", "lt.asmens", "", "asmens kodas", r"[0-9]{11}", "Lithuanian personal code"),
    ("mx_curp", "mx.curp", r"[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]", "", "", "Mexican CURP"),
    ("my_nric", "my.nric", "", "nric|mykad", r"[0-9]{6}-?[0-9]{2}-?[0-9]{4}", "Malaysian identity number"),
    ("no_fnr", "no.fodselsnummer", "", r"fødselsnummer|fodselsnummer|\bfnr", r"[0-9]{6} ?[0-9]{5}", "Norwegian number"),
    ("pl_pesel", "pl.pesel", "", "pesel", r"[0-9]{11}", "Polish PESEL"),
    ("pt_nif", "pt.nif", "", r"\bnif\b|contribuinte", r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}", "Portuguese tax number"),
    ("ro_cnp", "ro.cnp", "", r"\bcnp", r"[0-9]{13}", "Romanian CNP"),
    ("se_pnr", "se.personnummer", "", r"personnummer|\bpnr", r"(?:19|20)?[0-9]{6}[\-+]?[0-9]{4}",
     "Swedish personal number"),
    ("th_pin", "th.pin", r"[1-8]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]", "เลขประจำตัวประชาชน", r"[0-9]{13}",
     "Thai identity number"),
    ("tr_kimlik", "tr.tckimlik", "", r"kimlik|\btckn|t\.c\.", r"[1-9][0-9]{10}", "Turkish identity number"),
    ("za_idnr", "za.idnr", "", "south african id|rsa id|id number", r"[0-9]{13}", "South African identity number"),
)  # fmt: skip
_PHONE_WORDS = (
    r"phone|telephone|\btel\b|mobile|\bcell\b|call me|whatsapp|telefon|handy|mobil|téléphone|portable|teléfono|móvil|"
    "telefono|cellulare|telefoon|telefone|celular|телефон|电话|手机|電話|携帯|फ़ोन|मोबाइल|هاتف|جوال"
)
_PLUS = r"\+[1-9](?:[ ().\-/]{0,3}[0-9]){6,14}"
_LOCAL = r"\(?0?[0-9](?:[ ().\-/]{0,3}[0-9]){5,13}"
NAMES = frozenset({"phone", *(row[0] for row in _ROWS)})
_TAILS = {row[0]: re.compile(f"(?:{'|'.join(filter(None, (row[2], row[4])))})\\Z".encode()) for row in _ROWS} | {
    "phone": re.compile(rb"[+(0-9][0-9 ().\-/]*\Z")
}
"""Which part of a match is the number: the end of it, without the word that names it."""


Load = Callable[[str], Any]
"""Imports a module by its name; raises ImportError where there is none."""


def absent(name: str) -> Any:
    """Load nothing."""
    raise ImportError(name)


def detectors(phone_regions: Sequence[str], load: Load) -> tuple[Detector, ...]:
    """Return the rows of the extra. Raises ConfigError where it is not installed or a region is unknown."""
    try:
        load("stdnum")
        known = load("phonenumbers").SUPPORTED_REGIONS
    except ImportError as error:
        raise ConfigError(MISSING, key="labels.identifiers") from error
    regions = tuple(region.upper() for region in phone_regions)
    for region in regions:
        if region not in known:
            raise ConfigError(
                f'[labels] phone_regions: "{region}" is no region; two letters such as DE', key="labels.phone_regions"
            )
    return (*(_row(row, load) for row in _ROWS), _phone(regions, load))


def number(name: str, data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return where the number stands in a match of this detector."""
    found = _TAILS[name].search(data[start:end])
    return (start + found.start() if found else start), end


def _row(row: tuple[str, str, str, str, str, str], load: Load) -> Detector:
    name, module, alone_shape, words, named_shape, why = row
    shapes = [alone_shape] if alone_shape else []
    hints = [_woken(alone_shape)] if alone_shape else []
    if words:
        shapes.append(f"(?i:{words}){_GAP}(?:{named_shape})")
        hints.append(f"(?i:{words})")
    check = _Lazy(lambda: _stdnum(load(f"stdnum.{module}"), _TAILS[name]))
    return Detector(name, Label.CONFIDENTIAL, "|".join(hints), "|".join(shapes), check, why, most=MOST)


def _woken(shape: str) -> str:
    """Return a simpler pattern that matches wherever the shape does: many exact ones at once are slow."""
    return "[A-Z]{4}[0-9]{2}" if shape.startswith("[A-Z]") else "[0-9][0-9./A-FU-Y+-]{3}[0-9./+-]"


def _phone(regions: Sequence[str], load: Load) -> Detector:
    pattern = _PLUS + (f"|(?i:{_PHONE_WORDS})[^0-9+\\n]{{0,16}}{_LOCAL}" if regions else "")
    hint = r"\+[1-9]" + (f"|(?i:{_PHONE_WORDS})" if regions else "")
    check = _Lazy(lambda: _phone_check(load("phonenumbers"), regions))
    return Detector("phone", Label.CONFIDENTIAL, hint, pattern, check, "phone number in use", most=MOST)


class _Lazy:
    """A check that is made, with the library that it needs, when the first candidate comes."""

    def __init__(self, make: Callable[[], Check]) -> None:
        self._make = make
        self._check: Check | None = None

    def __call__(self, data: bytes, start: int, end: int) -> bool:
        if self._check is None:
            self._check = self._make()
        return self._check(data, start, end)


def _stdnum(library: Any, tail: re.Pattern[bytes]) -> Check:
    def check(data: bytes, start: int, end: int) -> bool:
        found = tail.search(data[start:end])
        if found is None or not alone(data, start + found.start(), end):
            return False
        return bool(library.is_valid(found[0].decode("ascii", "ignore").upper()))

    return check


_ADDRESS = re.compile(r"\+?\d{1,3}(?:\.\d{1,3}){3}")
_FICTION = re.compile(
    r"\+1[2-9][0-9]{2}5550[01][0-9]{2}|\+44(?:7700900|2079460|1632960|8081570|9098790)[0-9]{3}|\+1\d*1234567\Z"
)


def _phone_check(library: Any, regions: Sequence[str]) -> Check:
    def check(data: bytes, start: int, end: int) -> bool:
        found = _TAILS["phone"].search(data[start:end])
        if found is None or data[end : end + 1].isalnum() or data[max(0, start - 1) : start].isalnum():
            return False
        text = found[0].decode("ascii")
        if _ADDRESS.match(text) or (data[start - 1 : start] in (b"", b"\n") and b"@@ -" in data):
            return False  # four bytes of an address, or a line that a diff adds
        return any(_valid(library, text, region) for region in ([None] if text.startswith("+") else regions))

    return check


def _valid(library: Any, text: str, region: str | None) -> bool:
    try:
        number = library.parse(text, region)
    except library.NumberParseException:
        return False
    plain = library.format_number(number, library.PhoneNumberFormat.E164)
    return bool(library.is_valid_number(number)) and not _FICTION.match(plain)
