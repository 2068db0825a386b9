"""What is found, what is left alone, and that every way out of a scan is a finding."""

import base64
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.core.call import Part, PartKind
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label
from tierwise.policy import detect
from tierwise.policy.detect import Detectors, Finding
from tierwise.policy.patterns import DETECTORS as ROWS
from tierwise.policy.patterns import Detector
from tierwise.policy.settings import LabelSettings, Pattern

DETECTORS = Detectors(LabelSettings())
MIXED = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY"  # 32 characters, nobody's key


def part(text: str, path: str = "messages[0].content", kind: PartKind = "text") -> Part:
    return Part(kind=kind, path=path, text=text)


def found(text: str) -> set[str]:
    return {finding.detector for finding in DETECTORS.scan((part(text),))}


HITS = [
    ("card", "pay with 4539 1488 0343 6467 please"),
    ("card", "4539148803436467"),
    ("card", "PAN_4539148803436467"),
    ("card", "卡号4539148803436467。"),
    ("card", "4 5 3 9 1 4 8 8 0 3 4 3 6 4 6 7"),
    ("card", "４５３９ １４８８ ０３４３ ６４６７"),
    ("card", "4539\u200b1488\u200b0343\u200b6467"),
    ("card", "4539–1488–0343–6467"),
    ("card", "٤٥٣٩ ١٤٨٨ ٠٣٤٣ ٦٤٦٧"),
    ("card", "4539\u00a01488\u00a00343\u00a06467"),
    ("card", "4539\ud8001488 0343 6467"),
    ("iban", "transfer to AT03 0332 2453 8323 6405 and thank you"),
    ("iban", "AB12 is the desk; AT030332245383236405 the account"),
    ("us_ssn", "my SSN is 536-22-1234."),
    ("us_ssn", "social security number: 536221234"),
    ("uk_nino", "NI AB 35 89 52 C"),
    ("uk_nino", "national insurance: ab358952c"),
    ("es_dni", "DNI 53928441L"),
    ("it_codice_fiscale", "SBVNLF29C05G126W"),
    ("fr_nir", "2 15 12 72 602 680 13"),
    ("de_steuer_id", "Steuer-ID 61 073 854 207"),
    ("nl_bsn", "BSN: 985945266"),
    ("br_cpf", "CPF 966.637.476-57"),
    ("br_cpf", "cpf: 96663747657"),
    ("in_aadhaar", "3547 4270 1971"),
    ("in_aadhaar", "आधार 354742701971"),
    ("cn_resident_id", "身份证44030519960901755X号"),
    ("private_key", "-----BEGIN RSA PRIVATE KEY-----\nMIIE"),
    ("private_key", "-----BEGIN PRIVATE KEY-----"),
    ("private_key", "-----BEGIN PGP PRIVATE KEY BLOCK-----"),
    ("cloud_key", "AKIA" + "ABCDEFGHIJ234567"),
    ("cloud_key", "AIza" + MIXED + "abc"),
    ("forge_token", "ghp_" + MIXED + "abcd"),
    ("forge_token", "github_pat_" + MIXED),
    ("chat_token", "xoxb-" + "1234567890-abcdef"),
    ("payment_key", "sk_live_" + MIXED),
    ("model_key", "sk-proj-" + MIXED),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ.dBjftJeZ4CVP"),
    ("bearer", "Authorization: Bearer " + MIXED),
    ("password", "password = hunter22!"),
    ("password", 'the password is "correct horse"'),
    ("password", "Passwort: Sommer2026"),
    ("password", 'password = "env:hunter22 and more"'),
    ("password", 'PASSWORD = "ACME_WINTER_2026"'),
    ("password", 'password: "hunter2\\"xyz"'),
    ("password", 'password: "HK_41_QXRT9"'),
    ("password", '{"password": "s3cr3tvalue"}'),
    ("password", "пароль: Qwerty99x"),
    ("secret_value", "API_KEY=" + MIXED),
    ("secret_value", 'client_secret: "' + MIXED + '"'),
    ("url_password", "postgres://admin:s3cr3tpw@db.internal/x"),
]


@pytest.mark.parametrize(("name", "text"), HITS)
def test_sensitive_text_is_found(name: str, text: str) -> None:
    assert name in found(text)


