"""How is a record written? As JSON with the contract's field names in their order, nulls included.

Amounts are JSON numbers with every digit that the `Decimal` had, so that decoding gives the same value back.
Invariant: `decode_decision(encode_decision(d)) == d`, and the same decision gives the same bytes.
"""

import msgspec

from tierwise.core.decision import Decision
from tierwise.core.errors import StoreError
from tierwise.ledger.contents import Contents
from tierwise.ledger.intent import Intent

_encoder = msgspec.json.Encoder(decimal_format="number")
_decisions = msgspec.json.Decoder(Decision)
_intents = msgspec.json.Decoder(Intent)


def encode_decision(decision: Decision) -> bytes:
    """Return the decision as JSON; `StoreError` where it holds what JSON cannot (a lone surrogate)."""
    return _encode(decision)


def encode_with_content(decision: Decision, contents: Contents | None) -> bytes:
    """Return the decision as JSON, with what is kept of the call as its last member `kept_content`."""
    told = None if contents is None else contents.told()
    return encode_decision(decision)[:-1] + b',"kept_content":' + msgspec.json.encode(told) + b"}"


def encode_intent(intent: Intent) -> bytes:
    """Return the intent as JSON; `StoreError` where it holds what JSON cannot (a lone surrogate)."""
    return _encode(intent)


def decode_decision(record: bytes) -> Decision:
    """Return the decision; `StoreError` where the bytes are not one."""
    try:
        return _decisions.decode(record)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise StoreError(f"a record of the ledger cannot be read: {error}") from error


def decode_intent(record: bytes) -> Intent:
    """Return the intent; `StoreError` where the bytes are not one."""
    try:
        return _intents.decode(record)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise StoreError(f"an intent of the ledger cannot be read: {error}") from error


def _encode(value: Decision | Intent) -> bytes:
    try:
        return _encoder.encode(value)
    except (msgspec.MsgspecError, UnicodeError, TypeError) as error:
        raise StoreError(f"the record of call {value.id!a} cannot be written: {error}") from error
