"""How sure was the model of this answer? From the log-probabilities of its tokens.

For JSON: the sum over the tokens that spell the leaf values; the braces, names and quotes between them say nothing
about the decision. For other text: the mean per token, as a sum would punish length.
Invariant: None where there are no log-probabilities; never above 0.
"""

import re
from collections.abc import Iterator

from tierwise.core.answer import Choice

# A JSON text as tokens: strings, other scalars, and what structures them.
_LEXEME = re.compile(rb'"((?:[^"\\]|\\.)*)"|(-?\d[0-9.eE+\-]*|true|false|null)|([{}\[\]:,])|\s+', re.DOTALL)


def confidence(choice: Choice, *, schema: bool) -> float | None:
    """Return the log-probability of the answer; `schema` says that it was asked for as JSON of a schema."""
    if not choice.tokens:
        return None
    if schema:
        text = b"".join(token.data for token in choice.tokens)
        leaves = list(_leaf_spans(text))
        if leaves:
            return min(0.0, _sum_over(choice, leaves))
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

    A string before a colon is a name, not a value. Text that is not JSON gives nothing.
    """
    waiting: tuple[int, int] | None = None
    at = 0
    while at < len(text):
        found = _LEXEME.match(text, at)
        if found is None:
            return
        at = found.end()
        if found.group(3) == b":":
            waiting = None
        elif found.lastindex is not None:
            if waiting is not None:
                yield waiting
            waiting = found.span(1) if found.group(1) is not None else found.span(2) if found.group(2) else None
    if waiting is not None:
        yield waiting
