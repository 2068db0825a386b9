"""How does a command make a call out of what was typed? Text and options to the request that a client would send."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from tierwise.core.call import Call, Hints
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.core.label import Label
from tierwise.wires import chat

MAX_REQUEST_BYTES = 32 * 1024 * 1024


def request(text: str, model: str, *, schema: Path | None = None, stream: bool = False) -> bytes:
    """Return a Chat Completions body for one message. `-` reads the message from standard input."""
    if text == "-":
        text = _standard_input()
    if not text.strip():
        raise InvalidCall("the message is empty: nothing is asked", param="TEXT")
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}]}
    if schema is not None:
        try:
            parsed = msgspec.json.decode(schema.read_bytes())
        except OSError as error:
            raise ConfigError(f"{schema} cannot be read: {error.strerror}", file=str(schema)) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{schema} is not JSON: {error}", file=str(schema)) from error
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": parsed}}
    if stream:
        body["stream"] = True
    return msgspec.json.encode(body)


def _standard_input() -> str:
    if sys.stdin is None:
        raise InvalidCall("standard input is closed", param="TEXT")
    raw = sys.stdin.buffer.read(MAX_REQUEST_BYTES + 1)
    if len(raw) > MAX_REQUEST_BYTES:
        raise InvalidCall(f"the message is larger than {MAX_REQUEST_BYTES // 1024**2} MiB", param="TEXT", status=413)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidCall(f"standard input is not UTF-8 text (byte {error.start})", param="TEXT") from error


def hints(workflow: str | None, label: str | None, session: str | None = None) -> Hints:
    """Return the hints that options state."""
    if label is not None and label not in tuple(Label):
        raise InvalidCall(f"--label {label!r}: one of {', '.join(Label)}", param="--label")
    return Hints(workflow=workflow, label=Label(label) if label else None, session=session)


def decoded(body: bytes, given: Hints) -> Call:
    """Decode a body as the server does."""
    return chat.decode_request(body, given)
