"""How else might a customer have written this? Distorted copies of training messages.

Deliberately knows nothing about tokens. Pure: everything random comes from the generator that is passed in.
"""

import random
from collections.abc import Sequence

LONGEST = 60  # words
Words = list[str]


def distort(text: str, mates: Sequence[str], chance: random.Random) -> str:
    """Cross with a MATE of the same intent, drop and swap words, mistype one, forget the punctuation."""
    words = text.lower().split()
    if mates and chance.random() < 0.25:
        words = _cross(words, chance.choice(mates).lower().split(), chance)[:LONGEST]
    loss = chance.choice((0.0, 0.05, 0.1, 0.2))
    words = [word for word in words if chance.random() > loss] or words
    if len(words) > 3 and chance.random() < 0.3:
        at = chance.randrange(len(words) - 1)
        words[at], words[at + 1] = words[at + 1], words[at]
    if chance.random() < 0.2:
        at = chance.randrange(len(words))
        words[at] = _mistype(words[at], chance)
    line = " ".join(words)
    return line.rstrip("?.!") if chance.random() < 0.3 else line


def _cross(words: Words, others: Words, chance: random.Random) -> Words:
    if chance.random() < 0.5:
        return words + others
    head = max(2, int(len(words) * chance.uniform(0.4, 1)))
    return words[:head] + others[int(len(others) * chance.uniform(0, 0.6)) :]


def _mistype(word: str, chance: random.Random) -> str:
    if len(word) < 4:
        return word
    at = chance.randrange(len(word) - 1)
    if chance.random() < 0.5:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :]
