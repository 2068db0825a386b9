"""What leaves has no value in it, the rest of the bytes is the caller's; what cannot be replaced is said."""

import base64
import importlib
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.core.call import Call
from tierwise.core.conversation import Seal
from tierwise.core.declassified import Declassified
from tierwise.core.label import Label
from tierwise.gateway.forgiven import Forgiven
from tierwise.gateway.masking import Masked, masked
from tierwise.policy.detect import Detectors, text_hash
from tierwise.policy.pseudonyms import MAX_VALUES, Pseudonyms
from tierwise.policy.settings import LabelSettings, Pattern
from tierwise.wires.known import CALLERS
from tierwise.wires.seals import enclose
from tierwise.wires.strings import escaped
from tierwise.wires.wire import EncodedRequest

TAG = "7QK2MX"
CARD = "4024007134564847"
DETECTORS = Detectors(LabelSettings(patterns={"merger": Pattern(pattern="project falcon", label=Label.RESTRICTED)}))
VALUES = (CARD, "4024 0071 3456 4847", "project falcon", "DE26 5001 0517 5260 1815 90", "AKIAQYLPMN5HHHFPZAM2")


def call(wire: str, body: Any) -> Call:
    return CALLERS[wire].decode_request(body if isinstance(body, bytes) else json.dumps(body).encode())


def chat(content: Any, **more: Any) -> Call:
    return call("chat", {"model": "m", "messages": [{"role": "user", "content": content}]} | more)


def mask(asked: Call, pseudonyms: Pseudonyms | None = None) -> Masked:
    return masked(asked, pseudonyms or Pseudonyms(TAG), DETECTORS)


def restored(result: Masked) -> Any:
    """Return the masked body with each placeholder's value back, as JSON strings have it."""
    body = result.call.body.decode()
    for name, value in result.pseudonyms.originals.items():
        body = body.replace(name, escaped(value))
    return json.loads(body)


def test_a_call_without_values_keeps_every_byte() -> None:
    asked = chat("nothing of interest, 12 34")
    assert mask(asked).call is asked
    assert mask(asked).problem_at("far") == ""


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","messages":[{"role":"user","content":"pay \\u0034024007134564847"}]}',
        b'{"model":"m","messages":[{"role":"user","content":"pay 4024\\u200b0071\\u200b3456\\u200b4847"}]}',
        '{"model":"m","messages":[{"role":"user","content":"pay ４０２４００７１３４５６４８４７"}]}'.encode(),
        b'{"model":"m","messages":[{"role":"user","content":"hi","4024007134564847":1}]}',
        b'{"model":"m","messages":[{"role":"user","content":"hi","name":"AKIAQYLPMN5HHHFPZAM2"}]}',
        b'{"model":"m","messages":[{"role":"user","content":"hi"}],"user":"4024007134564847"}',
        b'{"model":"m","messages":[{"role":"user","content":"hi"}],"odd":{"deep":[{"x":4024007134564847}]}}',
        b'{"model":"m","messages":[{"role":"user","content":"{\\"password\\":\\"hunter2xyz\\"}"}]}',
        b'{"model":"m","messages":[{"role":"user","content":"{\\"a\\":\\"{\\\\\\"card\\\\\\":\\\\\\"4024007134564847\\\\\\"}\\"}"}]}',
    ],
    ids=["escape", "zero width", "fullwidth", "key", "name", "unknown field", "number", "member", "json in json"],
)
def test_a_value_is_replaced_wherever_and_however_it_is_written(body: bytes) -> None:
    result = mask(call("chat", body))
    assert result.problem == ""
    assert len(result.pseudonyms.names) == 1
    assert f"_1_{TAG}" in result.call.body.decode()
    text = json.dumps(json.loads(result.call.body), ensure_ascii=False)
    assert not any(value in text for value in (*result.pseudonyms.names, "4024", "hunter2xyz"))
    if b"deep" not in body:
        assert json.dumps(restored(result)) == json.dumps(json.loads(body))


def test_a_value_that_one_place_gives_away_is_replaced_in_all() -> None:
    body = {
        "model": "m",
        "messages": [
            {"role": "user", "content": "it is hunter2xyz, as always"},
            {"role": "user", "content": "my password is hunter2xyz"},
        ],
    }
    result = mask(call("chat", body))
    assert b"hunter2xyz" not in result.call.body
    assert restored(result) == body


