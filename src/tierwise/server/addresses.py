"""At which address is which wire spoken? What a refusal is written in is known from it, before anything else is read.

Knows no routes. Invariant: an address that nobody serves is answered in the words of Chat Completions, or of the family
that it stands in.
"""

from tierwise.wires import chat
from tierwise.wires.known import CALLERS, HEADERS
from tierwise.wires.wire import CallerWire

PATHS = {
    "chat": b"/v1/chat/completions",
    "responses": b"/v1/responses",
    "messages": b"/v1/messages",
    "embeddings": b"/v1/embeddings",
    "count_tokens": b"/v1/messages/count_tokens",
}
WIRES: dict[bytes, CallerWire] = {path: CALLERS[name] for name, path in PATHS.items() if name in CALLERS}
HEALTH = frozenset({b"/healthz", b"/readyz"})
"""Who asks here needs no key."""
SAYS_MESSAGES = HEADERS["messages"][0].encode()
"""A caller that sends this header speaks Messages, also where others do not."""


def spoken_at(path: bytes, *, says_messages: bool = False) -> CallerWire:
    """Return the wire that the callers of an address speak; its errors are written in it."""
    if path.startswith(PATHS["messages"]) or (says_messages and path.startswith(b"/v1/models")):
        return CALLERS["messages"]
    return WIRES.get(path, chat)


def meant(path: bytes) -> str:
    """Say which address was meant by one whose `/v1` is missing or doubled; else which there are."""
    near = next((one.decode() for one in PATHS.values() if path.rstrip(b"/").endswith(one.removeprefix(b"/v1"))), None)
    if near is not None:
        return f"; did you mean {near}? An OpenAI client's base URL ends in /v1, an Anthropic client's does not"
    calls = ", ".join(one.decode() for one in PATHS.values())
    return f"; calls go to {calls}; GET /v1/models lists the models; the pages, for a browser, are at /ui/"


def named(path: bytes) -> bool:
    """Say whether an address is that of one thing in a family. Dots alone name nothing: elsewhere they are steps."""
    return path.count(b"/") == 3 and not path.endswith((b"/", b"/.", b"/.."))