CLEAN = [
    "Where is my new card? I ordered it two weeks ago.",
    "Call me on 2026-10-01 at 12:00:01,204 about ticket 20480.",
    "id 550e8400-e29b-41d4-a716-446655440000, commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "offset 1700000000000000 of 1700000000000000000 ns",
    "x = 0.1234567890123456 + 3.14159265358979",
    "4111 1111 1111 1111 and 4242424242424242 are test cards",
    "AKIAIOSFODNN7EXAMPLE",
    "password = os.environ['PASSWORD']",
    "password: str = Form(...)",
    "the password is incorrect",
    "def login(user, password=None): return check(user, password)",
    "I forgot my password: how do I reset it?",
    'password = "env:LEDGER_PASSWORD"',
    'PASSWORD = "TIERWISE_CROWD_PASSWORD"',
    "api_key = get_key()",
    "api_key = YOUR_API_KEY_GOES_HERE_1",
    "max_tokens: 4096, token = tokenizer.next()",
    "use sk-learn-style-names-for-the-classes",
    "postgres://user:password@localhost/db",
    "https://example.com/a:b@c",
    "git@github.com:owner/name.git",
    "className: 123456789, lesson 536221234",
    "responsibilities and internationalisation",
    "phone 10 20 30 40 50 60",
    "192.168.100.200 - - [01/Oct/2026]",
]


@pytest.mark.parametrize("text", CLEAN)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert found(text) == set()


def test_labels_paths_and_no_text_of_the_match() -> None:
    parts = (part("hello"), part("4539 1488 0343 6467", "messages[1].tool_calls[0].arguments", "tool_call"))
    (finding,) = DETECTORS.scan(parts)
    assert finding == Finding(
        detector="card", label=Label.CONFIDENTIAL, path="messages[1].tool_calls[0].arguments", detail=""
    )


def test_secrets_are_restricted() -> None:
    (finding,) = DETECTORS.scan((part("-----BEGIN PRIVATE KEY-----"),))
    assert finding.label is Label.RESTRICTED


def test_a_number_split_over_the_parts_of_a_message_is_found() -> None:
    halves = (part("4539 1488", "messages[0].content[0].text"), part(" 0343 6467", "messages[0].content[1].text"))
    assert [(f.detector, f.path) for f in DETECTORS.scan(halves)] == [("card", "messages[0]")]


def test_a_number_that_goes_on_in_a_later_message_is_found() -> None:
    said = ("my card is 4539 1488", "OK.", "0343 6467, valid till May")
    parts = tuple(part(text, f"messages[{place}].content") for place, text in enumerate(said))
    assert [(f.detector, f.path) for f in DETECTORS.scan(parts)] == [("card", "messages[2]")]
    assert DETECTORS.scan((*parts[:2], part("and then 0343 6467", "messages[2].content"))) == ()


def test_text_media_are_read_and_pictures_are_not() -> None:
    text = base64.b64encode(b"card 4539148803436467").decode()
    url = f"data:text/plain;name=x;base64,{text}"
    assert [f.detector for f in DETECTORS.scan((part(url, kind="file"),))] == ["card"]
    picture = "data:image/png;base64," + "4539148803436467" * 10
    assert DETECTORS.scan((part(picture, kind="image"),)) == ()
    assert DETECTORS.scan((part("https://x/4539148803436467.png", kind="image"),)) != ()


def test_too_many_candidates_count_as_a_hit() -> None:
    numbers = "\n".join(f"{1_760_000_000_000 + 7 * n}" for n in range(detect.MAX_CANDIDATES))
    detectors = Detectors(LabelSettings())
    late = part("at 1760000000000", "system")
    findings = detectors.scan((part(numbers), late))
    assert {(f.detector, f.path, f.detail) for f in findings} == {
        (name, "system", f"more than {detect.MAX_CANDIDATES} candidates") for name in ("card", "de_steuer_id")
    }
    assert detectors.scan((part(numbers), late)) == ()  # what was found clean before needs no candidates


