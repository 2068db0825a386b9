"""How does sealed thinking travel through a caller who speaks another wire, and find its way back?

A seal is put into an envelope that fits the opaque field of any wire (a signature, an id, encrypted content) and names
where it came from. Knows no wire. Invariant: `open_seal(enclose(seal)) == seal`, and nothing else opens.
"""

import base64
import binascii

import msgspec

from tierwise.core.conversation import Seal

_MARK = "tw1."
"""No vendor's signature begins so: those are plain base64, in which there is no full stop."""


def enclose(seal: Seal) -> str:
    """Put a seal into an envelope of letters, digits, `-`, `_` and `.`."""
    packed = msgspec.msgpack.encode((seal.wire, seal.origin, seal.data))
    return _MARK + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def open_seal(text: str) -> Seal | None:
    """Return the seal in an envelope, None for anything that is none."""
    if not text.startswith(_MARK):
        return None
    packed = text[len(_MARK) :]
    try:
        wire, origin, data = msgspec.msgpack.decode(
            base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True),
            type=tuple[str, str, str],
        )
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
    return Seal(wire=wire, origin=origin, data=data)


def fits(seal: Seal | None, wire: str, endpoint: str) -> bool:
    """Say whether an endpoint of this wire and name can read a seal; one of unknown origin is tried."""
    return seal is not None and seal.wire == wire and seal.origin in ("", endpoint)
