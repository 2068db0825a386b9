"""What does an endpoint's error mean, on whatever wire it came?

The shapes differ little (`error` as an object or as text, its code a word or a number), so one reader does for all.
The HTTP status decides first, the vendor's machine code second; prose is passed on, never understood.
Invariant: what is passed on is short, one line, and holds no word that looks like a key or an address.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from tierwise.core.errors import (
    BadReply,
    ContextTooLong,
    Overloaded,
    ProviderError,
    RateLimited,
    Refused,
    Unauthorized,
    Verdict,
)
from tierwise.core.secret import MASK, Secret

MAX_TEXT = 300
_decode = msgspec.json.Decoder().decode

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_SECRET = re.compile(
    r"(?i:\b(?:bearer|basic)\s+|\b(?:key|token|secret|password|provided)[\"']?\s*[:=]\s*[\"']?)(?P<value>[^\s\"',;]{6,})"
    r"|\b(?:sk|pk|rk|ak|key|hf|gh[a-z]|gsk|xai|nvapi|glpat|api|tok|secret)[-_][^\s\"',;]{6,}|\bAIza[\w-]{16,}"
    r"|\b(?=[A-Za-z+/]*\d)[A-Za-z0-9+/]{20,}=*"
    r"|\b[a-z][a-z0-9+.-]*://\S+"
)
_UNPRINTABLE = re.compile(r"[^ -~\xa1-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")

_TOO_LONG = frozenset(("context_length_exceeded", "exceed_context_size_error", "context_window_exceeded"))
_SAYS_TOO_LONG = re.compile(r"maximum context length|context (?:size|length|window)|too many tokens", re.IGNORECASE)
"""Engines without a code for it (vLLM, older llama.cpp and Ollama) only say it."""
SEAL_REFUSED = "thinking_refused"
"""The code of a refusal to read thinking that came from elsewhere, or that was altered."""
_SAYS_SEAL = re.compile(
    r"(?:invalid|verif|decrypt|missing|corrupt|not valid|must|expected|unsigned).*"
    r"(?:signature|thinking|encrypted[_ ]content|thought)|(?:signature|thinking|encrypted[_ ]content|thought).*"
    r"(?:invalid|verif|decrypt|missing|corrupt|not valid|must|expected)",
    re.IGNORECASE,
)
"""No vendor has a code for it."""
_SAYS_UNREADABLE = re.compile(r"failed to parse (?:tools|messages|grammar|\S*schema)", re.IGNORECASE)
"""llama.cpp's server answers 500 where it cannot read a request's tools or schema; asking again changes nothing."""
_SAYS_MODEL_MISSING = re.compile(r"\bmodel\b.*(?:not found|does not exist|not exist)", re.IGNORECASE)
_MODEL_MISSING = frozenset(("model_not_found", "model_not_available", "DeploymentNotFound"))
_OVERLOADED = frozenset(
    ("server_error", "overloaded_error", "overloaded", "internal_server_error", "api_error", "unavailable_error")
)
_RATE = frozenset(("rate_limit_exceeded", "rate_limit_error", "insufficient_quota", "tokens", "requests"))


class Said(msgspec.Struct, frozen=True):
    """What an error body says, each field fit to be logged and passed on."""

    message: str = ""
    code: str | None = None
    type: str | None = None
    status: int | None = None


_NOTHING = Said()


def error_from(
    status: int, headers: Mapping[bytes, bytes], body: bytes, now: float, *, key: Secret | None = None
) -> ProviderError:
    """Read an HTTP error. `headers` have lower-case names; `now` is the wall clock in seconds since the epoch.

    `key` is the endpoint's credential: should the endpoint repeat it, it is masked.
    """
    said = _said_in(body, key)
    return _classify(status, said, retry_after_s(headers, now), f"The endpoint answered {status}")


def error_in_band(value: Any, key: Secret | None = None) -> ProviderError:
    """Read an `error` member that came with status 200."""
    said = _said(value, key)
    lead = "The endpoint reported an error in its answer"
    if said.status is not None:
        return _classify(said.status, said, None, lead)
    names = {said.code, said.type}
    if names & _TOO_LONG:
        return _classify(400, said, None, lead)
    if names & _RATE:
        return _classify(429, said, None, lead)
    if names & _OVERLOADED:
        return _classify(503, said, None, lead)
    error = BadReply(_text(lead, said), code=said.code or "upstream_error")
    error.said = said.message
    return error


def not_an_answer(body: bytes, key: Secret | None = None) -> ProviderError:
    """Make the error for a reply that is not one: an error object, a web page, or junk."""
    head = body[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] == b"<":
        return BadReply("The endpoint sent a web page instead of an answer.", code="upstream_invalid")
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    if isinstance(value, dict) and value.get("error"):
        return error_in_band(value["error"], key)
    what = "something that is not an answer on this wire" if head else "an empty body"
    return BadReply(f"The endpoint sent {what}.", code="upstream_invalid")


def retry_after_s(headers: Mapping[bytes, bytes], now: float) -> float | None:
    """Read how long the endpoint asks to be left alone, in seconds; None if it does not say anything usable."""
    wait = _number(headers.get(b"retry-after-ms"))
    if wait is not None:
        return wait / 1000
    value = headers.get(b"retry-after")
    wait = _number(value)
    if wait is not None or value is None:
        return wait
    try:
        return max(0.0, parsedate_to_datetime(value.decode("latin-1")).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _classify(status: int, said: Said, wait_s: float | None, lead: str) -> ProviderError:
    error = _error(status, said, wait_s, lead)
    error.said = said.message
    return error


def _error(status: int, said: Said, wait_s: float | None, lead: str) -> ProviderError:
    text = _text(lead, said)
    code = said.code or said.type
    names = {said.code, said.type}
    match status:
        case 401 | 403:
            return Unauthorized(text, status=status, code=code)
        case 429:
            return RateLimited(text, status=status, code=code, retry_after_s=wait_s)
        # Without a vendor's words it is a web server, at an address that is not that of the wire.
        case 404 if said == _NOTHING or names & _MODEL_MISSING or _SAYS_MODEL_MISSING.search(said.message):
            return Refused(text, status=status, code=code, verdict=Verdict.NEXT)
        case 408 | 409 | 425:
            return Refused(text, status=status, code=code, retry_after_s=wait_s, verdict=Verdict.RETRY_SAME)
        case _ if 400 <= status < 500 and (names & _TOO_LONG or _SAYS_TOO_LONG.search(said.message)):
            return ContextTooLong(text, status=status, code="context_length_exceeded")
        case 500 if _SAYS_UNREADABLE.search(said.message):
            return Refused(text, status=status, code=code)
        case 400 if code == "invalid_encrypted_content" or _SAYS_SEAL.search(said.message):
            return Refused(text, status=status, code=SEAL_REFUSED)
        case 402 | 405 | 406 | 407 | 410 | 421 | 451:
            return Refused(text, status=status, code=code, verdict=Verdict.NEXT)
        case _ if 400 <= status < 500:
            return Refused(text, status=status, code=code)
        case 501 | 505:
            return Overloaded(text, status=status, code=code, verdict=Verdict.NEXT)
        case _ if 500 <= status < 600:
            return Overloaded(text, status=status, code=code, retry_after_s=wait_s)
        case _:
            return BadReply(text, status=status, code=code or "upstream_invalid")


def _said_in(body: bytes, key: Secret | None) -> Said:
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Said()
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return Said()
    return _said(value.get("error") or value, key)


def _said(value: Any, key: Secret | None) -> Said:
    if isinstance(value, str):
        return Said(message=_clean(value, key))
    if not isinstance(value, dict):
        return Said()
    message, code = value.get("message") or value.get("detail"), value.get("code")
    numbers = (value.get("status"), value.get("status_code"), code)
    return Said(
        message=_clean(message, key) if isinstance(message, str) else "",
        code=_machine_word(code, key),
        type=_machine_word(value.get("type"), key),
        status=next((n for n in numbers if isinstance(n, int) and 400 <= n < 600), None),
    )


def _machine_word(value: Any, key: Secret | None) -> str | None:
    fits = isinstance(value, str) and _CODE.fullmatch(value) and not (key and key.reveal() in value)
    return value if fits else None


def _text(lead: str, said: Said) -> str:
    return f"{lead}: {said.message}" if said.message else f"{lead}."


def _clean(text: str, key: Secret | None) -> str:
    """Put text on one line without keys and addresses, cut to `MAX_TEXT`; a word that the cut would split goes too."""
    if key is not None and key.reveal():
        text = text.replace(key.reveal(), MASK)
    line = _UNPRINTABLE.sub(" ", text[: 4 * MAX_TEXT])
    line = _SECRET.sub(_mask, line)
    return line if len(line) <= MAX_TEXT else line[:MAX_TEXT].rpartition(" ")[0] + " …"


def _mask(found: re.Match[str]) -> str:
    value = found["value"]
    return MASK if value is None else found[0][: -len(value)] + MASK


def _number(value: bytes | None) -> float | None:
    try:
        number = float(value) if value is not None else -1.0
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None
