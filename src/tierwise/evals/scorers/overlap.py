"""How much do the words overlap? ROUGE-1, ROUGE-2 and ROUGE-L as F1, and chrF by sacrebleu.

ROUGE as Lin defined it (2004), on lower-cased words without stemming. Words are runs of letters and digits of any
script, where the reference implementation keeps only ASCII; on ASCII text the two agree.
Source: C.-Y. Lin, ROUGE: A Package for Automatic Evaluation of Summaries, ACL 2004.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tierwise.core.errors import ConfigError
from tierwise.core.extras import without
from tierwise.evals.item import Item
from tierwise.evals.scorers.score import Score, Scorer, Simple
from tierwise.evals.scorers.text import best, f1

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Return the words that count."""
    return _WORD.findall(text.lower())


def rouge_n(said: str, right: str, n: int) -> float:
    """Return the F1 of runs of n words."""
    return _f1(*(list(zip(*(tokens[k:] for k in range(n)), strict=False)) for tokens in (words(said), words(right))))


def rouge_l(said: str, right: str) -> float:
    """Return the F1 of the longest common subsequence of words."""
    a, b = words(said), words(right)
    return 2 * common(a, b) / (len(a) + len(b)) if a and b else 0.0


def common(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, a word of `b` at a time over all of `a` in one integer.

    Source: H. Hyyrö, Bit-parallel LCS-length computation revisited, 2004.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(a)) - 1
    row = every
    for word in b:
        met = row & places.get(word, 0)
        row = ((row + met) | (row - met)) & every
    return len(a) - row.bit_count()


def _f1(said: Sequence[Any], right: Sequence[Any]) -> float:
    return f1(map(str, said), map(str, right)) if said and right else 0.0


def rouge_1(text: str, reference: Any, _item: Item) -> Score:
    """F1 of words."""
    return best(text, reference, lambda said, right: rouge_n(said, right, 1))


def rouge_2(text: str, reference: Any, _item: Item) -> Score:
    """F1 of pairs of words."""
    return best(text, reference, lambda said, right: rouge_n(said, right, 2))


def rouge_longest(text: str, reference: Any, _item: Item) -> Score:
    """F1 of the longest common subsequence."""
    return best(text, reference, rouge_l)


def chrf(spec: str, rest: str, _base: Path) -> Scorer:
    """Make the scorer of chrF, between 0 and 1. ConfigError where the extra `scorers` is missing."""
    if rest:
        raise ConfigError(f"scorer {spec!r}: chrf takes nothing", key="scorer")
    try:
        from sacrebleu.metrics.chrf import CHRF
    except ImportError as error:
        raise without(error, "scorers", "chrf", key="scorer") from error
    metric = CHRF()

    def function(text: str, reference: Any, _item: Item) -> Score:
        return best(text, reference, lambda said, right: min(1.0, metric.sentence_score(said, [right]).score / 100))

    return Simple(spec, "chrF", function)
