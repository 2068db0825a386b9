"""May this answer be handed over? Runs the checks that are on, in the order from cheap to telling.

Pure; the first check that fails names the result.
Invariant: every choice of an answer passes, or the answer does not.
"""

import msgspec

from tierwise.core.answer import Answer, Choice
from tierwise.core.call import Call
from tierwise.core.decision import GateRecord
from tierwise.quality import checks
from tierwise.quality.confidence import confidence
from tierwise.quality.settings import Gates


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict for the record, and the answer's confidence where it could be told (the least of its choices)."""

    record: GateRecord
    confidence: float | None = None


def threshold(gates: Gates, model_id: str) -> float | None:
    """Return the least log-probability asked of this model, None for none."""
    least = gates.min_logprob
    return least.get(model_id) if isinstance(least, dict) else least


def needs_logprobs(gates: Gates, model_id: str) -> bool:
    """Say whether a gate can be checked only with the log-probabilities of the answer."""
    return threshold(gates, model_id) is not None


def needs_whole(gates: Gates, call: Call) -> bool:
    """Say whether a stream must be held back to its end: some check can judge only the whole answer."""
    asked = (gates.schema and call.json_schema is not None) or (gates.json and call.features.json)
    return bool(asked or gates.min_logprob is not None or (gates.tool_arguments and call.tools))


def check_answer(gates: Gates, call: Call, answer: Answer, *, model_id: str) -> GateResult:
    """Check a complete answer."""
    if not answer.choices:
        return GateResult(record=GateRecord(name="empty", verdict="fail", detail="no choices"))
    schema = call.json_schema is not None or call.features.json
    sure = [confidence(choice, schema=schema) for choice in answer.choices]
    least = None if any(value is None for value in sure) else min(value for value in sure if value is not None)
    passed: list[str] = []
    for choice, value in zip(answer.choices, sure, strict=True):
        passed = []
        for name, detail in _findings(gates, call, choice, value, model_id):
            if detail is not None:
                return GateResult(record=GateRecord(name=name, verdict="fail", detail=detail), confidence=least)
            passed.append(name)
    return GateResult(record=GateRecord(name=",".join(passed) or "none", verdict="pass"), confidence=least)


def check_head(gates: Gates, head: Answer) -> GateResult:
    """Check the held-back beginning of a stream for what can be seen in it."""
    for choice in head.choices:
        for name, on, detail in (
            ("refusal", gates.refusal, checks.refused),
            ("repetition", gates.repetition, checks.repeated),
        ):
            seen = detail(choice) if on else None
            if seen is not None:
                return GateResult(record=GateRecord(name=name, verdict="fail", detail=seen))
    return GateResult(record=GateRecord(name="head", verdict="pass", detail="the rest was passed on as it came"))


def _findings(
    gates: Gates, call: Call, choice: Choice, sure: float | None, model_id: str
) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    if gates.refusal:
        found.append(("refusal", checks.refused(choice)))
    if gates.empty:
        found.append(("empty", checks.empty(choice)))
    if gates.truncated:
        found.append(("truncated", checks.truncated(choice, call)))
    # An answer that the caller's own limit cut may be anything but whole, and that is what was asked for.
    own_cut = choice.finish == "length" and call.features.max_output_tokens is not None
    if gates.schema and call.json_schema is not None and not own_cut:
        found.append(("schema", checks.off_schema(choice, call.json_schema)))
    elif gates.json and call.features.json and not own_cut:
        found.append(("json", checks.not_json(choice)))
    if gates.tool_arguments and choice.tool_calls and not own_cut:
        found.append(("tool_arguments", checks.bad_tool_arguments(choice, call.tools)))
    if gates.repetition:
        found.append(("repetition", checks.repeated(choice)))
    least = threshold(gates, model_id)
    if least is not None:
        found.append(("min_logprob", checks.unsure(sure, least)))
    return found
