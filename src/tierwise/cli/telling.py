"""How is a decision told to a person? Lines of words, the same everywhere.

Pure: takes a decision, gives lines. Invariant: no content of a call is in them, as none is in a decision.
"""

import math
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tierwise.cli.options import plain
from tierwise.core.capacity import CapacityRecord
from tierwise.core.decision import (
    AttemptRecord,
    CandidateRecord,
    CertificateRecord,
    ContentRecord,
    Decision,
    GateRecord,
    RuleRecord,
)

WIDTH = 80
COUNTING = "count_tokens"


def short(decision: Decision) -> Iterator[str]:
    """Say the label and who set it, every candidate with its reason, what came of it."""
    sources = ", ".join(s.source + (f" at {s.detail}" if s.detail else "") for s in decision.label.sources)
    yield f"  {decision.id}: label {decision.label.value} (by {sources})"
    tried = {attempt.model: attempt for attempt in decision.attempts}
    for candidate in decision.candidates:
        yield f"    {candidate.model:14} {candidate.tier:12} {fate(candidate, tried.get(candidate.model))}"
    last = decision.attempts[-1].model if decision.attempts else None
    by = f" by {last}" if last and decision.outcome in ("answered", "flagged") else ""
    yield f"    → {decision.outcome}{by}"


def fate(candidate: CandidateRecord, attempt: AttemptRecord | None) -> str:
    """Say what became of one candidate."""
    if attempt is None:
        if not candidate.allowed:
            return f"excluded by {candidate.excluded_by}: {candidate.reason}"
        return "not needed" if candidate.score else candidate.reason
    if attempt.gate is not None and attempt.gate.verdict == "fail":
        return f"asked, passed on by the gate {attempt.gate.name}: {attempt.gate.detail}"
    if attempt.error is not None:
        return f"asked, failed: {attempt.error}"
    sure = f", confidence {math.exp(attempt.confidence):.0%}" if attempt.confidence is not None else ""
    return f"answered{sure}"


