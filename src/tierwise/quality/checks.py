"""What can be wrong with an answer? One small pure function for each thing.

A check gets one choice and returns what it saw, in numbers and places, or None. It never repeats the answer's text.
"""

import json
import re
from typing import Any

from tierwise.core.answer import Choice
from tierwise.core.call import Call
from tierwise.quality.schema import CannotCheck, problem

LOOP_TIMES = 8
LOOP_CHARS = 120
LOOP_TAIL = 2_000

_CANNOT = r"i (?:can['’]?t|cannot|can not|am unable to|won['’]?t) "
_DECLINES = r"(?:help|assist|do that|provide|answer|comply|fulfill|continue)"
# How refusals begin, in English, German, French and Spanish. Conservative: only the first words count.
_REFUSAL = re.compile(
    rf"\s*(?:(?:i['’]?m (?:really |very )?sorry|sorry)[,.]?\s*(?:but )?)?(?:{_CANNOT}{_DECLINES}"
    r"|as an ai(?: language model)?[, ]"
    r"|i['’]?m (?:not able|unable) to (?:help|assist|provide|answer)"
    r"|(?:es )?tut mir leid[,.]?.{0,20}(?:kann ich|ich kann).{0,40}nicht"
    r"|je (?:suis désolée?|regrette).{0,30}je ne peux pas"
    r"|lo siento[,.]?.{0,20}no puedo)",
    re.IGNORECASE,
)


def empty(choice: Choice) -> str | None:
    """Nothing that a caller could use: no text, no tool call, no refusal."""
    if choice.text.strip() or choice.tool_calls or choice.refusal:
        return None
    return "no text and no tool call"


def truncated(choice: Choice, call: Call) -> str | None:
    """Cut off, other than by the caller's own limit: that is a normal answer."""
    if choice.finish == "length" and call.features.max_output_tokens is None:
        return f"cut off after {len(choice.text)} characters by the model's own limit"
    return None


def refused(choice: Choice) -> str | None:
    """The model declines, by its own field, by its finish reason, or in the words with which refusals begin."""
    if choice.refusal:
        return "the model refused"
    if choice.finish == "content_filter":
        return "the model's content filter stopped the answer"
    return "the answer begins as refusals do" if _REFUSAL.match(choice.text[:200]) else None


def repeated(choice: Choice) -> str | None:
    """A loop at the end: a unit of up to `LOOP_CHARS` characters, `LOOP_TIMES` times over and more than a line long."""
    tail = choice.text[-LOOP_TAIL:]
    last = len(tail)
    for period in range(1, min(LOOP_CHARS, last // LOOP_TIMES) + 1):
        span = max(period * LOOP_TIMES, 80)
        if span > last:
            continue
        unit = tail[last - period :]
        if unit.strip(" \n\t-=_*#.|") and tail[last - span :] == (unit * (span // period + 1))[-span:]:
            return f"the last {span} characters repeat a unit of {period}"
    return None


def not_json(choice: Choice) -> str | None:
    """Not one JSON value. A tool call instead of text is another matter."""
    if choice.tool_calls or choice.refusal:
        return None
    try:
        json.loads(choice.text)
    except (ValueError, RecursionError):
        return f"{len(choice.text)} characters that are not JSON"
    return None


def off_schema(choice: Choice, schema: dict[str, Any]) -> str | None:
    """JSON that does not fit the schema the caller asked for."""
    if choice.tool_calls or choice.refusal:
        return None
    broken = not_json(choice)
    return broken or _fits(json.loads(choice.text), schema)


def bad_tool_arguments(choice: Choice, tools: dict[str, dict[str, Any]]) -> str | None:
    """A call of a tool that was not offered, or with arguments that are not JSON or do not fit its schema."""
    for place, tool in enumerate(choice.tool_calls):
        if tool.name not in tools:
            return f"tool call {place} names a tool that was not offered"
        try:
            arguments = json.loads(tool.arguments or "{}")
        except (ValueError, RecursionError):
            return f"the arguments of tool call {place} are not JSON"
        if not isinstance(arguments, dict):
            return f"the arguments of tool call {place} are not an object"
        wrong = _fits(arguments, tools[tool.name])
        if wrong is not None:
            return f"the arguments of tool call {place} do not fit: {wrong}"
    return None


def unsure(confidence: float | None, threshold: float) -> str | None:
    """Less sure than the workflow asks for; unknown confidence is not enough."""
    if confidence is None:
        return "no log-probabilities came with the answer"
    return (
        None if confidence >= threshold else f"log-probability {confidence:.3f}, at least {threshold:.3f} is asked for"
    )


def _fits(value: Any, schema: dict[str, Any]) -> str | None:
    try:
        return problem(value, schema)
    except CannotCheck as error:
        return f"the schema cannot be checked here ({error}); switch this gate off for it"
