"""What goes out is what was searched: text behind encodings, envelopes, types and splits is found by the detectors."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tierwise.core.conversation import Seal
from tierwise.core.errors import InvalidCall
from tierwise.policy.detect import Detectors, fold
from tierwise.policy.settings import LabelSettings
from tierwise.wires.known import CALLERS
from tierwise.wires.seals import enclose

MARKED = "DE26 5001 0517 5260 1815 90"
LEFT, RIGHT = MARKED[:14], MARKED[14:]
DETECTORS = Detectors(LabelSettings())
PADDING = " and so on" * 1_000


def encoded(text: str, encoding: str = "utf-8") -> str:
    return base64.b64encode(text.encode(encoding)).decode()


def found(wire: str, body: dict[str, Any]) -> set[str]:
    call = CALLERS[wire].decode_request(json.dumps(body).encode())
    return {finding.detector for finding in DETECTORS.scan(call.parts)}


def chat(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": list(blocks)}]}


def messages(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": list(blocks)}]} | more


def responses(*items: dict[str, Any]) -> dict[str, Any]:
    return {"model": "m", "input": list(items)}


def thought(signature: str) -> dict[str, Any]:
    block = {"type": "thinking", "thinking": "hm", "signature": signature}
    said = [{"role": "user", "content": "x"}, {"role": "assistant", "content": [block, {"type": "text", "text": "y"}]}]
    return {"model": "m", "max_tokens": 9, "messages": said}


FILES = ["application/pdf", "application/octet-stream", "text/plain", "text/csv", "image/svg+xml", "x", ""]
TEXTS = {
    "short": encoded(MARKED),
    "odd length": encoded(MARKED + " x"),
    "long": encoded(MARKED + PADDING),
    "latin-1": encoded("Müller " + MARKED + PADDING, "latin-1"),
    "utf-16": encoded(MARKED + PADDING, "utf-16"),
    "utf-16 without a mark": encoded(MARKED + PADDING, "utf-16-le"),
    "with a NUL": encoded("\0" + MARKED + PADDING),
}


@pytest.mark.parametrize("media_type", FILES)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_file_that_is_text_is_searched_whatever_it_calls_itself(media_type: str, text: str) -> None:
    data = f"data:{media_type};base64,{text}"
    assert "iban" in found("chat", chat({"type": "file", "file": {"filename": "f", "file_data": data}}))
    part = {"type": "input_file", "filename": "f", "file_data": data}
    assert "iban" in found("responses", responses({"type": "message", "role": "user", "content": [part]}))
    source = {"type": "base64", "media_type": media_type, "data": text}
    assert "iban" in found("messages", messages({"type": "document", "source": source}))


def test_a_file_that_says_it_is_text_is_searched_however_it_begins() -> None:
    data = base64.b64encode(bytes(range(256)) * 20 + MARKED.encode()).decode()
    told = {"type": "file", "file": {"file_data": f"data:text/plain;base64,{data}"}}
    assert "iban" in found("chat", chat(told))


@pytest.mark.parametrize("head", ["data:,", "data:image/svg+xml,", "data:application/pdf,", "data:x;charset=y,"])
@pytest.mark.parametrize("text", [MARKED, MARKED.replace(" ", "%20")])
def test_a_data_url_without_base64_is_searched(head: str, text: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": head + text}}
    assert "iban" in found("chat", chat(picture))


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": MARKED}},
        {"type": MARKED, "text": "x"},
        {"type": "input_audio", "input_audio": {"data": encoded(MARKED), "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": MARKED, "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": "!" + MARKED, "format": "wav"}},
    ],
)
def test_words_in_a_block_are_searched_wherever_they_stand(block: dict[str, Any]) -> None:
    try:
        assert "iban" in found("chat", chat(block))
    except InvalidCall as refused:
        assert refused.param == "messages[0].content[0].input_audio.data"


SEALS: list[Callable[[str], str]] = [
    lambda text: text,
    encoded,
    lambda text: encoded(text + PADDING),
    lambda text: enclose(Seal(wire="messages", data="signed:" + text)),
    lambda text: enclose(Seal(wire="messages", data="redacted:" + encoded(text + PADDING), origin="e")),
    lambda text: enclose(Seal(wire="responses", data="rs_1 " + text)),
    lambda text: enclose(Seal(wire="gemini", data="thought:" + text)),
]


@pytest.mark.parametrize("seal", SEALS)
@pytest.mark.parametrize("text", [MARKED, MARKED.replace(" ", "")])
def test_a_seal_is_searched_as_it_will_be_written(seal: Callable[[str], str], text: str) -> None:
    assert "iban" in found("messages", thought(seal(text)))
    reasoning = {"type": "reasoning", "summary": [], "encrypted_content": seal(text)}
    assert "iban" in found("responses", responses(reasoning))


def test_a_true_seal_is_not_searched() -> None:
    sealed = base64.b64encode(bytes(n * n % 251 for n in range(3_000))).decode()
    for signature in (sealed, enclose(Seal(wire="responses", data=f"rs_1 {sealed}", origin="e"))):
        call = CALLERS["messages"].decode_request(json.dumps(thought(signature)).encode())
        assert not any(sealed[:40] in part.text for part in call.parts)


def split(wire: str) -> list[dict[str, Any]]:
    kind = "input_text" if wire == "responses" else "text"
    return [{"type": kind, "text": LEFT}, {"type": kind, "text": RIGHT}]


def test_a_split_is_no_way_out_of_results_documents_and_instructions() -> None:
    called = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "n", "input": {}}]}
    result = {"type": "tool_result", "tool_use_id": "a", "content": split("messages")}
    turns = [{"role": "user", "content": "x"}, called, {"role": "user", "content": [result]}]
    assert "iban" in found("messages", messages() | {"messages": turns})
    assert "iban" in found("messages", messages({"type": "text", "text": "x"}, system=split("messages")))
    document = {"type": "document", "source": {"type": "content", "content": split("messages")}}
    assert "iban" in found("messages", messages(document))
    output = {"type": "function_call_output", "call_id": "a", "output": split("responses")}
    call = {"type": "function_call", "call_id": "a", "name": "n", "arguments": "{}"}
    assert "iban" in found("responses", responses(call, output))


@pytest.mark.parametrize("marks", ["\u0315\u0300", "\u0345\u0300\u0327", "\ufe0f\u0301"])
def test_a_letter_with_any_number_of_marks_costs_what_it_is_long(marks: str) -> None:
    """To sort a million marks takes minutes; that a word is behind them must not help it either."""
    assert len(fold("a" + marks * 1_000_000)) < 40
    assert MARKED.encode() in fold("é" + marks * 1_000_000 + MARKED)
