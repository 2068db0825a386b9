"""How is a comparison told? A table for people and the same as JSON. Pure: takes evidence, gives text.

What it says is description; whether it proves anything is the verdict's to say. Without NumPy there are no intervals.
"""

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tierwise.cli.options import plain, table
from tierwise.core.extras import install
from tierwise.evals.estimate import Estimate
from tierwise.evals.evidence import Evidence
from tierwise.evals.judges import calibrated, tally

WITHOUT = f"Intervals need the extra `evals`: {install('evals')}"


def estimate(expected: Estimate) -> str:
    """Say what is about to be asked."""
    times = f", {expected.repeats} times" if expected.repeats > 1 else ""
    lines = [f"{expected.calls:,} calls: {expected.items:,} items{times}, {len(expected.shares)} subjects."]
    for one in expected.all:
        cost = f"about ${one.cost_usd:.2f}" if one.cost_usd else "no metered cost"
        denied = f"; {one.denied:,} would go to nobody: {one.why}" if one.denied else ""
        lines.append(f"  {one.subject}: {one.calls:,} calls, {cost}{denied}")
    return "\n".join(lines)


Scores = Mapping[str, tuple[float, str]]


def rows(found: Evidence) -> list[dict[str, Any]]:
    """Return what was seen of each subject, and of its difference from the baseline on the same items."""
    scores = {one.name: item_scores(found, one.name) for one in found.header.subjects}
    base = scores[found.header.baseline]
    table = [_row(found, name, own, base) for name, own in scores.items()]
    tests = [
        None if row["baseline"] else _mcnemar(found, own, base) for row, own in zip(table, scores.values(), strict=True)
    ]
    return [row | {"mcnemar": test} for row, test in zip(table, _holm(tests), strict=True)]


def _mcnemar(found: Evidence, own: Scores, base: Scores) -> dict[str, Any] | None:
    """Count the items on which one of both alone is right, with the exact test of their being equals.

    None where items are not independent of each other, as repeats and clusters of several are not.
    """
    both = own.keys() & base.keys()
    if not both or found.header.repeats > 1 or len({own[item][1] for item in both}) < len(both):
        return None
    least = found.header.criteria.right_from
    right = [(own[item][0] >= least, base[item][0] >= least) for item in both]
    alone, baseline = (sum(pair == wanted for pair in right) for wanted in ((True, False), (False, True)))
    try:
        from tierwise.statistics.paired import mcnemar
    except ImportError:
        return None
    return {"alone_right": alone, "baseline_alone_right": baseline, "p": mcnemar(alone, baseline)}


def _holm(tests: Sequence[dict[str, Any] | None]) -> list[dict[str, Any] | None]:
    """Add what each p-value is among so many."""
    made = [one for one in tests if one is not None]
    if not made:
        return list(tests)
    from tierwise.statistics.paired import holm

    adjusted = iter(holm([one["p"] for one in made]))
    return [None if one is None else one | {"p_holm": next(adjusted)} for one in tests]


def item_scores(found: Evidence, subject: str) -> Scores:
    """Return a subject's score for each item that has one, the mean over its repeats, and the item's cluster."""
    seen: dict[str, tuple[list[float], str]] = {}
    for one in found.observations:
        if one.subject == subject and one.score is not None:
            seen.setdefault(one.item, ([], one.cluster))[0].append(one.score)
    return {item: (statistics.fmean(scores), cluster) for item, (scores, cluster) in seen.items()}


def _row(found: Evidence, subject: str, own: Scores, base: Scores) -> dict[str, Any]:
    seen = [one for one in found.observations if one.subject == subject]
    times = [one.duration_ms for one in seen if one.duration_ms is not None and one.outcome == "answered"]
    costs = [one.cost_usd for one in seen if one.cost_usd is not None]
    is_base = subject == found.header.baseline
    both = [(own[item][0] - base[item][0], own[item][1]) for item in own if item in base]
    judged = tally(found, subject)
    return {
        "subject": subject,
        "baseline": is_base,
        "calls": len(seen),
        "scored": sum(one.score is not None for one in seen),
        "quality": _interval(list(own.values()), found.header.criteria.confidence, 0.0),
        "difference": None if is_base else _interval(both, found.header.criteria.confidence, -1.0),
        "outcomes": dict(sorted(Counter(one.outcome for one in seen).items())),
        "latency_ms_p50": quantile(times, 0.5),
        "latency_ms_p95": quantile(times, 0.95),
        "at_once_most": max((one.at_once for one in seen), default=0),
        "cost_usd": sum(costs, Decimal(0)) if costs else None,
        "cost_per_item_usd": sum(costs, Decimal(0)) / len({one.item for one in seen}) if costs else None,
        "judged": msgspec.structs.asdict(judged) if any(msgspec.structs.astuple(judged)) else None,
    }


def _interval(values: Sequence[tuple[float, str]], confidence: float, least: float) -> dict[str, Any] | None:
    """Return a mean over items with its interval, by clusters; None where there is no value."""
    if not values:
        return None
    found = {"mean": statistics.fmean(value for value, _ in values), "low": None, "high": None, "items": len(values)}
    try:
        from tierwise.statistics.paired import difference
    except ImportError:
        return found
    told = difference([value for value, _ in values], [cluster for _, cluster in values], confidence)
    return found if told is None else found | {"low": max(least, told.low), "high": told.high}


