"""What became of one call of a comparison? An answer that can be scored, or the class of its absence.

Pure: reads what the gateway said and the record that it wrote, so it is the same in process and beside a server.
Invariant: only text that a caller could use is `answered`; nothing that is missing has a score.
"""

import json

import msgspec

from tierwise.core.answer import Answer, Choice
from tierwise.core.decision import AttemptRecord, Decision
from tierwise.evals.evidence import OutcomeClass
from tierwise.quality.checks import refused

MAX_DETAIL_CHARS = 200
BY_GATE: dict[str, OutcomeClass] = {
    "empty": "unparsed",
    "truncated": "truncated",
    "json": "unparsed",
    "schema": "unparsed",
    "tool_arguments": "unparsed",
    "refusal": "refusal",
}
"""What a failed gate says of an answer whatever its text; any other one only calls it not good enough."""
BY_ERROR: dict[str, OutcomeClass] = {
    "TimedOut": "timeout",
    "PolicyDenied": "denied",
    "LeakStopped": "denied",
    "BudgetExceeded": "denied",
}


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway said to one call: an answer, one that its gates withheld, or an error; and its record."""

    answer: Answer | None = None
    decision: Decision | None = None
    error: str = ""

    @property
    def last(self) -> AttemptRecord | None:
        """The attempt that decided."""
        return self.decision.attempts[-1] if self.decision is not None and self.decision.attempts else None

    @property
    def resting(self) -> bool:
        """True where nobody was asked because who could answer failed before, or wants to be left alone a while."""
        if self.last is not None:
            return (self.last.error or "").startswith("RateLimited")
        looked_at = self.decision.candidates if self.decision is not None else ()
        return any(one.excluded_by == "health" for one in looked_at)


def outcome_of(heard: Heard) -> tuple[OutcomeClass, str]:
    """Return the class, and for people why an answer is missing."""
    choice = heard.answer.choices[0] if heard.answer is not None and heard.answer.choices else None
    last = heard.last
    if choice is not None and (why := refused(choice)) is not None:
        return "refusal", why
    if choice is not None and choice.finish == "length":
        return "truncated", f"cut off after {len(choice.text)} characters"
    if last is not None and last.gate is not None and last.gate.verdict == "fail" and last.gate.name in BY_GATE:
        return BY_GATE[last.gate.name], last.gate.detail[:MAX_DETAIL_CHARS]
    if choice is not None:
        return ("answered", "") if text_of(choice).strip() else ("unparsed", "no text and no tool call")
    why = heard.error[:MAX_DETAIL_CHARS]
    if last is None:
        return ("failed" if heard.resting else "denied"), why
    name = (last.error or "").partition(":")[0].partition(" ")[0]
    return BY_ERROR.get(name, "failed"), why


def text_of(choice: Choice) -> str:
    """Return what was answered: its text, or the tool calls as JSON; half a character becomes a replacement."""
    text = choice.text
    if not text.strip() and choice.tool_calls:
        text = json.dumps([{"name": tool.name, "arguments": tool.arguments} for tool in choice.tool_calls])
    return text.encode("utf-8", "replace").decode("utf-8")


def accepted(last: AttemptRecord | None) -> bool | None:
    """Return what the gates said of the answer, None where there was none to ask."""
    if last is None or last.gate is None or last.gate.name == "none":
        return None
    return last.gate.verdict == "pass"
