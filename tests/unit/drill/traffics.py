"""Traffic by hand: calls that came at given times and took given times, over the endpoints of the unit tests."""

from collections.abc import Sequence

from tierwise.core.call import Features
from tierwise.core.label import Label
from tierwise.core.usage import Usage
from tierwise.drill.traffic import Call, Ended, Kind, Traffic, Try

SERVERS = {"near": "here", "scoped": "here", "mid": "own", "far": "out"}
S = 1_000_000


def tried(model: str, takes_s: float, ended: Ended = "answered", starts_s: float = 0.0, written: int = 10) -> Try:
    usage = Usage(input=100, output=written) if ended != "failed" else None
    return Try(model, SERVERS[model], ended, round(starts_s * S), round(takes_s * S), None, usage)


def call(number: int, at_s: float, *tries: Try, kind: int = 0) -> Call:
    outcome = "answered" if tries and tries[-1].ended == "answered" else "failed"
    return Call(f"call-{number:06}", round((1000 + at_s) * S), kind, 100, 0, outcome, tries)


def kind(model: str = "auto", label: Label = Label.INTERNAL, workflow: str | None = None) -> Kind:
    return Kind(model=model, label=label, workflow=workflow, features=Features(input_tokens_est=0))


def traffic(calls: Sequence[Call], *kinds: Kind) -> Traffic:
    return Traffic(kinds=kinds or (kind(),), calls=tuple(calls), skipped=0)


def queued(times: Sequence[tuple[float, float]], slots: int, model: str = "near") -> list[Call]:
    """Serve `(arrival, service time)` first come, first served, and return it as it would be recorded."""
    free, calls = [0.0] * slots, []
    for number, (at, takes) in enumerate(times):
        begins = max(at, min(free))
        free[free.index(min(free))] = begins + takes
        calls.append(call(number, at, tried(model, begins + takes - at)))
    return calls
