"""Is it the same text, the same set, the same words? Comparisons of text that read no meaning.

A list of references means that each of them is right, but for sets, where it is the set.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tierwise.evals.item import Item
from tierwise.evals.scorers.score import Score, valued

_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"\w+")
_PARTS = re.compile(r"[\n,;]")
_BULLET = re.compile(r"\s*(?:[-*•]|\d{1,3}[.)])\s+")


def texts(reference: Any) -> list[str]:
    """Return a reference as the texts that are right."""
    return [str(one) for one in reference] if isinstance(reference, list) else [str(reference)]


def exact(text: str, reference: Any, _item: Item) -> Score:
    """The same text, but for white space around it."""
    return valued(text.strip() in {one.strip() for one in texts(reference)})


def normal(text: str) -> str:
    """Return text in one case, without punctuation around words, accents as they are composed, single spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    bare = (word.strip(string.punctuation) for word in _SPACE.split(folded))
    return " ".join(filter(None, bare))


def normalised(text: str, reference: Any, _item: Item) -> Score:
    """The same text, but for case, white space and punctuation around words."""
    return valued(normal(text) in {normal(one) for one in texts(reference)})


def best(text: str, reference: Any, of: Callable[[str, str], float]) -> Score:
    """Return the best score of all references."""
    return valued(max((of(text, one) for one in texts(reference)), default=0.0))


def token_f1(text: str, reference: Any, _item: Item) -> Score:
    """F1 of the words, counted."""
    return best(
        text, reference, lambda said, right: f1(_WORD.findall(said.casefold()), _WORD.findall(right.casefold()))
    )


def set_f1(text: str, reference: Any, _item: Item) -> Score:
    """F1 of the entries: lines, or what commas separate; bullets and case do not count."""
    said = reference if not isinstance(reference, list) else "\n".join(map(str, reference))
    return valued(f1(set(_entries(text)), set(_entries(str(said)))))


def f1(said: Iterable[str], right: Iterable[str]) -> float:
    """Return the harmonic mean of precision and recall of two bags; nothing said where nothing is right is 1."""
    a, b = Counter(said), Counter(right)
    if not a and not b:
        return 1.0
    return 2 * (a & b).total() / (a.total() + b.total())


def _entries(text: str) -> list[str]:
    return [one for part in _PARTS.split(text) if (one := normal(_BULLET.sub("", part, count=1)))]
