"""What is in this file? Base64 and data URLs; its kind, where nobody says, by its first bytes or how its name ends.

Knows no wire. Invariant: what is not known is "", never a guess.
"""

import base64
import binascii
import re
from urllib.parse import urlsplit

DATA_URL = "data:"
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]++={0,2}+\s*+")
_BEGINNINGS = (
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"RIFF....WEBP", "image/webp"),
    (rb"RIFF....WAVE", "audio/wav"),
    (rb"ID3", "audio/mpeg"),
    (rb"OggS", "audio/ogg"),
    (rb"fLaC", "audio/flac"),
    (rb"%PDF-", "application/pdf"),
)
_BEGINS = tuple((re.compile(begins, re.DOTALL), media_type) for begins, media_type in _BEGINNINGS)
_ENDINGS = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
    "bmp": "image/bmp", "heic": "image/heic", "heif": "image/heif", "pdf": "application/pdf", "txt": "text/plain",
    "md": "text/markdown", "html": "text/html", "htm": "text/html", "csv": "text/csv", "xml": "text/xml",
    "json": "application/json", "mp3": "audio/mpeg", "wav": "audio/wav", "ogg": "audio/ogg", "flac": "audio/flac",
    "aac": "audio/aac", "mp4": "video/mp4", "mpeg": "video/mpeg", "mov": "video/quicktime", "webm": "video/webm",
}  # fmt: skip


def is_base64(data: str) -> bool:
    """Say whether a text can be base64, of either alphabet and with white space; one pass, whatever it holds."""
    return _BASE64.fullmatch(data) is not None


def media_type_of(data: str) -> str:
    """Return the media type that base64 shows by its first bytes."""
    try:
        first = base64.b64decode(data[:16].encode())
    except (binascii.Error, UnicodeEncodeError):
        return ""
    return next((media_type for begins, media_type in _BEGINS if begins.match(first)), "")


def media_type_at(place: str) -> str:
    """Return the media type that the end of a file's name or address stands for."""
    try:
        path = urlsplit(place).path
    except ValueError:
        return ""
    return _ENDINGS.get(path.rpartition(".")[2].lower(), "") if "." in path else ""


def split_data_url(url: str) -> tuple[str, str]:
    """Return media type and base64 of a data URL; what is no data URL is taken for bare base64."""
    if url[:5].lower() != DATA_URL:
        return "", url
    head, _, data = url.partition(",")
    return head[5:].partition(";")[0].lower(), data


def data_url(media_type: str, data: str) -> str:
    """Write base64 as a data URL."""
    return f"data:{media_type or 'application/octet-stream'};base64,{data}"
