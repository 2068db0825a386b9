"""Seals and files that are no text are told from what can be read."""

import base64

import pytest

from tierwise.core.call import Call, Features
from tierwise.core.conversation import Seal
from tierwise.wires.opaque import core, document, seal_at, unreadable
from tierwise.wires.seals import enclose


@pytest.mark.parametrize(
    ("path", "sealed"),
    [
        ("messages[1].content[0].signature", True),
        ("messages[1].content[0].data", True),
        ("input[3].encrypted_content", True),
        ("messages[1].content[0].source.data", False),
        ("messages[1].content[0].input.signature", False),
        ("messages[1].content[0].text", False),
    ],
)
def test_a_seal_is_known_by_its_place(path: str, sealed: bool) -> None:
    assert (seal_at(path, "abc") is not None) is sealed


def test_an_envelope_says_where_it_came_from() -> None:
    assert seal_at("messages[1].content[0].signature", enclose(Seal(wire="w", origin="far", data="x"))) == Seal(
        wire="w", origin="far", data="x"
    )


@pytest.mark.parametrize("seal", ["signed:abc", "redacted:abc", "rs_1 abc", "abc"])
def test_what_comes_back_of_a_seal_is_its_core(seal: str) -> None:
    assert core(seal) == "abc"


@pytest.mark.parametrize("head", ["", "data:text/plain;base64,", "data:application/json;base64,"])
def test_text_in_base64_is_read_and_written(head: str) -> None:
    found = document(head + base64.b64encode("grüße an alle".encode()).decode())
    assert found is not None
    assert found.text == "grüße an alle"
    assert found.written("so") == head + base64.b64encode(b"so").decode()


@pytest.mark.parametrize("data", [b"\x00\x01\x02\x03\xff", b"\xff" * 9000, b"so far text" * 900 + b"\xff\xfe"])
def test_what_is_no_text_is_no_document(data: bytes) -> None:
    assert document("data:application/pdf;base64," + base64.b64encode(data).decode()) is None


@pytest.mark.parametrize(
    ("images", "files", "documents", "opaque"), [(1, 0, 0, True), (0, 2, 1, True), (0, 2, 2, False)]
)
def test_a_request_is_readable_if_each_of_its_files_is(images: int, files: int, documents: int, opaque: bool) -> None:
    features = Features(input_tokens_est=1, images=images, files=files)
    call = Call(wire="chat", body=b"{}", model="m", parts=(), features=features)
    assert bool(unreadable(call, documents)) is opaque
