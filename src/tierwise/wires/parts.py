"""What in a request could be sensitive, and how much is it? What all wires share of the gathering.

Invariant: every string of a body that a wire does not name is in some part all the same, but for values from a closed
list, numbers, and the bytes of pictures, sounds and binary files, which are counted instead.
"""

import base64
import re
import string
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tierwise.core.call import Part, PartKind
from tierwise.core.errors import InvalidCall
from tierwise.wires.hints import is_hint
from tierwise.wires.media import is_base64, media_type_of
from tierwise.wires.seals import open_seal
from tierwise.wires.shape import wrong
from tierwise.wires.tokens import IMAGE_TOKENS, tokens_upper
from tierwise.wires.urls import check_url

_encode = msgspec.json.Encoder().encode

# fmt: off
_FORBIDDEN = frozenset((
    "api_base", "base_url", "api_key", "api_keys", "api_version", "fallbacks", "context_window_fallbacks",
    "headers", "extra_headers", "default_headers", "custom_llm_provider", "model_info", "price", "prices",
    "pricing",
))
# fmt: on
_BLANK = re.compile(r"\s+")
_SNIFFED = 4096
"""So many characters of base64 show whether it is text."""
_TEXTUAL = re.compile(r"data:(?:text/|application/(?:json|xml|yaml|javascript)|[^;,]*\+(?:json|xml))", re.IGNORECASE)
_WHITE = b"\t\n\f\r"
_CONTROL = bytes(code for code in range(32) if code not in _WHITE)
_SEALED = string.ascii_letters + string.digits + "+/=_.-"
_TELLING = 64
"""So many bytes without control characters are words in some encoding; of random ones every ninth is one."""
_SHORT = 128
"""A seal is longer; what is not is searched as it stands."""
_PLAIN_KEY = re.compile(r"[a-z_]{1,64}")
_PRICE = re.compile(
    r".*_(?:cost|price)_per_.*|.*_usd_per_.*|(?:input|output|prompt|completion|cache\w*)_(?:cost|price).*"
)


class Gathered:
    """The parts of one request and what was counted beside them."""

    __slots__ = ("files", "images", "parts", "tokens")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.images = self.files = self.tokens = 0

    def add(self, kind: PartKind, path: str, text: str, role: str = "") -> None:
        """Add one part; empty text is none."""
        if text:
            self.parts.append(Part(kind=kind, path=path, text=text, role=role))
            self.tokens += tokens_upper(text)

    def picture(self, path: str, url: str, role: str = "") -> None:
        """Count a picture by address or data URL. Raises `InvalidCall` for an address inside and for bad base64."""
        check_url(url, path)
        self.images += 1
        self.tokens += IMAGE_TOKENS
        self.add("image", path, _shown(path, url, bare=False)[0], role)

    def address(self, path: str, url: str, role: str = "") -> None:
        """Count a file by its address. Raises `InvalidCall` (`bad_url`) for an address inside."""
        check_url(url, path)
        self.files += 1
        self.add("file", path, url, role)

    def file(self, path: str, data: str, role: str = "") -> None:
        """Count a file in base64 or as a data URL; what of it is text can be searched. Raises for bad base64."""
        self.files += 1
        said, hidden_bytes = _shown(path, data, bare=True)
        self.tokens += hidden_bytes // 2
        self.add("file", path, said, role)

    def sound(self, path: str, data: str, role: str = "") -> None:
        """Count a sound in base64. Raises `InvalidCall` for what is none."""
        self.files += 1
        self.tokens += len(data) // 400
        said, _ = _shown(path, data, bare=True)
        self.parts += [Part(kind="file", path=path, text=said, role=role)] if said else []

    def sealed(self, path: str, data: str, role: str = "") -> None:
        """Add of a seal what others than its maker could read: envelopes are opened, for they are on the way out too.

        A seal is long, of one alphabet, and no text in base64.
        """
        seal = open_seal(data)
        told = data if seal is None else seal.data
        words = told.rstrip(_SEALED)
        tail = told[len(words) :]
        said = _as_text(tail, strict=True) if is_base64(tail) else None
        self.add("metadata", path, (told if len(tail) <= _SHORT else words) + (f"\n{said}" if said else ""), role)

    def called(self, path: str, call: Any, arguments: Any, role: str = "") -> None:
        """Add a tool call; arguments are JSON inside a string and may hide characters behind escapes."""
        said = text(call)
        if isinstance(arguments, str) and "\\" in arguments:
            try:
                said += "\n" + text(msgspec.json.decode(arguments))
            except (msgspec.DecodeError, RecursionError):
                said += "\n" + arguments
        self.add("tool_call", path, said, role)

    def rest(self, path: str, raw: Mapping[str, Any], read: frozenset[str], role: str = "") -> None:
        """Add what no other rule reads. A key that could itself carry data goes into the text, not into the path."""
        for name, value in raw.items():
            if name in read:
                continue
            if not _PLAIN_KEY.fullmatch(name):
                self.add("metadata", path + "*", text({name: value}), role)
            elif value is not None and not isinstance(value, bool):
                self.add("metadata", path + name, text(value), role)

    def metadata(self, said: Mapping[str, Any] | None) -> None:
        """Add the caller's metadata, without hints. Raises `InvalidCall` for what would steer the gateway."""
        for name, value in (said or {}).items():
            if not is_hint(name):
                refuse_control(((name, value),), "metadata.")
                self.add("metadata", "metadata", f"{name}: {text(value)}")

    def unread(self, tree: Mapping[str, Any], read: frozenset[str]) -> None:
        """Add the members of a body that are not read by name. Raises `InvalidCall` for those that would steer."""
        if tree.keys() - read:
            refuse_control(((name, value) for name, value in tree.items() if name not in read), "")
            self.rest("", tree, read)


