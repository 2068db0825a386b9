"""What are requests made of, and what of it is waste? Tokens by part, repeated passages, dates that have passed.

Pure; asks nobody and knows no price: a part's share of the tokens is its share of what is paid for reading.
Invariant: it counts and measures, and quotes nothing that stands in a field.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from tierwise.evals.item import Item
from tierwise.evals.prompt import PartName, Prompt, parts
from tierwise.wires.tokens import tokens_upper

LEAST_PASSAGE_CHARS = 40
"""Shorter lines repeat without being waste."""
STALE_DAYS = 365
_DATE = re.compile(r"\b(20\d\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])\b")
_FIXED: tuple[PartName, ...] = ("system", "examples", "instructions", "schema")


class PartShare(msgspec.Struct, frozen=True, kw_only=True):
    """What one part of the prompt takes: tokens in all requests, and the share of all that is read."""

    part: PartName
    tokens: int
    share: float


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The hygiene of a prompt over its items; tokens are upper estimates.

    `fixed_share` is the same in every request, so that a cache may hold it. `repeated_share` is that of passages that
    stand in one request more than once; `repeating` are the requests with any. `stale` are requests whose newest date
    is more than `STALE_DAYS` before the day of measuring; `stale_prompt` says so of the prompt's own words.
    """

    requests: int
    tokens: dict[str, int]
    parts: tuple[PartShare, ...]
    fixed_share: float
    repeated_share: float
    repeating: int
    stale: int
    stale_prompt: bool
    unused_fields: tuple[str, ...]


def measure(items: Sequence[Item], prompt: Prompt | None, today: date) -> Context:
    """Measure what the items' requests are made of."""
    made = [parts(prompt, item) for item in items]
    totals: Counter[PartName] = Counter()
    for one in made:
        totals.update({name: tokens_upper(text) for name, text in one.items()})
    whole = max(1, totals.total())
    repeated = [_repeated_chars(one.values()) for one in made]
    fixed = "\n".join(text for name, text in made[0].items() if name in _FIXED) if made else ""
    return Context(
        requests=len(items),
        tokens=_spread([sum(map(tokens_upper, one.values())) for one in made]),
        parts=tuple(
            PartShare(part=name, tokens=count, share=count / whole) for name, count in totals.most_common()
        ),
        fixed_share=sum(totals[name] for name in _FIXED) / whole,
        repeated_share=sum(repeated) / max(1, sum(len(text) for one in made for text in one.values())),
        repeating=sum(count > 0 for count in repeated),
        stale=sum(_stale("\n".join(one.values()), today) for one in made),
        stale_prompt=_stale(fixed, today),
        unused_fields=_unused(items, prompt),
    )  # fmt: skip


def _repeated_chars(texts: Iterable[str]) -> int:
    """Count the characters of passages (lines) of one request that stand there for the second time or later."""
    seen: set[str] = set()
    count = 0
    for text in texts:
        for line in text.replace("\\n", "\n").split("\n"):
            passage = " ".join(line.split())
            if len(passage) >= LEAST_PASSAGE_CHARS:
                count += len(passage) if passage in seen else 0
                seen.add(passage)
    return count


def _stale(text: str, today: date) -> bool:
    dates = [found for match in _DATE.findall(text) if (found := _day(*map(int, match))) is not None]
    return bool(dates) and (today - max(dates)).days > STALE_DAYS


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _unused(items: Sequence[Item], prompt: Prompt | None) -> tuple[str, ...]:
    if prompt is None or not prompt.user:
        return ()
    return tuple(sorted({name for item in items for name in item.fields} - prompt.places))


def _spread(lengths: Sequence[int]) -> dict[str, int]:
    ordered = sorted(lengths) or [0]
    return {name: ordered[round(at * (len(ordered) - 1))] for name, at in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))}
