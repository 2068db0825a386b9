"""What is sent to an endpoint? The value that every wire's `encode_request` returns."""

import msgspec


class EncodedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One POST: `path` goes behind the endpoint's URL, `dropped` names parameters that the target cannot take."""

    path: str
    body: bytes
    dropped: tuple[str, ...] = ()
