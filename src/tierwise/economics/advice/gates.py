"""Who may do which work at all? Each gate by itself, none made up for by another, none by savings.

Knows no costs. What was not measured leaves a gate open, and open is not passed.
Invariant: a gate that is passed holds at every value that the ranges allow (`careful`), or at the values (`even`).
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

import msgspec

from tierwise.core.label import Tier
from tierwise.economics.advice.organisation import TIERS, Organisation, Quote, Site, Work, place
from tierwise.economics.given import Given

Gate = Literal["data", "region", "offline", "quality", "latency", "capital", "people"]
State = Literal["passed", "failed", "open"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate says of one server for one kind of work (of a plan: without them), and on which figure it rests."""

    gate: Gate
    state: State
    told: str
    work: str = ""
    server: str = ""


def findings(organisation: Organisation, work: Work, server: Site | Quote) -> tuple[Finding, ...]:
    """Ask every gate that has something to ask."""
    return tuple(
        Finding(gate=gate, state=state, told=told, work=work.name, server=server.name)
        for gate, state, told in _asked(organisation, work, server)
    )


def state_of(found: tuple[Finding, ...]) -> State:
    """Return the worst of several: one that failed fails all."""
    states = {one.state for one in found}
    return "failed" if "failed" in states else "open" if "open" in states else "passed"


def _asked(organisation: Organisation, work: Work, server: Site | Quote) -> Iterator[tuple[Gate, State, str]]:
    at, reach = TIERS[place(server)], organisation.reaches(work.label)
    yield "data", _is(at.rank <= reach.rank), f"{work.label} may go as far as {reach}, this is {at}"
    if work.regions:
        known = f"this is in {server.region}" if server.region else "nobody said where this is"
        state: State = "open" if server.region is None else _is(server.region in work.regions)
        yield "region", state, f"only in {', '.join(work.regions)}; {known}"
    if work.offline:
        yield "offline", _is(at is Tier.LOCAL), f"must go on without a network; this is {at}"
    if work.needs:
        right = server.quality.get(work.name)
        yield "quality", at_least(organisation, right, work.needs), f"needs {work.needs} right; {_known(right)}"
    if work.latency_ms is not None:
        took = server.latency_ms
        yield "latency", at_most(organisation, took, work.latency_ms), f"at most {work.latency_ms} ms; {_known(took)}"


def at_least(organisation: Organisation, found: Given | None, limit: Decimal) -> State:
    """Say whether a figure reaches a limit."""
    if found is None:
        return "open"
    if organisation.risk == "even":
        return _is(found.value >= limit)
    return "passed" if found.least >= limit else "open" if found.most >= limit else "failed"


def at_most(organisation: Organisation, found: Given | None, limit: Decimal) -> State:
    """Say whether a figure stays within a limit."""
    if found is None:
        return "open"
    if organisation.risk == "even":
        return _is(found.value <= limit)
    return "passed" if found.most <= limit else "open" if found.least <= limit else "failed"


def _is(holds: bool) -> State:
    return "passed" if holds else "failed"


def _known(found: Given | None) -> str:
    if found is None:
        return "nobody measured it"
    range_ = "" if found.least == found.most else f" ({found.least} to {found.most})"
    return f"{found.value}{range_}, {found.provenance}"
