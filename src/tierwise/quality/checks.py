"""What can be wrong with an answer? One small pure function for each thing.

A check gets one choice and returns what it saw, in numbers and places, or None. It never repeats the answer's text.
Those of schemas raise `CannotCheck` for a schema that is not understood here.
"""

import json
import re
from typing import Any, NoReturn

from tierwise.core.answer import Choice
from tierwise.core.call import Call
from tierwise.quality.schema import problem

LOOP_TAIL = 4_000
"""Characters at the end of an answer in which a loop is looked for."""
LOOP_CHARS = 80
"""What a loop covers at least."""
LONG_UNIT = 40
"""From this length on a unit that comes `LONG_TIMES` times in a row is a loop; a shorter one must come `TIMES`."""
TIMES, LONG_TIMES = 8, 5
_SUFFIX_CHARS = 16
_RULERS = " \n\t-=_*#.|"
SLACK_TOKENS = 4
"""By so many tokens servers differ in what they count towards a limit."""

_CANNOT = r"i (?:can['’]?t|cannot|can not|am unable to|won['’]?t) "
_DECLINES = r"(?:help|assist|do that|provide|answer|comply|fulfill|continue)"
# How refusals begin, in eight languages. Conservative: only the first words count.
_REFUSAL = re.compile(
    rf"\s*(?:(?:i['’]?m (?:really |very )?sorry|sorry)[,.]?\s*(?:but )?)?(?:{_CANNOT}{_DECLINES}"
    r"|as an ai(?: language model)?[, ]"
    r"|i['’]?m (?:not able|unable) to (?:help|assist|provide|answer)"
    r"|(?:es )?tut mir leid[,.]?.{0,20}(?:kann ich|ich kann).{0,40}nicht"
    r"|(?:ik kan|het spijt me[,.]?.{0,20}ik kan).{0,30}niet (?:mee |bij )?(?:helpen|beantwoorden)"
    r"|je (?:suis désolée?|regrette).{0,30}je ne peux pas"
    r"|lo siento[,.]?.{0,20}no puedo (?:ayudar|responder|proporcionar|hacer)"
    r"|mi dispiace[,.]?.{0,20}non posso (?:aiutar|risponder|fornir|far)"
    r"|(?:desculpe|sinto muito|lamento)[,.]?.{0,20}não posso (?:ajudar|responder|fornecer|fazer)"
    r"|(?:很?抱歉|对不起)[，,].{0,8}(?:无法|不能)(?:提供|回答|帮助|协助)"
    r"|申し訳(?:ありません|ございません)が.{0,30}(?:できません|できかねます))",
    re.IGNORECASE,
)


def empty(choice: Choice) -> str | None:
    """Nothing that a caller could use: no text, no tool call, no refusal."""
    if choice.text.strip() or choice.tool_calls or choice.refusal:
        return None
    return "no text and no tool call"


def cut_by_caller(choice: Choice, call: Call, used_tokens: int | None) -> bool:
    """Return whether the caller's own limit ended the answer: a normal answer, however incomplete.

    `used_tokens` is what the answer took, where that is known: an answer that stopped well below the limit was cut by
    something else.
    """
    limit = call.features.max_output_tokens
    if choice.finish != "length" or limit is None:
        return False
    return used_tokens is None or used_tokens + SLACK_TOKENS >= limit


def truncated(choice: Choice) -> str | None:
    """Cut off by the model's or the server's own limit."""
    return f"cut off after {len(choice.text)} characters" if choice.finish == "length" else None


def refused(choice: Choice) -> str | None:
    """The model declines, by its own field, by its finish reason, or in the words with which refusals begin."""
    if choice.refusal:
        return "the model refused"
    if choice.finish == "content_filter":
        return "the model's content filter stopped the answer"
    return "the answer begins as refusals do" if _REFUSAL.match(choice.text[:200]) else None


def repeated(choice: Choice) -> str | None:
    """A loop at the end: one unit over and over, up to where the answer stops."""
    tail = choice.text[-LOOP_TAIL:]
    if len(tail) < LOOP_CHARS:
        return None
    end = tail[-_SUFFIX_CHARS:]
    # A period can only be where the last characters stood before.
    place = tail.rfind(end, 0, -1)
    while place >= 0:
        period = len(tail) - len(end) - place
        if period * LONG_TIMES > len(tail):
            return None
        span = max(period * (LONG_TIMES if period >= LONG_UNIT else TIMES), LOOP_CHARS)
        if span <= len(tail) and tail[-span:-period] == tail[period - span :] and tail[-period:].strip(_RULERS):
            return f"the last {span} characters repeat a unit of {period}"
        place = tail.rfind(end, 0, place + len(end) - 1)
    return None


def not_json(choice: Choice) -> str | None:
    """Not one JSON value. A tool call instead of text is another matter."""
    return None if choice.tool_calls or choice.refusal else _parsed(choice.text)[1]


def off_schema(choice: Choice, schema: dict[str, Any]) -> str | None:
    """JSON that does not fit the schema the caller asked for."""
    if choice.tool_calls or choice.refusal:
        return None
    value, broken = _parsed(choice.text)
    return broken or problem(value, schema)


def bad_tool_arguments(choice: Choice, tools: dict[str, dict[str, Any]]) -> str | None:
    """A call of a tool that was not offered, or with arguments that are not JSON or do not fit its schema."""
    for place, tool in enumerate(choice.tool_calls):
        if tool.name not in tools:
            return f"tool call {place} names a tool that was not offered"
        arguments, broken = _parsed(tool.arguments or "{}")
        if broken is not None:
            return f"the arguments of tool call {place} are not JSON"
        if not isinstance(arguments, dict):
            return f"the arguments of tool call {place} are not an object"
        wrong = problem(arguments, tools[tool.name])
        if wrong is not None:
            return f"the arguments of tool call {place} do not fit: {wrong}"
    return None


def unsure(confidence: float | None, threshold: float) -> str | None:
    """Less sure than the workflow asks for; unknown confidence is not enough."""
    if confidence is None:
        return "no log-probabilities came with the answer"
    if threshold > 0:
        return "none of its answers is accepted"
    return (
        None if confidence >= threshold else f"log-probability {confidence:.3f}, at least {threshold:.3f} is asked for"
    )


def _parsed(text: str) -> tuple[Any, str | None]:
    """Return the JSON value, or what is wrong. NaN and Infinity are not JSON."""
    try:
        return json.loads(text, parse_constant=_no_constant), None
    except (ValueError, RecursionError):
        return None, f"{len(text)} characters that are not JSON"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
