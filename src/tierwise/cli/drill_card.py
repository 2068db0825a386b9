"""A drill in words: what was changed, what survives, what it costs, how long it takes, what is lost, how sure."""

from collections.abc import Callable, Iterator

from tierwise.cli.cost_found import usd
from tierwise.cli.options import table, utc
from tierwise.core.decision import Outcome
from tierwise.drill.deciding import Evidence
from tierwise.drill.file import Head
from tierwise.drill.findings import Findings, Group, Load, Loss, Sum
from tierwise.drill.proofs import Proof
from tierwise.drill.scenario import Scenario
from tierwise.gateway.certified import day

ROWS = 12
EVIDENCE: dict[Evidence, str] = {
    "certified": "certified",
    "out_of_order": "measured; not in the certificate's order",
    "trusted": "declared sufficient by you",
    "none": "nothing is known",
}


def card(head: Head, found: Findings) -> Iterator[str]:
    """Give the lines."""
    yield f"Drill: {changed(head.scenario)}"
    yield f"  {head.source.records:,} records from {utc(head.source.since_ts)} UTC on, {head.calls:,} calls of them"
    share = f" ({100 * found.survives / found.wanted:.1f} %)" if found.wanted else ""
    yield ""
    yield f"{found.survives:,} of {found.wanted:,} calls that are answered today are answered in the drill{share}"
    if found.survives - found.same:
        yield f"  {found.survives - found.same:,} of them by another model"
    yield ""
    whole = (found.whole, *found.workflows) if len(found.workflows) > 1 else (found.whole,)
    for group in whole[: ROWS + 1]:
        yield from _group(group)
    if found.losses:
        yield "What is lost, and why:"
        yield from (line for loss in found.losses[:ROWS] for line in _loss(loss))
        yield from _more(len(found.losses))
        yield ""
    if found.moves:
        rows = [(one.before, one.after, f"{one.calls:,}") for one in found.moves[:ROWS]]
        yield table(("answered today by", "in the drill by", "calls"), rows)
        yield from _more(len(found.moves))
        yield ""
    if found.loads:
        header = ("endpoint", "asked", "at once", "busy", "waited", "longest wait")
        yield table(header, [load_row(one) for one in found.loads])
        yield ""
    yield "How sure this is:"
    yield from how_sure(found)


def changed(scenario: Scenario) -> str:
    """Say in words what is different."""
    parts = [f"without {name}" for name in scenario.without]
    parts += [f"prices of {one.name} {one.value}" for one in scenario.price]
    parts += [f"capacity of {one.name} {one.value}" for one in scenario.capacity]
    parts += [f"{scenario.growth}x the calls"] if scenario.growth != 1 else []
    return ", ".join(parts) or "nothing is changed"


def _group(group: Group) -> Iterator[str]:
    today, drill = group.today, group.drill
    rows: list[tuple[str, ...]] = [
        ("calls", f"{today.calls:,}", f"{drill.calls:,}"),
        *((name, f"{today.outcomes.get(name, 0):,}", f"{drill.outcomes.get(name, 0):,}") for name in _outcomes(group)),
        ("cost", usd(today.cost_usd), usd(drill.cost_usd)),
        ("time, half of them", *_times(group, lambda one: one.took.p50_ms)),
        ("time, 19 of 20", *_times(group, lambda one: one.took.p95_ms)),
        ("of it waiting, 19 of 20", *_times(group, lambda one: one.waited.p95_ms)),
    ]
    if today.late or drill.late:
        rows.append(("after the workflow's limit", f"{today.late:,}", f"{drill.late:,}"))
    for known, said in EVIDENCE.items():
        counts = today.evidence.get(known, 0), drill.evidence.get(known, 0)
        if any(counts):
            rows.append((f"quality: {said}", *(f"{count:,}" for count in counts)))
    least = today.least_quality, drill.least_quality
    if any(one is not None for one in least):
        rows.append(("least certified quality", *("–" if one is None else f"{one:.3f}" for one in least)))
    yield table((group.name, "today", "drill"), rows)
    for name, one in (("today", today), ("the drill", drill)):
        yield from _unknown(name, one)
    yield ""


def _outcomes(group: Group) -> list[Outcome]:
    return list(dict.fromkeys((*group.today.outcomes, *group.drill.outcomes)))


def _times(group: Group, of: Callable[[Sum], float | None]) -> tuple[str, str]:
    return seconds(of(group.today)), seconds(of(group.drill))


def seconds(ms: float | None) -> str:
    """Write a time for people."""
    return "unknown" if ms is None else f"{ms / 1000:.3f} s"


def _unknown(name: str, one: Sum) -> Iterator[str]:
    if one.untimed:
        yield f"  {name}: {one.untimed:,} answers are of models that nobody has timed (--takes MODEL=SECONDS)"
    if one.unmetered:
        yield f"  {name}: {one.unmetered:,} calls have an answer without a price, which the cost leaves out"
    if one.estimated:
        yield f"  {name}: {one.estimated:,} calls cost what their tokens are estimated at"


def _loss(loss: Loss) -> Iterator[str]:
    yield f"  {loss.calls:,} x {loss.workflow}, {loss.label.value}: {loss.outcome} ({loss.cause})"
    yield f"    {loss.reason}"
    yield f"    such as {', '.join(loss.ids)}"


def load_row(one: Load) -> tuple[str, ...]:
    """Return an endpoint on both sides, as cells."""
    return (
        one.endpoint,
        f"{one.asked[0]:,} → {one.asked[1]:,}",
        " → ".join(f"{most} of {count or 'any'}" for most, count in zip(one.most_at_once, one.slots, strict=True)),
        " → ".join("–" if share is None else f"{100 * share:.0f} %" for share in one.busy),
        f"{one.waited[0]:,} → {one.waited[1]:,}",
        f"{one.longest_wait_ms[0] / 1000:.3f} → {one.longest_wait_ms[1] / 1000:.3f} s",
    )


def how_sure(found: Findings) -> Iterator[str]:
    """Say how far the run is from the record, what is proven, and what is not known."""
    check = found.check
    yield f"  today's run asks the same models as the record for {check.alike:,} of {check.calls:,} calls"
    if check.error_p50 is not None and check.error_p95 is not None:
        half, most = (f"{100 * share:.1f} %" for share in (check.error_p50, check.error_p95))
        yield f"  its times are at most {half} off those on record for half of them, {most} for 19 of 20"
    yield from (f"  {_proof(one)}" for one in found.certificates)
    fuller = [one.endpoint for one in found.loads if one.most_at_once[1] > one.most_at_once[0] > 0]
    if fuller:
        names = ", ".join(fuller[:ROWS])
        yield f"  {names} would answer more at once than on record: engines get slower then, a drill does not"
    unbound = [one.endpoint for one in found.loads if one.slots[1] is None and one.asked[1]]
    if unbound:
        names = ", ".join(unbound[:ROWS])
        yield f"  nobody waits at {names}: how many answers they make at once is not known (--slots)"


def _proof(one: Proof) -> str:
    if one.digest is None:
        return f"{one.workflow}: no certificate"
    if one.void:
        return f"{one.workflow}: certificate {one.digest[:19]} does not count: {'; '.join(one.void)}"
    until = "" if one.expires is None else f", until {day(one.expires)}"
    return f"{one.workflow}: {one.guarantee} at most {one.max_wrong} with confidence {one.confidence}{until}"


def _more(count: int) -> Iterator[str]:
    if count > ROWS:
        yield f"  and {count - ROWS} more; --json has all"