def quantile(values: Sequence[float], q: float) -> float | None:
    """Return the value that a share `q` of the values does not exceed."""
    return sorted(values)[max(0, -int(-q * len(values) // 1) - 1)] if values else None


def as_json(found: Evidence, folder: Path) -> dict[str, Any]:
    """Return the comparison as JSON holds it."""
    head = found.header
    return {
        "run": head.run,
        "workflow": head.workflow,
        "evidence": str(folder / "evidence.jsonl"),
        "dataset": head.dataset,
        "items": sum(head.items.values()),
        "splits": head.items,
        "repeats": head.repeats,
        "scorer": head.scorer,
        "metric": head.metric,
        "concurrency": head.criteria.concurrency,
        "confidence": head.criteria.confidence,
        "baseline": head.baseline,
        "criteria": head.seal.digest,
        "subjects": rows(found),
    }


def in_words(found: Evidence, folder: Path) -> str:
    """Tell the comparison to people."""
    head, seen = found.header, rows(found)
    splits = ", ".join(f"{count:,} {name}" for name, count in head.items.items())
    told = [f"{head.workflow}, run {head.run}: {splits} items, scored by {head.scorer}"]
    columns = ("", head.metric, "difference", "p50 ms", "p95 ms", "$ an item", "missing")
    told.append(table(columns, [_line(row) for row in seen]))
    told += [line for row in seen if (line := _tested(found, row)) is not None]
    told += [line for row in seen if (line := _judged(found, row)) is not None]
    told.append(
        f"{head.criteria.confidence:.0%} intervals, by clusters; latency at {head.criteria.concurrency} calls at once."
    )
    if any(row["quality"] is not None and row["quality"]["low"] is None for row in seen):
        told.append(WITHOUT)
    told += [f"Evidence: {folder / 'evidence.jsonl'}", *_next(found)]
    return "".join(f"{plain(line)}\n" for one in told for line in one.split("\n"))


def _next(found: Evidence) -> Iterator[str]:
    """Say why scores are missing where the scorer is the reason, and what to do next."""
    flow = found.header.workflow
    why = Counter(one.detail or "" for one in found.observations if one.outcome == "scorer_failed")
    if why:
        yield f"The scorer failed {why.total():,} times, mostly so: {plain(why.most_common(1)[0][0])}"
        yield f"Next: mend it, then tierwise compare {flow} --rescore, which asks nobody"
        return
    yield f"Next: tierwise decide {flow} for the verdict, tierwise certify {flow} for what may be promised"


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    absent = ", ".join(f"{count} {name}" for name, count in row["outcomes"].items() if name != "answered")
    cost, difference = row["cost_per_item_usd"], row["difference"]
    return (
        row["subject"] + (" (baseline)" if row["baseline"] else ""),
        _share(row["quality"], ""),
        "" if row["baseline"] else _share(difference, "+"),
        _ms(row["latency_ms_p50"]),
        _ms(row["latency_ms_p95"]),
        "unmetered" if cost is None else f"{cost:.6f}",
        absent or "none",
    )


def _share(found: Mapping[str, Any] | None, sign: str) -> str:
    """Write a mean in per cent with its interval."""
    if found is None:
        return "–"
    mean = f"{100 * found['mean']:{sign}.1f}"
    return (
        mean if found["low"] is None else f"{mean} ({100 * found['low']:{sign}.1f} to {100 * found['high']:{sign}.1f})"
    )


def _tested(found: Evidence, row: Mapping[str, Any]) -> str | None:
    test = row["mcnemar"]
    if test is None:
        return None
    p = f"p {test['p']:.2g}" + (f", {test['p_holm']:.2g} by Holm" if len(found.header.subjects) > 2 else "")
    return (
        f"{row['subject']} alone is right on {test['alone_right']:,} items, {found.header.baseline} alone on "
        f"{test['baseline_alone_right']:,}; of equals (exact McNemar) {p}"
    )


def _judged(found: Evidence, row: Mapping[str, Any]) -> str | None:
    """Say what a judge said of a candidate, and what that is worth where people spoke too."""
    said = row["judged"]
    if said is None:
        return None
    counts = ", ".join(f"{count} {name}" for name, count in said.items() if count)
    line = f"{row['subject']} against {found.header.baseline}, judged: {counts}"
    seen = calibrated(found, row["subject"])
    if not seen.complete:
        return line + "; not calibrated: `tierwise review` has people judge the same answers"
    try:
        from tierwise.statistics.judge import corrected
    except ImportError:
        return line
    true = corrected(seen.judged, seen.n, seen.sensitivity, seen.specificity, found.header.criteria.confidence)
    if true is None:
        return line + "; by people's measure this judge is no better than a coin"
    return line + f"; by people's measure not worse on {true.value:.0%} ({true.low:.0%} to {true.high:.0%})"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"