def refuse_control(members: Iterable[tuple[str, Any]], path: str) -> None:
    """Refuse fields that would steer the gateway. Raises `InvalidCall` (`forbidden_field`)."""
    for name, value in members:
        for inner in _names(name, value):
            if inner in _FORBIDDEN or _PRICE.fullmatch(inner):
                raise InvalidCall(
                    f"A caller must not set {inner[:64]!r}: the gateway's configuration decides it.",
                    param=(path + inner)[:128],
                    code="forbidden_field",
                )


def _names(name: str, value: Any) -> Iterator[str]:
    """Yield the names of members at any depth; the caller's messages, tools and schemas are not searched."""
    yield name
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield from node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def text(value: Any) -> str:
    """Return text as it is, and anything else as JSON."""
    return value if isinstance(value, str) else _encode(value).decode()


def _shown(path: str, data: str, *, bare: bool) -> tuple[str, int]:
    """Return what `shown` does. Raises `InvalidCall` for what says that it is base64, or is `bare`, and is not."""
    said, hidden_bytes = shown(data)
    if said is data and data:  # binary and text in base64 both come back changed, unless they are short
        head, comma, payload = data.partition(",") if data[:5].lower() == "data:" else ("", "", data)
        if (head.lower().endswith(";base64") if comma else bare) and not is_base64(payload):
            raise wrong(path, "is not base64")
    return said, hidden_bytes


def shown(data: str) -> tuple[str, int]:
    """Return what can be read of a URL or of a file's data, and how many bytes cannot.

    Text in base64 is decoded, and the URL then no longer says that it is base64.
    """
    head, comma, payload = data.partition(",") if data[:5].lower() == "data:" else ("", "", data)
    if (head and not head.lower().endswith(";base64")) or not is_base64(payload):
        return data, 0
    said = _as_text(payload, textual=_TEXTUAL.match(head) is not None)
    if said is not None:
        return head[: -len(";base64")] + comma + said, 0
    return (head, len(payload) * 3 // 4) if len(data) > _SNIFFED else (data, 0)


def _as_text(payload: str, *, textual: bool = False, strict: bool = False) -> str | None:
    """Return the text in base64, whatever its encoding; None where its beginning is none and it is not said to be.

    NUL is left out, so that UTF-16 reads like its letters. `strict` takes only UTF-8 for text.
    """
    sample = _from_base64(payload[:_SNIFFED])
    encoding = _encoding(sample, strict=strict)
    if not textual and (encoding is None or media_type_of(payload)):
        return None
    return _from_base64(payload).decode(encoding or "latin-1", "replace").replace("\0", "")


def _encoding(sample: bytes, *, strict: bool) -> str | None:
    """Return how this beginning of a file is encoded, None where it is no text; its last character may be cut."""
    if sample[:2] in (b"\xff\xfe", b"\xfe\xff") and not strict:
        return "utf-16"
    plain = sample.replace(b"\0", b"")
    if 2 * len(plain) < len(sample) - 1:
        return None
    try:
        plain.decode()
    except UnicodeDecodeError as error:
        if error.start < max(len(plain) - 3, 1):
            controls = len(plain) - len(plain.translate(None, _CONTROL))
            return None if strict or len(plain) < _TELLING or 32 * controls > len(plain) else "latin-1"
    return "utf-8"


def _from_base64(payload: str) -> bytes:
    plain = _BLANK.sub("", payload).rstrip("=").replace("-", "+").replace("_", "/")
    whole = plain[: len(plain) - (len(plain) % 4 == 1)]  # one character alone is no byte
    return base64.b64decode(whole + "=" * (-len(whole) % 4))
