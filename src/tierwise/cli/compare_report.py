"""How is a comparison told? A table for people and the same as JSON. Pure: takes evidence, gives text."""

import statistics
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tierwise.cli.options import table
from tierwise.evals.estimate import Estimate
from tierwise.evals.evidence import Evidence, Observation


def estimate(expected: Estimate) -> str:
    """Say what is about to be asked."""
    times = f", {expected.repeats} times" if expected.repeats > 1 else ""
    lines = [f"{expected.calls:,} calls: {expected.items:,} items{times}, {len(expected.shares)} subjects."]
    for one in expected.shares:
        cost = f"about ${one.cost_usd:.2f}" if one.cost_usd else "no metered cost"
        denied = f"; {one.denied:,} would go to nobody: {one.why}" if one.denied else ""
        lines.append(f"  {one.subject}: {one.calls:,} calls, {cost}{denied}")
    return "\n".join(lines)


def rows(found: Evidence) -> list[dict[str, Any]]:
    """Return what was seen of each subject."""
    return [_row(found, one.name) for one in found.header.subjects]


def _row(found: Evidence, subject: str) -> dict[str, Any]:
    own = [one for one in found.observations if one.subject == subject]
    scores = [one.score for one in own if one.score is not None]
    times = [one.duration_ms for one in own if one.duration_ms is not None and one.outcome == "answered"]
    costs = [one.cost_usd for one in own if one.cost_usd is not None]
    return {
        "subject": subject,
        "baseline": subject == found.header.baseline,
        "calls": len(own),
        "scored": len(scores),
        "quality": statistics.fmean(scores) if scores else None,
        "outcomes": dict(Counter(one.outcome for one in own)),
        "latency_ms_p50": quantile(times, 0.5),
        "latency_ms_p95": quantile(times, 0.95),
        "at_once_most": max((one.at_once for one in own), default=0),
        "cost_usd": sum(costs, Decimal(0)) if costs else None,
        "cost_per_call_usd": sum(costs, Decimal(0)) / len(own) if costs else None,
    }


def quantile(values: Sequence[float], q: float) -> float | None:
    """Return the value that a share `q` of the values does not exceed."""
    return sorted(values)[max(0, -int(-q * len(values) // 1) - 1)] if values else None


def missing(found: Evidence) -> list[Observation]:
    """Return the calls that have no score."""
    return [one for one in found.observations if one.score is None]


def as_json(found: Evidence, folder: Path) -> dict[str, Any]:
    """Return the comparison as JSON holds it."""
    head = found.header
    return {
        "run": head.run,
        "workflow": head.workflow,
        "evidence": str(folder / "evidence.jsonl"),
        "dataset": head.dataset,
        "items": sum(head.items.values()),
        "repeats": head.repeats,
        "scorer": head.scorer,
        "metric": head.metric,
        "concurrency": head.criteria.concurrency,
        "baseline": head.baseline,
        "criteria": head.seal.digest,
        "subjects": rows(found),
    }


def in_words(found: Evidence, folder: Path) -> str:
    """Tell the comparison to people."""
    head = found.header
    told = [f"{head.workflow}, run {head.run}: {sum(head.items.values()):,} items, {head.metric} by {head.scorer}"]
    columns = ("", head.metric, "p50 ms", "p95 ms", "$ a call", "missing")
    lines = []
    for row in rows(found):
        absent = ", ".join(f"{count} {name}" for name, count in sorted(row["outcomes"].items()) if name != "answered")
        cost = row["cost_per_call_usd"]
        lines.append(
            (
                row["subject"] + (" (baseline)" if row["baseline"] else ""),
                "–" if row["quality"] is None else f"{row['quality']:.1%}",
                _ms(row["latency_ms_p50"]),
                _ms(row["latency_ms_p95"]),
                "unmetered" if cost is None else f"{cost:.6f}",
                absent or "none",
            )
        )
    told.append(table(columns, lines))
    told.append(f"Latency at up to {head.criteria.concurrency} calls at once. Evidence: {folder / 'evidence.jsonl'}")
    told.append(f"Next: tierwise decide {head.workflow}")
    return "\n".join(told) + "\n"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"
