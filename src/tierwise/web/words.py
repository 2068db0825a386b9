"""How are amounts, times and names written on pages? Pure; the same words everywhere."""

from datetime import UTC, datetime
from decimal import Decimal

PICO = Decimal(10) ** -12


def usd(picousd: int | None) -> str:
    """Write picodollars; what is not metered is a dash."""
    if picousd is None:
        return "–"
    amount = picousd * PICO
    if amount == 0:
        return "$0"
    if abs(amount) >= 100:
        return f"${amount:,.0f}"
    if abs(amount) >= 1:
        return f"${amount:,.2f}"
    if abs(amount) < Decimal("0.000001"):
        return "< $0.000001"
    return f"${float(f'{amount:.3g}'):.8f}".rstrip("0").rstrip(".")


def money(amount: Decimal | None) -> str:
    """Write an amount in dollars; None is a dash."""
    if amount is None:
        return "–"
    sign, size = "-" if amount < 0 else "", abs(amount)
    return sign + usd(int(size.scaleb(12)))


def dollars(amount: float) -> str:
    """Write an amount on an axis."""
    if amount == 0:
        return "$0"
    return f"${amount:,.0f}" if amount >= 10 else f"${amount:.3g}"


def number(things: int) -> str:
    """Write a number of things, whole."""
    return f"{things:,}"


def count(number: float) -> str:
    """Write a number of things, short."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(number) >= size:
            return f"{number / (1e3 if unit == 'k' else size):.3g}{unit}"
    return f"{number:,.0f}"


def duration(ms: float | None) -> str:
    """Write a duration; None is a dash."""
    if ms is None:
        return "–"
    if ms < 1000:
        return f"{ms:.0f} ms" if ms >= 10 or ms == 0 else f"{ms:.1f} ms"
    return f"{ms / 1000:.1f} s" if ms < 60_000 else f"{ms / 60_000:.1f} min"


def span(seconds: float) -> str:
    """Write a time of hours or days."""
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:.1f} days"


def share(part: float, whole: float) -> str:
    """Write a share in percent; of nothing a dash."""
    if not whole:
        return "–"
    value = 100 * part / whole
    return f"{value:.0f} %" if value in (0, 100) or 1 <= value <= 99 else f"{value:.2g} %"


def moment(ts: float) -> str:
    """Write a Unix time, in UTC."""
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M:%S")


def clock(ts: float) -> str:
    """Write the time of the day, in UTC."""
    return datetime.fromtimestamp(ts, UTC).strftime("%H:%M:%S")


TIERS = {"local": "local", "self_hosted": "self-hosted", "frontier": "frontier", "": "nowhere"}
OUTCOMES = {
    "answered": "answered", "flagged": "answered, flagged", "review": "for review", "refused": "refused",
    "failed": "failed", "broken": "broken off", "cancelled": "cancelled", "interrupted": "interrupted",
    "pending": "under way", "dry_run": "dry run",
}  # fmt: skip

VERDICTS = {
    "ok": "answered", "retry_same": "failed; the same one may be asked again", "next": "failed; another may serve it",
    "escalate": "did not pass its checks", "stop": "failed, and so did the call",
    "stopped": "stopped before anything was sent", "cancelled": "the caller left", "": "no outcome is recorded",
}  # fmt: skip
DUTIES = {
    "no_store": "nothing of it is stored for later turns", "no_fallback": "this one alone, or nobody",
    "human_review": "a person looks at the answer", "pseudonymise": "values are replaced by placeholders",
    "require_all": "an endpoint must be told everything", "deny": "not allowed",
}  # fmt: skip
FILTERS = {
    "tasks": "is for other tasks", "tool_loop": "did not begin this tool loop", "capability": "cannot do this",
    "context": "too long for it", "price_unknown": "its price is unknown", "budget": "its cost", "health": "it rests",
    "pseudonymise": "values that cannot be replaced", "models": "not among the key's models",
}  # fmt: skip


def verdict(name: str) -> str:
    """Say what followed an attempt."""
    return VERDICTS.get(name, name)


def duty(name: str) -> str:
    """Say what a duty asks for."""
    return DUTIES.get(name, name)


def excluded(by: str | None) -> str:
    """Say what excluded a candidate: a ceiling, a rule, the key, or one of the router's filters."""
    kind, _, name = (by or "").partition(":")
    if not name:
        return FILTERS.get(kind, kind or "not reached")
    told = {"ceiling": f"the ceiling of {name} data", "rule": f"the rule {name}"}
    return told.get(kind, f"the key: {FILTERS.get(name, name)}" if kind == "key" else f"{kind} {name}")


def source(name: str) -> str:
    """Say who or what set a label."""
    kind, _, of = name.partition(":")
    told = {"detector": f"the detector {of}", "declassified": f"declassified {of}"}
    plain = {
        "caller": "the caller",
        "workflow": "its workflow",
        "session": "its session",
        "stored": "an earlier answer",
    }
    return told.get(kind, plain.get(name, name))
