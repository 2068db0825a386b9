"""What follows from what a probe saw? Each check: what came back goes in, a verdict with its reason comes out.

Pure; asks nobody. Knows no endpoint and no wire.
Invariant: `ignored` is said only where what came back cannot be what was asked, whatever the model's mood; an answer
that could be either is `unclear`.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from tierwise.core.answer import ToolCall
from tierwise.core.usage import Usage
from tierwise.registry.probed import Check, Finding, Verdict

Trouble = Literal["", "refused", "too_long", "failed", "down"]
SHOWN_CHARS = 60
# What the count of read tokens may fall short of the straight line through shorter prompts: template and chance.
LEAST_SHARE = 0.9
LEAST_TOKENS_PER_WORD = 0.5
LONGEST_MARK_CHARS = 16


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What one request brought. `trouble` is why there is no answer, `told` the error's own words; `untold` names
    what the endpoint's wire could not express."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    tokens: int = 0
    finish: str | None = None
    usage: Usage | None = None
    untold: tuple[str, ...] = ()
    trouble: Trouble = ""
    told: str = ""

    @property
    def written(self) -> int | None:
        """The tokens of the answer as the endpoint counts them, hidden ones included; None where it does not."""
        return None if self.usage is None else self.usage.output + self.usage.reasoning

    @property
    def read(self) -> int | None:
        """The tokens of the prompt as the endpoint counts them, cached ones included; None where it does not."""
        if self.usage is None:
            return None
        return self.usage.input + self.usage.cache_read + self.usage.cache_write or None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt of so many words, and what came back."""

    words: int
    seen: Seen


Judged = tuple[Verdict, str]


def finding(check: Check, wire: str, judged: Judged) -> Finding:
    """Put a verdict on record."""
    return Finding(check=check, wire=wire, verdict=judged[0], detail=judged[1])


def schema(seen: Seen, wanted: Any) -> Judged:
    """Judge an answer to a schema that allows one value only, which no free answer would hold."""
    if (trouble := _trouble(seen)) is not None:
        return trouble
    try:
        value = msgspec.json.decode(seen.text)
    except msgspec.DecodeError:
        begun = not seen.text.strip() or seen.text.lstrip().startswith("{")
        if seen.calls or (begun and seen.finish == "length") or not seen.text.strip():
            return "unclear", f"no whole answer came ({seen.finish or 'without a reason to stop'})"
        return "ignored", f"the answer is no JSON: {_shown(seen.text)}"
    if value == wanted:
        return "honoured", "the answer is the only one that the schema allows"
    return "ignored", f"the answer does not fit the schema: {_shown(seen.text)}"


def tools(seen: Seen, name: str, *, forced: bool) -> Judged:
    """Judge an answer that had to be a call of this tool; not `forced`: that was only asked for in words."""
    if (trouble := _trouble(seen)) is not None:
        return trouble
    if any(call.name == name for call in seen.calls):
        return "honoured", "the tool was called" if forced else "the tool was called when asked for in words"
    if seen.finish == "length":
        return "unclear", "the answer was cut before it could call the tool"
    if not forced:
        return "unclear", "the tool cannot be forced here, and was not called when asked for in words"
    return "ignored", f"the forced tool was not called: {_shown(seen.text) or 'an empty answer'}"


