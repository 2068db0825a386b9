"""The labelled corpus: every kind in every form, wrong check digits, known test numbers, ordinary and unmarked text.

Deterministic: the same seed gives the same cases on every machine. Nothing is taken from anybody's data.
"""

import base64
import html
import itertools
import json
import urllib.parse
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from tests.detectors import numbers
from tests.detectors.numbers import IDENTIFIERS, NAMED_WHEN_COMPACT, SECRETS
from tests.detectors.sentences import AROUND, FREE, PLAIN
from tierwise.core.call import Part, PartKind

SEED = 20261121
UNSEEN = 4711
"""A second seed, on which no pattern was ever tuned."""
EACH = 3
"""Cases of each kind in each form."""

Maker = Callable[[str, str, str], tuple[Part, ...]]
"""(kind, number, template) to the parts of a call; the template has a place {x}."""


class Case(NamedTuple):
    """`truth` is the detector that should hit, "" for none; `group` is the table in which the case is counted."""

    group: str
    kind: str
    form: str
    language: str
    truth: str
    parts: tuple[Part, ...]


def part(text: str, path: str = "messages[0].content", kind: PartKind = "text") -> Part:
    return Part(kind=kind, path=path, text=text)


def named(kind: str, number: str, *, always: bool = False) -> str:
    word = IDENTIFIERS[kind][3] if kind in IDENTIFIERS else ""
    return f"{word}: {number}" if word and (always or kind in NAMED_WHEN_COMPACT) else number


def filled(template: str, text: str) -> str:
    return template.replace("{x}", text)


def typed(change: Callable[[str, str], str]) -> Maker:
    """A form that only writes the number otherwise."""

    def make(kind: str, number: str, template: str) -> tuple[Part, ...]:
        return (part(filled(template, named(kind, change(kind, number)))),)

    return make


def spaced(separator: str) -> Maker:
    return typed(lambda kind, number: separator.join(numbers.groups(kind, number)))


def wrapped(change: Callable[[str], str], path: str = "messages[0].content", kind: PartKind = "text") -> Maker:
    """A form that encodes the whole sentence."""

    def make(of: str, number: str, template: str) -> tuple[Part, ...]:
        sentence = filled(template, named(of, numbers.written(of, number), always=of == "nl_bsn"))
        return (part(change(sentence), path, kind),)

    return make


def moved(text: str, first: int, offset: int) -> str:
    return "".join(chr(ord(char) - first + offset) if char.isdigit() else char for char in text)


def wide(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if char.isascii() and char.isalnum() else char for char in text)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def halves(kind: str, number: str) -> tuple[str, str]:
    """The number cut in the middle, between groups where it has such."""
    found = numbers.groups(kind, number)
    if len(found) == 1:
        return number[: len(number) // 2], number[len(number) // 2 :]
    middle, separator = (len(found) + 1) // 2, IDENTIFIERS[kind][2]
    if kind == "br_cpf":
        return ".".join(found[:2]) + ".", "-".join(found[2:])
    return separator.join(found[:middle]) + separator, separator.join(found[middle:])


def in_two_parts(kind: str, number: str, template: str) -> tuple[Part, ...]:
    left, right = halves(kind, number)
    before, after = template.split("{x}")
    texts = (before + named(kind, left), right + after)
    return tuple(part(text, f"messages[0].content[{place}].text") for place, text in enumerate(texts))


def in_two_messages(kind: str, number: str, template: str) -> tuple[Part, ...]:
    left, right = halves(kind, number)
    before, after = template.split("{x}")
    return (
        part(before + named(kind, left), "messages[0].content"),
        part("OK.", "messages[1].content"),
        part(right + after, "messages[2].content"),
    )


def as_file(kind: str, number: str, template: str) -> tuple[Part, ...]:
    text = filled(template, named(kind, numbers.written(kind, number)))
    return (part("See attached.", "messages[0].content[0].text"),
            part(f"data:text/plain;base64,{b64(text)}", "messages[0].content[1].file.file_data", "file"))  # fmt: skip


def crossing(kind: str, number: str, between: str) -> str:
    left, right = halves(kind, number)
    return left.rstrip(" -.") + between + right


WORDS = dict(
    zip("0123456789", ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], strict=True)
)

