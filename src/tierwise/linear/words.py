"""What does a linear model see of a text? Its words, pairs of words, and the characters within words, as numbers.

Pure. Knows no weights. A number is a checksum, so a file of weights holds nothing that anybody wrote.
Invariant: a text has the same numbers on every machine; `FEATURES` names the rule, and changes with it.
"""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Final
from zlib import crc32

FEATURES: Final = "words 1-2, characters 2-5 within words, crc32"
_SIZES: Final = range(2, 6)
_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Return the words of a text, in one spelling."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def features(text: str) -> tuple[Counter[int], Counter[int]]:
    """Count words with pairs of words, and apart from them the characters within words."""
    found = words(text)
    pairs = itertools.pairwise(found)
    told = [f"w {word}" for word in found] + [f"p {first} {second}" for first, second in pairs]
    return _counted(told), _counted(piece for word in found for piece in _pieces(f" {word} "))


def _pieces(word: str) -> Iterator[str]:
    return (f"c {word[at : at + size]}" for size in _SIZES for at in range(len(word) - size + 1))


def _counted(told: Iterator[str] | list[str]) -> Counter[int]:
    return Counter(crc32(one.encode()) for one in told)
