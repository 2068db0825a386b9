"""Of which kind a file is: by its first bytes, or by how its name ends, and otherwise unknown."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.conversations import PIXEL
from tierwise.wires.media import media_type_at, media_type_of


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a\x01\0\x01\0", "image/gif"),
        (b"RIFF\n\x01\x02\x03WEBPVP8 ", "image/webp"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
        (b"ID3\x04\0", "audio/mpeg"),
        (b"OggS\0", "audio/ogg"),
        (b"fLaC\0", "audio/flac"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"GIF88a", ""),
        (b"RIFF\x24\0\0\0AVI ", ""),
        (b" %PDF-1.7", ""),
        (b"hello", ""),
        (b"", ""),
    ],
)
def test_a_file_shows_its_kind_by_its_first_bytes(data: bytes, media_type: str) -> None:
    assert media_type_of(base64_of(data)) == media_type


@pytest.mark.parametrize("data", ["é", "****", "A", "%PDF-1.7", "iVBORw0K!", "\udcff"])
def test_what_is_no_base64_has_no_kind(data: str) -> None:
    assert media_type_of(data) == ""


def test_a_real_picture_is_one() -> None:
    assert media_type_of(PIXEL) == "image/png"


@given(st.text())
def test_any_text_is_looked_at_without_failing(text: str) -> None:
    assert isinstance(media_type_of(text), str)
    assert isinstance(media_type_at(text), str)


@given(st.binary(max_size=64))
def test_only_the_beginning_counts(rest: bytes) -> None:
    assert media_type_of(base64_of(b"%PDF-1.7 " + rest)) == "application/pdf"


@pytest.mark.parametrize(
    ("place", "media_type"),
    [
        ("a.png", "image/png"),
        ("A.JPG", "image/jpeg"),
        ("my.report.final.pdf", "application/pdf"),
        ("https://example.com/a/b.mp4?x=1.png#y.gif", "video/mp4"),
        ("https://example.com/a.csv", "text/csv"),
        ("gs://bucket/song.flac", "audio/flac"),
        ("https://example.com/picture", ""),
        ("https://example.com", ""),
        ("https://files.example.com/v1/files/abc", ""),
        ("pdf", ""),
        ("a.exe", ""),
        ("", ""),
        ("http://[", ""),
    ],
)
def test_a_name_tells_its_kind_by_its_end(place: str, media_type: str) -> None:
    assert media_type_at(place) == media_type