FORMS: dict[str, Maker] = {
    "compact": typed(lambda _kind, number: number),
    "as written": typed(numbers.written),
    "no-break spaces": spaced("\u00a0"),
    "narrow no-break spaces": spaced("\u202f"),
    "zero-width space in every gap": typed(lambda _kind, number: "\u200b".join(number)),
    "soft hyphens": typed(lambda kind, number: numbers.written(kind, number).replace("", "\u00ad")),
    "fullwidth": typed(lambda kind, number: wide(numbers.written(kind, number))),
    "Arabic-Indic digits": typed(lambda kind, number: moved(numbers.written(kind, number), 48, 0x660)),
    "Devanagari digits": typed(lambda kind, number: moved(numbers.written(kind, number), 48, 0x966)),
    "in bold": typed(lambda kind, number: f"**{numbers.written(kind, number)}**"),
    "in a table": wrapped(lambda text: f"id;value;ok\n17;{text};yes\n18;none;no\n"),
    "in a tag": wrapped(lambda text: f"<row id='17'><v>{text}</v></row>"),
    "over two parts": in_two_parts,
    "over two messages": in_two_messages,
    "system prompt": wrapped(lambda text: f"You help the clerk.\n{text}", "system"),
    "tool result": wrapped(lambda text: f"1 row\n{text}\n", "messages[2].content", "tool_result"),
    "metadata": wrapped(str, "metadata.note", "metadata"),
    "file name": wrapped(lambda text: text + ".pdf", "messages[0].content[0].file.filename", "name"),
    "text file in base64": as_file,
    "tool arguments, after \\n": wrapped(
        lambda text: json.dumps({"text": f"As agreed:\n{text}\n"}), "messages[1].tool_calls[0].function.arguments", "tool_call"
    ),
    "\\u escapes": wrapped(lambda text: '{"v": "' + "".join(f"\\u{ord(c):04x}" for c in text) + '"}'),
    "JSON within JSON": wrapped(lambda text: json.dumps({"body": json.dumps({"text": f"a\tb\n{text}"})})),
    "URL with %20": wrapped(lambda text: "GET /find?q=" + urllib.parse.quote(text) + "&page=1"),
    "URL with +": wrapped(lambda text: "GET /find?q=" + urllib.parse.quote_plus(text) + "&page=1"),
    "HTML entities": wrapped(lambda text: "<p>" + html.escape(text).replace(" ", "&nbsp;") + "</p>"),
    "numeric entities": wrapped(lambda text: "".join(f"&#{ord(char)};" for char in text)),
    "base64": wrapped(b64),
    "base64 in JSON": wrapped(lambda text: json.dumps({"payload": b64(text), "encoding": "base64"})),
    "base64, wrapped": wrapped(lambda text: base64.encodebytes(("Dear colleague, " * 5 + text).encode()).decode()),
    "base64 for URLs": wrapped(lambda text: "data=" + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")),
    "hexadecimal": wrapped(lambda text: text.encode().hex()),
}  # fmt: skip

# What no pattern finds without pinning half of everything: said, not hidden.
BEYOND: dict[str, Maker] = {
    "bare, not named": lambda _kind, number, template: (part(filled(template, number)),),
    "19 digits on end, no card named": lambda _kind, number, template: (
        part(filled(template, numbers.completed(number[:15] + "207", "", numbers.luhn))),
    ),
    "a line break inside": typed(lambda kind, number: crossing(kind, number, "\n")),
    "words inside": typed(lambda kind, number: crossing(kind, number, " and then ")),
    "digits as words": typed(lambda _kind, number: " ".join(WORDS.get(char, char) for char in number)),
    "backwards": typed(lambda _kind, number: number[::-1]),
    "commas inside": typed(lambda kind, number: ",".join(numbers.groups(kind, number))),
    "base64 of base64 of base64": wrapped(lambda text: b64(b64(b64(text)))),
}

# Printed in standards, documentation and sandboxes, and therefore in every test suite.
KNOWN: dict[str, tuple[str, ...]] = {
    "card": (
        "4111 1111 1111 1111", "4242424242424242", "4000 0000 0000 9995", "4012888888881881", "5555 5555 5555 4444",
        "5105105105105100", "2223003122003222", "3782 822463 10005", "371449635398431", "6011111111111117",
        "6011 0009 9013 9424", "30569309025904", "3530111333300000", "3566002020360505", "4000056655665556",
    ),
    "iban": (
        "DE89 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 32", "GB29NWBK60161331926819",
        "FR14 2004 1010 0505 0001 3M02 606", "NL91ABNA0417164300", "ES91 2100 0418 4502 0005 1332",
        "IT60X0542811101000000123456", "CH93 0076 2011 6238 5295 7", "BE68539007547034", "AT61 1904 3002 3457 3201",
        "PL61109010140000071219812874", "SE4550000000058398257466", "NO93 8601 1117 947", "PT50000201231234567890154",
    ),
    "us_ssn": ("SSN: 078-05-1120", "SSN: 123-45-6789", "219-09-9999", "SSN 111-11-1111", "987-65-4329"),
    "uk_nino": ("QQ 12 34 56 C", "National Insurance: AB123456C"),
    "es_dni": ("12345678Z", "X1234567L", "00000000T"),
    "it_codice_fiscale": ("RSSMRA85T10A562S", "RSSMRA80A01H501U"),
    "fr_nir": ("2 55 08 14 168 025 38", "269054958815780"),
    "de_steuer_id": ("86 095 742 719", "47036892816", "65 929 970 489"),
    "nl_bsn": ("BSN: 111222333", "BSN 123456782", "BSN: 999999990"),
    "br_cpf": ("CPF: 111.444.777-35", "529.982.247-25", "CPF 123.456.789-09"),
    "in_aadhaar": ("Aadhaar: 2341 2341 2346", "Aadhaar 999999990019"),
    "cn_resident_id": ("11010519491231002X", "440524188001010014"),
    "cloud_key": ("AKIAIOSFODNN7EXAMPLE",),
    "secret_value": ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",),
    "jwt": (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ"
        ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    ),
    "payment_key": ("sk_test_4eC39HqLyjWDarjtT1zdp7dc",),
    "password": ("password: changeme", "password = os.environ['PASSWORD']", "DB_PASSWORD=${DB_PASSWORD}", "password: hunter2"),
    "bearer": ("Authorization: Bearer YOUR_API_KEY_GOES_HERE", "Authorization: Bearer $OPENAI_API_KEY"),
    "url_password": ("postgres://user:password@localhost/db", "redis://:redacted@cache:6379/0"),
    "private_key": ("load_pem_private_key(data)", "-----BEGIN PUBLIC KEY-----"),
}  # fmt: skip


def corpus(seed: int = SEED) -> list[Case]:
    """All cases, in the same order every time."""
    return [*_identifiers("validated", FORMS, EACH, seed), *_identifiers("beyond", BEYOND, 1, seed), *_wrong(seed), *_known(), *_secrets(seed),
            *_free(), *_plain()]  # fmt: skip


def _languages() -> Iterator[tuple[str, str]]:
    """Languages in turn, and within each its sentences in turn."""
    turns = {language: itertools.cycle(sentences) for language, sentences in AROUND.items()}
    for language in itertools.cycle(AROUND):
        yield language, next(turns[language])


def _identifiers(group: str, forms: dict[str, Maker], each: int, seed: int) -> Iterator[Case]:
    r, around = Random(f"{seed} {group}"), _languages()
    for kind, (drawn, *_) in IDENTIFIERS.items():
        for form, make in forms.items():
            if (form == "bare, not named" and kind not in NAMED_WHEN_COMPACT) or ("card" in form and kind != "card"):
                continue
            for _ in range(each):
                language, template = next(around)
                yield Case(group, kind, form, language, kind, make(kind, drawn(r), template))


def _wrong(seed: int) -> Iterator[Case]:
    r, around = Random(f"{seed} wrong"), _languages()
    forms = ("compact", "as written", "fullwidth", "over two parts", "over two messages", "base64", "\\u escapes")
    for kind, (drawn, *_) in IDENTIFIERS.items():
        for form in forms:
            for _ in range(2):
                language, template = next(around)
                number = numbers.spoiled(kind, drawn(r), r)
                yield Case("wrong", kind, form, language, "", FORMS[form](kind, number, template))


def _known() -> Iterator[Case]:
    around = _languages()
    for kind, texts in KNOWN.items():
        for text in texts:
            language, template = next(around)
            yield Case("known", kind, "test number", language, "", (part(filled(template, text)),))


def _secrets(seed: int) -> Iterator[Case]:
    """Secrets with a shape: alone in a file, in a sentence, in tool arguments, in base64, over two parts."""
    r, around = Random(f"{seed} secrets"), _languages()
    for kind, makers in SECRETS.items():
        for make in makers:
            for form in ("in a sentence", "in a file", "tool arguments", "base64", "over two parts"):
                language, template = next(around)
                yield Case("secret", kind, form, language, kind, _secret_parts(form, make(r), template))


def _secret_parts(form: str, secret: str, template: str) -> tuple[Part, ...]:
    match form:
        case "in a sentence":
            return (part(template.replace("{x}", f" {secret} ")),)
        case "in a file":
            return (part(f"# settings\nDEBUG=1\n{secret}\nPORT=80\n", "messages[2].content", "tool_result"),)
        case "tool arguments":
            return (
                part(json.dumps({"content": f"x = 1\n{secret}\n"}), "messages[1].tool_calls[0].arguments", "tool_call"),
            )
        case "base64":
            return (part(f"payload: {b64(secret)}"),)
        case _:
            middle = len(secret) // 2
            texts = ("here: " + secret[:middle], secret[middle:] + " (end)")
            return tuple(part(text, f"messages[0].content[{n}].text") for n, text in enumerate(texts))


def _free() -> Iterator[Case]:
    for topic, texts in FREE.items():
        for text in texts:
            yield Case("free", topic, "free text", "", topic, (part(text),))


def _plain() -> Iterator[Case]:
    for text in PLAIN:
        yield Case("plain", "", "ordinary text", "", "", (part(text),))
