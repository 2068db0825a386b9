"""Which wire formats are there? The modules of this package that callers, endpoints or both speak."""

from collections.abc import Mapping

from tierwise.wires import chat, count_tokens, embeddings, gemini, messages, ollama, responses
from tierwise.wires.wire import CallerWire, EndpointWire, SharedWire

_SHARED: tuple[SharedWire, ...] = (chat, responses, messages, embeddings, count_tokens)
SHARED: Mapping[str, SharedWire] = {wire.WIRE: wire for wire in _SHARED}
CALLERS: Mapping[str, CallerWire] = {**SHARED}
_OUTWARD: tuple[EndpointWire, ...] = (gemini, ollama)
ENDPOINTS: Mapping[str, EndpointWire] = {**SHARED, **{wire.WIRE: wire for wire in _OUTWARD}}
APART = frozenset((embeddings.WIRE, count_tokens.WIRE))
"""Wires that are turned into no other: their answers are numbers."""
FORGETFUL = frozenset((chat.WIRE,))
"""Wires whose callers have no place for thinking that only its maker reads: they cannot give it back."""
_MESSAGES_HEADERS = ("anthropic-version", "anthropic-beta")
HEADERS: Mapping[str, tuple[str, ...]] = {messages.WIRE: _MESSAGES_HEADERS, count_tokens.WIRE: _MESSAGES_HEADERS}
"""What callers of a wire send in headers for endpoints of the same wire; nothing else of a caller's head goes on."""
