"""May this answer be handed over? Runs the checks that are on, in the order from cheap to telling.

Pure; the first check that fails names the result. A schema that cannot be checked here does not fail an answer (no
model could mend that), but it is not among the checks passed, and the detail says why.
Invariant: every choice of an answer passes, or the answer does not.
"""

from collections.abc import Callable, Iterator

import msgspec

from tierwise.core.answer import Answer, Choice
from tierwise.core.call import Call
from tierwise.core.decision import GateRecord
from tierwise.quality import checks
from tierwise.quality.confidence import confidence
from tierwise.quality.schema import CannotCheck
from tierwise.quality.settings import Gates

Check = Callable[[Choice], str | None]


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


def needs_whole(gates: Gates, call: Call, *, model_id: str | None = None) -> bool:
    """Say whether a stream must be held back to its end: some check can judge only the whole answer.

    With `model_id`, a threshold that names only other models does not count.
    """
    sure = gates.min_logprob is not None if model_id is None else needs_logprobs(gates, model_id)
    asked = (gates.schema and call.json_schema is not None) or (gates.json and call.features.json)
    return bool(asked or sure or (gates.tool_arguments and call.tools))


def check_answer(gates: Gates, call: Call, answer: Answer, *, model_id: str) -> GateResult:
    """Check a complete answer."""
    if not answer.choices:
        return GateResult(record=GateRecord(name="empty", verdict="fail", detail="no choices"))
    schema = call.json_schema is not None or call.features.json
    sure = [confidence(choice, schema=schema) for choice in answer.choices]
    least = None if any(value is None for value in sure) else min(value for value in sure if value is not None)
    used = _used_tokens(answer)
    passed: dict[str, None] = {}
    unchecked: dict[str, str] = {}
    for place, (choice, value) in enumerate(zip(answer.choices, sure, strict=True)):
        own_cut = checks.cut_by_caller(choice, call, used)
        for name, check in _in_force(gates, call, choice, value, model_id, own_cut=own_cut):
            try:
                detail = check(choice)
            except CannotCheck as error:
                unchecked[name] = str(error)
                continue
            if detail is not None:
                where = f"choice {place}: " if len(answer.choices) > 1 else ""
                return GateResult(record=GateRecord(name=name, verdict="fail", detail=where + detail), confidence=least)
            passed[name] = None
    names = ",".join(name for name in passed if name not in unchecked) or "none"
    reasons = "; ".join(f"{name} could not be checked: {why}" for name, why in unchecked.items())
    return GateResult(record=GateRecord(name=names, verdict="pass", detail=reasons), confidence=least)


def check_head(gates: Gates, head: Answer) -> GateResult:
    """Check the held-back beginning of a stream for what can be seen in it."""
    for choice in head.choices:
        for name, on, check in (
            ("refusal", gates.refusal, checks.refused),
            ("repetition", gates.repetition, checks.repeated),
        ):
            seen = check(choice) if on else None
            if seen is not None:
                return GateResult(record=GateRecord(name=name, verdict="fail", detail=seen))
    return GateResult(record=GateRecord(name="head", verdict="pass", detail="the rest was passed on as it came"))


def _used_tokens(answer: Answer) -> int | None:
    """Return what the one choice took, where the endpoint said so."""
    usage = answer.usage
    if usage is None or usage.estimated or len(answer.choices) != 1:
        return None
    return usage.output + usage.reasoning or None


def _in_force(
    gates: Gates, call: Call, choice: Choice, sure: float | None, model_id: str, *, own_cut: bool
) -> Iterator[tuple[str, Check]]:
    """Yield the checks that apply. An answer that the caller's limit cut may be anything but whole, as was asked."""
    if gates.refusal:
        yield "refusal", checks.refused
    if gates.empty and not own_cut:
        yield "empty", checks.empty
    if gates.truncated and not own_cut:
        yield "truncated", checks.truncated
    schema = call.json_schema
    if gates.schema and schema is not None and not own_cut:
        yield "schema", lambda said: checks.off_schema(said, schema)
    elif gates.json and call.features.json and not own_cut:
        yield "json", checks.not_json
    if gates.tool_arguments and choice.tool_calls and not own_cut:
        yield "tool_arguments", lambda said: checks.bad_tool_arguments(said, call.tools)
    if gates.repetition:
        yield "repetition", checks.repeated
    least = threshold(gates, model_id)
    if least is not None:
        yield "min_logprob", lambda _said: checks.unsure(sure, least)
