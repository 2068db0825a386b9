"""What does the caller say about the call? Reads `x-tierwise-…` values, from headers or from `metadata`.

Invariant: a hint is taken whole or refused; a wrong one is never ignored, and labels only add up.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from tierwise.core.call import Hints
from tierwise.core.errors import InvalidCall
from tierwise.core.label import Label, highest
from tierwise.wires.splice import edit, members

PREFIX = "x-tierwise-"
KNOWN = "workflow, label, quality, max-cost-usd, latency-ms and session"


def read_hints(values: Iterable[tuple[str, Any]], *, over: Hints = Hints(), place: str = "") -> Hints:
    """Read hints from (name with prefix, value) pairs. What `over` holds already wins; of two labels the higher.

    `place` is put before the name in errors (`metadata.`). Raises `InvalidCall` for an unknown or wrong hint.
    """
    workflow, label, quality, cost, session = over.workflow, over.label, over.quality, over.max_cost_usd, over.session
    latency = over.latency_ms
    for name, value in values:
        hint = name.lower().removeprefix(PREFIX)
        text = value if isinstance(value, str) else str(value)
        match hint:
            case "workflow":
                read = _name(text, place + name)
                workflow = read if over.workflow is None else workflow
            case "session":
                read = _name(text, place + name)
                session = read if over.session is None else session
            case "label":
                label = highest(filter(None, (label, _label(text, place + name))))
            case "quality":
                amount = float(_number(text, place + name, highest_value=Decimal(1)))
                quality = amount if over.quality is None else quality
            case "max-cost-usd":
                most = _number(text, place + name, highest_value=Decimal(1_000_000))
                cost = most if over.max_cost_usd is None else cost
            case "latency-ms":
                target = float(_number(text, place + name, highest_value=Decimal(86_400_000)))
                latency = target if over.latency_ms is None else latency
            case _:
                raise _wrong(place + name, f"is no hint; known are {KNOWN}")
    return Hints(
        workflow=workflow, label=label, quality=quality, max_cost_usd=cost, latency_ms=latency, session=session
    )


def is_hint(name: str) -> bool:
    """Say whether a member of `metadata` is a hint: in any spelling of a header's name, so that none is passed over."""
    return name.lower().startswith(PREFIX)


def metadata_hints(metadata: Mapping[str, Any] | None, *, over: Hints) -> Hints:
    """Read the hints in a body's `metadata`, as `read_hints` does."""
    said = [(name, value) for name, value in (metadata or {}).items() if is_hint(name)]
    return read_hints(said, over=over, place="metadata.") if said else over


def _name(text: str, param: str) -> str:
    if not 0 < len(text) <= 256 or not text.isprintable():
        raise _wrong(param, "must be 1 to 256 printable characters")
    return text


def _label(text: str, param: str) -> Label:
    try:
        return Label(text)
    except ValueError:
        raise _wrong(param, f"must be one of {', '.join(Label)}") from None


def _number(text: str, param: str, *, highest_value: Decimal) -> Decimal:
    try:
        amount = Decimal(text) if len(text) <= 32 else Decimal("nan")
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or not 0 <= amount <= highest_value:
        raise _wrong(param, f"must be a number from 0 to {highest_value:,}")
    return amount


def _wrong(param: str, what: str) -> InvalidCall:
    return InvalidCall(f"{param[:128]} {what}.", param=param[:128], code="bad_hint")


def without_hints(metadata: bytes, put: dict[str, bytes], drop: set[str]) -> None:
    """Take the hints out of a body's `metadata` (its bytes): into `put` what stays, into `drop` where nothing does."""
    if metadata == b"null":
        return
    spans = members(metadata)
    hints = set(filter(is_hint, spans))
    if hints and len(hints) == len(spans):
        drop.add("metadata")
    elif hints:
        put["metadata"] = edit(metadata, drop=hints, spans=spans)