def mark_in(text: str) -> str | None:
    """Choose a stop sequence from the middle of a free answer, so that asking again must meet it; None if too short."""
    words = text.split()
    fragments = [word[:LONGEST_MARK_CHARS] for word in words[len(words) // 2 :]] if len(words) > 3 else []
    if len(text.strip()) >= 8:
        middle = len(text) // 2
        fragments.append(text[middle : middle + 3])
    return next((mark for mark in fragments if mark.strip() and text.find(mark) > 0), None)


def stop(free: Seen, mark: str | None, stopped: Seen) -> Judged:
    """Judge the same question asked with a stop sequence that its free answer holds."""
    if (trouble := _trouble(stopped)) is not None:
        return trouble
    if "stop" in stopped.untold:
        return "unclear", "this wire has no stop sequences"
    if mark is None:
        return "unclear", "the free answer is too short to be stopped"
    before, found, after = stopped.text.partition(mark)
    if found and after.strip():
        return "ignored", f"the answer goes on behind the stop sequence {mark!r}"
    if free.text.startswith(before.rstrip()) and len(before) < len(free.text):
        kept = ", which stays at its end" if found else ""
        return "honoured", f"the answer ends at the stop sequence{kept}"
    return "unclear", "the same question got another answer, without the stop sequence in it"


def max_tokens(free: Seen, limit: int, cut: Seen) -> Judged:
    """Judge the same question asked with a limit well below the length of its free answer."""
    if (trouble := _trouble(cut)) is not None:
        return trouble
    long = free.written if free.written is not None else len(free.text.split())
    if long < 2 * limit + 2:
        return "unclear", "the free answer is too short to be cut"
    if cut.written is not None and cut.written > 2 * limit:
        return "ignored", f"{cut.written} tokens came where {limit} were allowed"
    if cut.text and cut.text == free.text and cut.finish != "length":
        return "ignored", f"the whole answer came where {limit} tokens were allowed"
    if cut.finish == "length":
        return "honoured", f"the answer ends after {limit} tokens, as it says"
    return "unclear", "a short answer came that ends by itself"


def logprobs(seen: Seen) -> Judged:
    """Judge an answer for which log-probabilities were asked."""
    if (trouble := _trouble(seen)) is not None:
        return trouble
    if seen.tokens:
        return "honoured", f"they came with {seen.tokens} tokens"
    return ("ignored", "none came") if seen.text else ("unclear", "no answer came")


def stream_usage(seen: Seen) -> Judged:
    """Judge a stream for which usage was asked."""
    if (trouble := _trouble(seen)) is not None:
        return trouble
    if seen.usage is not None:
        return "honoured", f"{seen.read or 0} tokens in, {seen.written} out"
    return "ignored", "the stream told no usage: its tokens are estimated"


def repeats(first: Seen, again: Seen, *, fixed: bool) -> Judged:
    """Judge the same question asked twice, at temperature 0 and with a seed where that was taken (`fixed`)."""
    if (trouble := _trouble(again)) is not None:
        return trouble
    if not fixed:
        return "unclear", "temperature and seed are refused"
    if first.text == again.text:
        return "honoured", "the same answer twice"
    return "ignored", "two answers to the same question at temperature 0 with the same seed"


def tokens_per_word(readings: Sequence[Reading]) -> float | None:
    """Return the slope between the first two readings, None where the endpoint does not count."""
    first, second = readings[0], readings[1]
    if first.seen.read is None or second.seen.read is None:
        return None
    slope = (second.seen.read - first.seen.read) / (second.words - first.words)
    return max(slope, LEAST_TOKENS_PER_WORD)


def cut_short(readings: Sequence[Reading], reading: Reading) -> bool:
    """Say whether clearly fewer tokens were read than the line through the first two readings foretells."""
    slope, first = tokens_per_word(readings), readings[0]
    if slope is None or first.seen.read is None or reading.seen.read is None:
        return False
    return reading.seen.read < LEAST_SHARE * _foretold(readings, reading)


def context(readings: Sequence[Reading], configured: int | None) -> tuple[Judged, int | None]:
    """Judge growing prompts; with the verdict comes what was read at most, where prompts were cut.

    The first two readings set the line. One short count proves nothing: it takes two, of prompts that begin
    differently, so that a cache that is left out of the count is not taken for a cut.
    """
    reads = [one.seen.read for one in readings if one.seen.read is not None]
    if len(readings) < 2 or len(reads) < 2 or tokens_per_word(readings) is None:
        trouble = next((bad for one in readings if (bad := _trouble(one.seen)) is not None), None)
        return trouble or ("unclear", "the endpoint does not tell how many tokens it read"), None
    short = [one for one in readings if cut_short(readings, one)]
    if len(short) > 1:
        sent = round(max(_foretold(readings, one) for one in short))
        told = f"read at most {max(reads):,} tokens of a prompt of about {sent:,}, and said nothing"
        return ("ignored", told), max(reads)
    last = readings[-1].seen
    of = f", of {configured:,} configured" if configured is not None else ""
    if last.trouble == "too_long":
        return ("honoured", f"prompts of up to {max(reads):,} tokens were read{of}; a longer one was refused"), None
    if last.trouble or short:
        return (
            "unclear",
            f"prompts of up to {max(reads):,} tokens were read{of}; then: {last.told or 'once less'}",
        ), None
    return ("honoured", f"prompts of up to {max(reads):,} tokens were read whole{of}"), None


def _foretold(readings: Sequence[Reading], reading: Reading) -> float:
    slope, first = tokens_per_word(readings) or 0.0, readings[0]
    return (first.seen.read or 0) + slope * (reading.words - first.words)


def _trouble(seen: Seen) -> Judged | None:
    match seen.trouble:
        case "":
            return None
        case "refused":
            return "refused", seen.told
        case "too_long" | "failed" | "down":
            return "unclear", seen.told


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return repr(line[:SHOWN_CHARS] + "…" if len(line) > SHOWN_CHARS else line) if line else ""
