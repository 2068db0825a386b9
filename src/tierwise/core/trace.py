"""Which trace does a call belong to? What a caller says in W3C headers, and ids of our own that follow from a record.

A header that does not fit the standard is no header: it is neither repaired nor handed on; `tracestate` is not read.
Invariant: the same record has the same ids, in every process and at any time.
"""

import re
from collections.abc import Iterable
from hashlib import blake2b

import msgspec

TRACEPARENT, BAGGAGE = "traceparent", "baggage"
COUNTED = "tierwise.counted"
"""The member of `baggage` with which a caller says that it reports this call's tokens and costs itself."""
MAX_TRACEPARENT_CHARS, MAX_BAGGAGE_CHARS = 256, 8192
_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Trace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the caller said. `id` and `parent` in hexadecimal, None where it named no trace."""

    id: str | None = None
    parent: str | None = None
    sampled: bool = True
    counted: bool = False


def read(traceparent: str | None, baggage: str | None) -> Trace | None:
    """Return what two headers say, None where that is nothing."""
    counted = baggage is not None and _counted(baggage)
    found = _PARENT.fullmatch(traceparent) if traceparent and len(traceparent) <= MAX_TRACEPARENT_CHARS else None
    if found is None or (found[1] == "00" and found[5]):
        return Trace(counted=True) if counted else None
    return Trace(id=found[2], parent=found[3], sampled=bool(int(found[4], 16) & 1), counted=counted)


def _counted(baggage: str) -> bool:
    if len(baggage) > MAX_BAGGAGE_CHARS:
        return False
    members: Iterable[str] = (member.partition(";")[0] for member in baggage.split(","))
    return any([part.strip() for part in member.split("=", 1)] == [COUNTED, "true"] for member in members)


def trace_id(ident: str) -> str:
    """Return the id of the trace that the call of this decision begins."""
    return blake2b(ident.encode(), digest_size=16, person=b"tierwise.trace").hexdigest()


def span_id(ident: str, attempt: int | None = None) -> str:
    """Return the id of the span of the whole call, or of one attempt, counted from 0."""
    place = b"" if attempt is None else b"#%d" % attempt
    return blake2b(ident.encode() + place, digest_size=8, person=b"tierwise.span").hexdigest()


def handed_on(ident: str, attempt: int, caller: Trace | msgspec.UnsetType | None = None) -> tuple[tuple[str, str], ...]:
    """Return the headers that tell an endpoint which span asks it, and that the call is counted here."""
    said = caller if isinstance(caller, Trace) else Trace()
    parent = f"00-{said.id or trace_id(ident)}-{span_id(ident, attempt)}-0{int(said.sampled)}"
    return ((TRACEPARENT, parent), (BAGGAGE, f"{COUNTED}=true"))