def test_only_strings_with_values_change_their_bytes() -> None:
    body = b'{ "model":"m" ,"temperature":0.50,"messages":[ {"role":"user","content":"\\u00e9 hi"},{"role":"user","content":"4024007134564847"}]}'
    assert mask(call("chat", body)).call.body == body.replace(CARD.encode(), f"CARD_1_{TAG}".encode())


def test_text_in_a_file_is_replaced_within_its_base64() -> None:
    data = "data:text/plain;base64," + base64.b64encode(f"see {CARD}".encode()).decode()
    result = mask(chat([{"type": "file", "file": {"filename": "a.txt", "file_data": data}}]))
    assert result.problem == ""
    sent = json.loads(result.call.body)["messages"][0]["content"][0]["file"]["file_data"]
    assert base64.b64decode(sent.partition(",")[2]).decode() == f"see CARD_1_{TAG}"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([{"type": "text", "text": "pay 4024 0071"}, {"type": "text", "text": " 3456 4847"}], "cannot be located"),
        ([{"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}], "picture"),
        ([{"type": "file", "file": {"file_data": "data:application/pdf;base64,AAECAwQFBgcICQ=="}}], "file"),
        ([{"type": "file", "file": {"file_id": "f"}}], ""),
        ([{"type": "input_audio", "input_audio": {"data": "AAEC", "format": "wav"}}], "file"),
        ("d" * 5_000_000, "cannot be located"),
    ],
    ids=["split", "picture", "binary", "elsewhere", "audio", "too much"],
)
def test_what_cannot_be_replaced_is_a_reason(content: Any, why: str) -> None:
    result = mask(chat(content))
    if why:
        assert result.problem.startswith("cannot be masked: ")
    assert why in result.problem


ENCODED: dict[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 in JSON": lambda text: json.dumps({"payload": base64.b64encode(text.encode()).decode()}),
    "hexadecimal": lambda text: text.encode().hex(),
    "percent": lambda text: "GET /x?q=" + "".join(f"%{byte:02X}" for byte in text.encode()),
    "escapes in code": lambda text: 's = "' + "".join(f"\\u{ord(char):04x}" for char in text) + '"; print(s)',
    "entities": lambda text: "<p>" + "".join(f"&#{ord(char)};" for char in text) + "</p>",
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_a_value_that_only_decoding_shows_keeps_the_call(encoding: str) -> None:
    hidden = ENCODED[encoding]
    asked = chat(hidden("pay 4024 0071 3456 4847 today"))
    assert DETECTORS.scan(asked.parts)
    assert "card in messages[0].content cannot be located" in mask(asked).problem
    assert mask(chat(hidden("pay nobody today, or tomorrow"))).problem == ""


@pytest.mark.parametrize("encoding", [*ENCODED, "zero width"])
def test_a_value_known_from_elsewhere_keeps_the_call_where_it_is_encoded(encoding: str) -> None:
    hide = ENCODED.get(encoding, "\u200b".join)
    pseudonyms = Pseudonyms(TAG)
    mask(chat("my password is hunter2xyz"), pseudonyms)
    again = mask(chat("as I said: " + hide("it is hunter2xyz, as always")), pseudonyms)
    assert "a value of the session in messages[0].content cannot be located" in again.problem


def test_what_is_about_to_leave_is_looked_into_once_more() -> None:
    result = mask(chat("my password is hunter2xyz"))
    sent = EncodedRequest(path="/x", body=result.call.body)
    assert not result.leaks(sent)
    for text in ("hunter2xyz", "hunter2\u200bxyz", ENCODED["base64"]("it is hunter2xyz, as always")):
        assert result.leaks(msgspec.structs.replace(sent, body=json.dumps({"x": [text]}).encode()))
        assert result.leaks(msgspec.structs.replace(sent, headers=(("x", text),)))


def test_national_identifiers_and_phone_numbers_get_placeholders() -> None:
    extra = Detectors(LabelSettings(identifiers=True, phone_regions=("DE",)), load=importlib.import_module)
    result = masked(chat("PESEL: 44051401359, Telefon: 030 901820, again 44051401359"), Pseudonyms(TAG), extra)
    assert result.problem == ""
    said = json.loads(result.call.body)["messages"][0]["content"]
    assert said == f"PESEL: PL_PESEL_1_{TAG}, Telefon: PHONE_2_{TAG}, again PL_PESEL_1_{TAG}"


def test_what_was_declassified_is_no_reason_to_keep_the_call() -> None:
    text = ENCODED["base64"]("pay 4024 0071 3456 4847 today")
    fixture = Declassified(
        id="d1", who="ada", why="a fixture", made=0.0, until=9.0, to=Label.PUBLIC, text_sha256=text_hash(text)
    )
    assert masked(chat(text), Pseudonyms(TAG), DETECTORS, Forgiven(texts=(fixture,))).problem == ""
    session = msgspec.structs.replace(fixture, text_sha256=None, session="s", detectors=("card",))
    assert masked(chat(text), Pseudonyms(TAG), DETECTORS, Forgiven(session=(session,))).problem == ""
    other = msgspec.structs.replace(session, detectors=("iban",))
    assert masked(chat(text), Pseudonyms(TAG), DETECTORS, Forgiven(session=(other,))).problem


def test_a_pattern_that_matches_the_wire_s_own_words_excludes_and_breaks_nothing() -> None:
    everything = Detectors(LabelSettings(patterns={"all": Pattern(pattern="user|content", label=Label.RESTRICTED)}))
    result = masked(chat("the user"), Pseudonyms(TAG), everything)
    assert "without its values it is wrong" in result.problem


def test_a_session_that_is_full_sends_nothing_more() -> None:
    full = Pseudonyms(TAG)
    for number in range(MAX_VALUES):
        full.name("VALUE", f"value number {number}")
    assert "too many" in mask(chat(CARD), full).problem


def test_a_seal_is_a_reason_unless_this_endpoint_made_it_in_this_session() -> None:
    ours = enclose(Seal(wire="chat", origin="far", data="ours"))
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "abcd"},
        {"type": "thinking", "thinking": "", "signature": ours},
    ]
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": "x"},
    ]
    asked = call("messages", {"model": "m", "max_tokens": 9, "messages": turns})
    pseudonyms = Pseudonyms(TAG)
    pseudonyms.remember_seal("near", "abcd")
    assert mask(asked, pseudonyms).problem_at("near") == ""  # the other one is never sent to it
    pseudonyms.remember_seal("far", "abcd")
    assert "messages[1].content[1].signature is sealed" in mask(asked, pseudonyms).problem_at("far")
    pseudonyms.remember_seal("far", "ours")
    assert mask(asked, pseudonyms).problem_at("far") == ""


