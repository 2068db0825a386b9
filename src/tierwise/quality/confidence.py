"""How sure was the model of this answer? From the log-probabilities of its tokens.

For JSON: the sum over the tokens that spell the leaf values; the braces, names and quotes between them say nothing
about the decision. For other text: the mean per token, as a sum would punish length.
Invariant: None where there are no log-probabilities or they do not spell the answer; never above 0.
"""

import math
import re
from collections.abc import Iterator

from tierwise.core.answer import Choice

# A JSON text as tokens: strings, other scalars, and what structures them.
_LEXEME = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"|(-?\d[0-9.eE+\-]*|true|false|null)|([{}\[\]:,])|\s+', re.DOTALL)


def confidence(choice: Choice, *, schema: bool) -> float | None:
    """Return the log-probability of the answer; `schema` says that it was asked for as JSON of a schema.

    A JSON answer whose values the tokens do not all spell (a server that cuts or re-writes them) has no confidence:
    a mean over tokens is not comparable with the sum that thresholds are fitted on.
    """
    if not choice.tokens or any(math.isnan(token.logprob) for token in choice.tokens):
        return None
    leaves = sum(1 for _ in _leaf_spans(choice.text.encode("utf-8", "replace"))) if schema else 0
    if leaves:
        spans = list(_leaf_spans(b"".join(token.data for token in choice.tokens)))
        return min(0.0, _sum_over(choice, spans)) if len(spans) == leaves else None
    return min(0.0, sum(token.logprob for token in choice.tokens) / len(choice.tokens))


def _sum_over(choice: Choice, spans: list[tuple[int, int]]) -> float:
    """Add up the tokens that overlap a span, each once."""
    total, at, left = 0.0, 0, iter(spans)
    span = next(left, None)
    for token in choice.tokens:
        end = at + len(token.data)
        while span is not None and span[1] <= at:
            span = next(left, None)
        if span is None:
            break
        if at < span[1] and end > span[0]:
            total += token.logprob
        at = end
    return total


def _leaf_spans(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield the byte span of each leaf value; of a string, what stands between its quotes.

    A string before a colon is a name, not a value. Of an empty string it is the closing quote: closing at once was the
    decision. Text that is not JSON gives what could be read of it.
    """
    waiting: tuple[int, int] | None = None
    at = 0
    while at < len(text):
        found = _LEXEME.match(text, at)
        if found is None:
            break
        at = found.end()
        if found.group(3) == b":":
            waiting = None
        elif found.lastindex is not None:
            if waiting is not None:
                yield waiting
            waiting = _value_span(found)
    if waiting is not None:
        yield waiting


def _value_span(found: re.Match[bytes]) -> tuple[int, int] | None:
    if found.group(1) is not None:
        start, end = found.span(1)
        return start, max(end, start + 1)
    return found.span(2) if found.group(2) is not None else None
