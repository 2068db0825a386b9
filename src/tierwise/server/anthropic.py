"""Anthropic's Messages routes, which are not spoken yet: an honest 404 in their own shape."""

import msgspec

ROUTES = frozenset({b"/v1/messages", b"/v1/messages/count_tokens"})


def not_yet() -> bytes:
    """Return the error body."""
    message = "Tierwise does not speak the Messages wire yet; use POST /v1/chat/completions"
    return msgspec.json.encode({"type": "error", "error": {"type": "not_found_error", "message": message}})