def test_the_reason_names_no_value() -> None:
    asked = chat("x", odd={CARD: {"signature": "abcd"}, "a b": {"encrypted_content": "abcd"}})
    assert [path for path, _, _ in mask(asked).seals] == ["odd.*.signature", "odd.*.encrypted_content"]


def test_arguments_that_are_called_as_a_seal_are_none() -> None:
    content = [{"type": "tool_use", "id": "c", "name": "n", "input": {"signature": "Ann"}}]
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": "x"},
    ]
    assert mask(call("messages", {"model": "m", "max_tokens": 9, "messages": turns})).seals == ()


def test_what_a_header_says_is_looked_at() -> None:
    asked = msgspec.structs.replace(chat("x"), headers=(("anthropic-beta", f"pay {CARD}"),))
    assert "header" in mask(asked).problem


WORDS = st.lists(
    st.one_of(st.sampled_from([*VALUES, "CARD_1_", TAG, f"CARD_1_{TAG}", '"', "\\", "\n", " ", "é", "😀"]), st.text(max_size=5)),
    min_size=1, max_size=6,
).map(" ".join)  # fmt: skip
TREES = st.recursive(
    WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="ascii"), max_size=4), inner, max_size=3)
        | inner.map(lambda value: json.dumps(value, ensure_ascii=False))
    ),
    max_leaves=6,
)


@given(TREES, WORDS, st.booleans())
@settings(max_examples=150)
def test_masked_and_restored_it_is_what_it_was_and_no_value_leaves(odd: Any, text: str, plain: bool) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": text or "x"}], "odd": odd}
    result = mask(call("chat", json.dumps(body, ensure_ascii=plain).encode()))
    if result.problem:
        return
    sent = json.dumps(json.loads(result.call.body), ensure_ascii=False)
    assert not [value for value in VALUES if value in sent]
    again = mask(call("chat", json.dumps(body, ensure_ascii=not plain).encode()), result.pseudonyms)
    assert json.loads(again.call.body) == json.loads(result.call.body)
    assert result.pseudonyms.restored(json.loads(result.call.body)["messages"][0]["content"]) == (text or "x")