def whole(decision: Decision) -> Iterator[str]:
    """Tell everything about a decision."""
    when = datetime.fromtimestamp(decision.ts, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield f"Decision {decision.id}" + (f", number {decision.seq}" if decision.seq else "")
    yield f"  {when}, outcome {decision.outcome}" + (f": {decision.error}" if decision.error else "")
    counting = decision.caller_wire == COUNTING
    asked = f"  {'asked for a count of tokens by' if counting else 'asked for'} {decision.requested_model}"
    asked += "" if counting else f" on {decision.caller_wire}"
    yield asked + (f", workflow {decision.workflow}" if decision.workflow else "") + f", strategy {decision.strategy}"
    if decision.key_id or decision.session:
        known = (("with the key", decision.key_id), ("in the session", decision.session))
        yield "  " + ", ".join(f"{what} {name}" for what, name in known if name)
    yield "  " + ", ".join(_wanted(decision))
    yield f"Label {decision.label.value}"
    for source in decision.label.sources:
        yield f"  {source.label} by {source.source}" + (f" at {source.detail}" if source.detail else "")
    yield "Candidates"
    for candidate in sorted(decision.candidates, key=_place):
        yield from _candidate(candidate)
    if not decision.candidates:
        yield "  none"
    if decision.attempts:
        yield "Attempts"
    for number, attempt in enumerate(decision.attempts, 1):
        yield from _attempt(number, attempt)
    if decision.reason:
        yield f"Reason: {decision.reason}"
    if decision.obligations:
        yield f"Duties: {', '.join(decision.obligations)}"
    if decision.certificate:
        yield f"Certificate: {_certificate(decision.certificate)}"
    if decision.content:
        yield f"Content: {_content(decision.content)}"
    if decision.dropped:
        yield f"Dropped: {', '.join(decision.dropped)}"
    yield from _said("Feedback", decision.feedback)
    yield from _said("Review", decision.review)
    cost = _cost(decision)
    baseline = f"; at the baseline ${decision.baseline_cost_usd:f}" if decision.baseline_cost_usd is not None else ""
    yield f"Cost: {cost}{baseline}"
    digests = (decision.policy_digest[:23], decision.price_digest, decision.registry_digest)
    yield "Under policy {}, prices {}, registry {}".format(*digests)


def _said(what: str, said: dict[str, Any] | None) -> Iterator[str]:
    """Say what people said of the answer."""
    if said is None:
        return
    yield f"{what}: " + (f"{said['score']:g}" if "score" in said else str(said.get("state", "")))
    for remark in said.get("remarks", ()):
        took = f" after {remark['seconds']:g} s" if remark["seconds"] is not None else ""
        note = f": {remark['note']}" if remark["note"] else ""
        yield f"  {remark['score']:g} by {remark['who'] or 'somebody here'}{took}{note}"


def _candidate(candidate: CandidateRecord) -> Iterator[str]:
    """Say what became of one candidate, which rules applied and how busy it was."""
    place = "–" if candidate.score is None else f"{int(candidate.score) + 1}."
    kind = "own cost about" if candidate.own else "about"
    cost = f", {kind} ${candidate.expected_cost_usd:f}" if candidate.expected_cost_usd is not None else ""
    why = candidate.reason if candidate.allowed else f"excluded by {candidate.excluded_by}: {candidate.reason}"
    yield f"  {place:3} {candidate.model} ({candidate.tier}, {candidate.endpoint}{cost}): {why}"
    yield from (f"      {_rule(rule)}" for rule in candidate.rules or ())
    if candidate.capacity:
        yield f"      {busy(candidate.capacity)}"


def _wanted(decision: Decision) -> list[str]:
    """Say what the call asks of whoever serves it."""
    features = decision.features
    wanted = [f"at most {features.input_tokens_est} tokens in"]
    wanted += [f"at most {features.max_output_tokens} out"] if features.max_output_tokens else []
    wanted += [f"within {decision.latency_target_ms / 1000:g} s"] if decision.latency_target_ms else []
    wanted += [what for what, on in (("streamed", features.stream), ("as JSON of a schema", features.schema)) if on]
    wanted += [_count(features.tools, "tool")] if features.tools else []
    wanted += [_count(features.images, "image")] if features.images else []
    return wanted


def busy(record: CapacityRecord) -> str:
    """Say how busy a model is and what a call there is expected to take, as far as that is known."""
    told = []
    if record.loaded is not None:
        told.append("loaded" if record.loaded else "not loaded")
    if record.slots is not None and record.requests is not None:
        waiting = max(record.requests - record.slots, 0)
        told.append(f"{record.requests - waiting} of {_count(record.slots, 'slot')} busy")
        told += [f"{waiting} waiting"] if waiting else []
    elif record.requests is not None:
        told.append(f"{_count(record.requests, 'request')} under way")
    told += [f"context {record.context_tokens}"] if record.context_tokens is not None else []
    parts = (("wait", record.wait_ms), ("load", record.load_ms), ("answer", record.answer_ms))
    spent = " + ".join(f"{what} {ms / 1000:.3g}" for what, ms in parts if ms)
    if record.latency_ms is not None:
        told.append(f"about {record.latency_ms / 1000:.3g} s ({spent})")
    return ", ".join(told)


def _rule(rule: RuleRecord) -> str:
    """Say what a rule does to a candidate, and what made it apply."""
    does = {"deny": "denies", "require_all": "lets nothing be lost"}
    effects = ", ".join(does.get(effect, f"asks {effect}") for effect in rule.effects)
    return f"{rule.rule} {effects}" + (f": {'; '.join(rule.because)}" if rule.because else "")


def _certificate(record: CertificateRecord) -> str:
    """Say whether the workflow's certificate counted, and why it did not."""
    name = record.digest[:19]
    return f"{name}, in force" if record.valid else f"{name} gave nothing: {'; '.join(record.void)}"


def _content(record: ContentRecord) -> str:
    """Say in what form content was kept, and why in less than was configured."""
    sides = (("request", record.request), ("answer", record.answer))
    told = [f"{name} {side.kept}" + (f" ({side.why})" if side.why else "") for name, side in sides if side is not None]
    return ", ".join(told)


def _place(candidate: CandidateRecord) -> float:
    """Order candidates as they were to be tried; those left out stand last."""
    return math.inf if candidate.score is None else candidate.score


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _cost(decision: Decision) -> str:
    if not decision.attempts:
        return "none, nobody was asked"
    return "unmetered" if decision.total_cost_usd is None else f"${decision.total_cost_usd:f}"


def _attempt(number: int, attempt: AttemptRecord) -> Iterator[str]:
    took = f" in {attempt.duration_ms:.1f} ms" if attempt.duration_ms is not None else ""
    on = f" on {attempt.wire}" if attempt.wire not in (None, COUNTING) else ""
    served = f" (served as {attempt.served_model})" if attempt.served_model not in (None, attempt.model) else ""
    yield f"  {number}. {attempt.model} at {attempt.endpoint}{on}{served}{took}: {attempt.verdict}"
    if attempt.error:
        yield f"     {attempt.error}"
    if attempt.gate is not None:
        yield f"     {_gates(attempt.gate)}"
    if attempt.confidence is not None:
        yield f"     confidence {math.exp(attempt.confidence):.1%} (log-probability {attempt.confidence:.3f})"
    if attempt.usage is not None and attempt.wire != COUNTING:
        usage, estimated = attempt.usage, " (estimated)" if attempt.usage.estimated else ""
        yield f"     {usage.read} tokens in, {usage.written} out{estimated}"
    if attempt.suspicion is not None:
        yield f"     suspicious: {attempt.suspicion}"
    cost = f"${attempt.cost_usd:f}" if attempt.cost_usd is not None else attempt.cost_reason or "unknown"
    own = f", ${attempt.own_usd:f} of a machine of your own" if attempt.own_usd else ""
    yield f"     cost {cost}{own}"


def _gates(said: GateRecord) -> str:
    detail = f": {said.detail}" if said.detail else ""
    match said.name, said.verdict:
        case "none", _:
            return f"no gate{detail}"
        case "head", "pass":
            return f"its beginning passed the gates{detail}"
        case names, "pass":
            return f"passed the gates {names.replace(',', ', ')}{detail}"
        case name, _:
            return f"failed the gate {name}{detail}"


def wrapped(lines: Iterator[str], width: int = WIDTH) -> str:
    """Fit lines to the width, continuing each under its own beginning."""
    found = []
    for raw in lines:
        line = plain(raw)
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        # A path or a name stays in one piece, to be copied.
        found.append(
            textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
        )
    return "\n".join(found)