def test_too_much_text_counts_as_the_strictest_hit() -> None:
    half = "a " * (detect.MAX_SCAN_BYTES // 3)
    findings = DETECTORS.scan((part(half), part(half), part(half)))
    assert [(f.detector, f.label) for f in findings] == [("scan", Label.RESTRICTED)]


def test_text_is_too_much_by_its_bytes_whatever_they_spell() -> None:
    (finding,) = DETECTORS.scan((part("漢" * (detect.MAX_SCAN_BYTES // 3 + 1)),))
    assert (finding.detector, finding.label) == ("scan", Label.RESTRICTED)


def test_a_check_that_fails_counts_as_the_strictest_hit() -> None:
    def broken(_data: bytes, _start: int, _end: int) -> bool:
        raise RecursionError("x" * 99)

    detectors = Detectors(LabelSettings())
    row = Detector("card", Label.CONFIDENTIAL, "", "[0-9]{4}", broken, "")
    detectors._rows[0] = (row, Label.CONFIDENTIAL, detect._compile(row.pattern))
    (finding,) = detectors.scan((part("4539148803436467"),))
    assert finding == Finding(
        detector="scan", label=Label.RESTRICTED, path="messages[0].content", detail="detector failed: RecursionError"
    )


class Clock:
    """Each look at it takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_text_for_which_no_time_is_left_counts_as_the_strictest_hit() -> None:
    detectors = Detectors(LabelSettings(), clock=Clock())
    findings = detectors.scan(tuple(part("hello", f"messages[{n}].content") for n in range(9)))
    (finding,) = (f for f in findings if f.detector == "scan")
    assert (finding.label, finding.detail) == (Label.RESTRICTED, f"more than {detect.MAX_SCAN_S:g} seconds")


def test_a_detector_that_runs_out_of_time_counts_as_a_hit() -> None:
    numbers = " ".join(f"x{n}y 12345678901234" for n in range(9))
    (finding, *_) = Detectors(LabelSettings(), clock=Clock()).scan((part(numbers),))
    assert (finding.detector, finding.detail) == ("card", f"more than {detect.MAX_SCAN_S:g} seconds")


def test_what_ran_out_of_time_is_scanned_again_next_time() -> None:
    clock = Clock()
    detectors = Detectors(LabelSettings(), clock=clock)
    numbers = part(" ".join(f"x{n}y 12345678901234" for n in range(99)))
    assert detectors.scan((numbers,))
    detectors._clock = lambda: 0.0
    assert detectors.scan((numbers,)) == ()


@settings(max_examples=60)
@given(st.text("ab(|)*+?.{}0123,[]^$", min_size=1, max_size=16))
def test_any_pattern_that_is_accepted_ends_on_a_long_text_that_nearly_matches(pattern: str) -> None:
    try:
        detectors = Detectors(LabelSettings(patterns={"own": Pattern(pattern=pattern)}))
    except ConfigError:
        return
    text = "ab" * 10_000 + "c"  # a backtracking engine does not come back from (a+|b+)+$ here
    assert {f.detector for f in detectors.scan((part(text),))} <= {"own", "scan"}


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_text_says_the_same_when_it_is_scanned_again(first: str, second: str) -> None:
    detectors = Detectors(LabelSettings())
    parts = (
        part(first * 3, "system"),
        part(second * 3),
        part("4539 1488 0343 6467 " + "a" * 300, "messages[1].content"),
    )
    assert detectors.scan(parts) == detectors.scan(parts)


def test_what_was_scanned_in_an_earlier_turn_is_not_scanned_again() -> None:
    detectors = Detectors(LabelSettings())
    turns = [part(f"turn {n}: order 4539 1488 0343 6467 " + "x" * 300, f"messages[{n}].content") for n in range(6)]
    for count in range(1, 7):
        findings = detectors.scan(turns[:count])
        assert {f.path for f in findings if f.detector == "card"} == {one.path for one in turns[:count]}
    assert detectors.examined_chars < 2 * sum(len(one.text) for one in turns)


def test_a_detector_can_be_moved_or_turned_off() -> None:
    chosen = LabelSettings(detectors={"card": "restricted", "iban": "off", "test_card": "internal"})
    text = part("4539148803436467 AT030332245383236405")
    assert [(f.detector, f.label) for f in Detectors(chosen).scan((text,))] == [("card", Label.RESTRICTED)]
    (finding,) = Detectors(chosen).scan((part("4111 1111 1111 1111"),))
    assert (finding.detector, finding.label) == ("test_card", Label.INTERNAL)


def test_own_patterns_are_linear_and_named() -> None:
    chosen = LabelSettings(patterns={"project": Pattern(pattern=r"(?i)\bproject (?:aurora|borealis)\b")})
    (finding,) = Detectors(chosen).scan((part("About Project Aurora"),))
    assert (finding.detector, finding.label) == ("project", Label.CONFIDENTIAL)
    evil = Detectors(LabelSettings(patterns={"evil": Pattern(pattern="(a+)+$")}))
    assert evil.scan((part("a" * 100_000 + "b"),)) == ()


@pytest.mark.parametrize(
    ("chosen", "key", "hint"),
    [
        (LabelSettings(detectors={"crad": "off"}), "labels.detectors.crad", 'did you mean "card"'),
        (LabelSettings(patterns={"p": Pattern(pattern="(")}), "labels.patterns.p.pattern", "missing"),
        (LabelSettings(patterns={"p": Pattern(pattern="x*")}), "labels.patterns.p.pattern", "everything"),
        (LabelSettings(patterns={"card": Pattern(pattern="x")}), "labels.patterns.card.pattern", "built-in"),
        (LabelSettings(patterns={"p": Pattern(pattern=r"(x)\1")}), "labels.patterns.p.pattern", "RE2"),
    ],
)
def test_a_bad_setting_names_its_key(chosen: LabelSettings, key: str, hint: str) -> None:
    with pytest.raises(ConfigError, match="labels") as caught:
        Detectors(chosen)
    assert caught.value.key == key
    assert hint in str(caught.value)


@pytest.mark.parametrize(("name", "text"), HITS)
def test_a_hint_wakes_wherever_its_pattern_matches(name: str, text: str) -> None:
    row = next(row for row in ROWS if row.name == name)
    data = detect.fold(text)
    assert detect._compile(row.pattern).search(data) is not None
    assert detect._compile(row.hint).search(data) is not None


ALPHABET = st.sampled_from([*("0123456789" * 3 + "AXZabLMT .-\n"), "ssn", "cpf", "AKIA", "sk-", "ghp_", "= "])


@settings(max_examples=300)
@given(st.lists(ALPHABET, min_size=8, max_size=120).map("".join))
def test_no_hint_is_narrower_than_its_pattern(text: str) -> None:
    data = text.encode()
    for row in ROWS:
        if detect._compile(row.pattern).search(data) is not None:
            assert detect._compile(row.hint).search(data) is not None, row.name


def test_digits_at_random_cost_no_more_than_their_length_allows() -> None:
    digits = "".join(chr(48 + (n * n * 7919 + n // 3) % 11) for n in range(300_000)).replace(":", " ")
    start = time.process_time()
    DETECTORS.scan((part(digits),))
    assert time.process_time() - start < 0.3  # measured 0.02 s; one automaton of exact patterns took 0.8 s


def test_names_are_unique() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)


@given(st.lists(st.text(max_size=200), max_size=4))
def test_any_text_is_scanned_without_an_error(texts: list[str]) -> None:
    findings = DETECTORS.scan([part(text, f"messages[0].content[{n}].text") for n, text in enumerate(texts)])
    assert all("failed" not in finding.detail for finding in findings)


def valid_card(head: str) -> str:
    for check in string.digits:
        digits = [int(char) for char in reversed(head + check)]
        total = sum(digits[0::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
        if total % 10 == 0:
            return head + check
    raise AssertionError("no check digit")


@given(
    st.from_regex(r"\A5[1-5][0-9]{13}\Z").filter(lambda head: not head.startswith(("5555", "5105", "5200", "5454"))),
    st.sampled_from(["", " ", "-", ".", "\u2009", "\u2011", "\u200b", "\u00ad "]),
    st.sampled_from(["", "no ", "x:", "(", "日本"]),
)
def test_every_valid_card_number_is_found_however_it_is_spaced(head: str, separator: str, before: str) -> None:
    number = valid_card(head)
    text = before + separator.join(number[place : place + 4] for place in range(0, 16, 4)) + "!"
    assert "card" in found(text)


@given(st.text(max_size=40), st.text(max_size=40))
def test_text_around_a_key_does_not_hide_it(before: str, after: str) -> None:
    assert "private_key" in found(before + "\n-----BEGIN EC PRIVATE KEY-----\n" + after)


def test_the_first_line_of_a_private_key_declassifies_no_private_key() -> None:
    head = "-----BEGIN PRIVATE KEY-----"
    forgiven = {detect.text_hash(head): "d1"}
    (marker,) = DETECTORS.scan((part(head),), forgiven)
    (key,) = DETECTORS.scan((part(f"{head}\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA\n"),), forgiven)
    assert (marker.forgiven, key.detector, key.forgiven) == ("d1", "private_key", "")


def test_what_is_kept_of_texts_full_of_values_is_bounded_too() -> None:
    cards = "card 4024007134564847, then\n" * 1000
    memory = Detectors(LabelSettings(), clock=lambda: 0.0)
    first = cards + "first"
    assert len(memory.matches(first) or ()) >= 1000
    seen = memory.examined_chars
    memory.matches(first)
    assert memory.examined_chars == seen, "a text that is known is not searched again"
    for number in range(detect.MAX_KNOWN // 1000):
        memory.matches(f"{cards}{number}")
    seen = memory.examined_chars
    memory.matches(first)
    assert memory.examined_chars > seen, "others have taken its place"
